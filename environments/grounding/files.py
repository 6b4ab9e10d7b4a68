"""Screenshots of others, with what is asked of them. What is read:

- **ScreenSpot** (SeeClick's): a JSON list, or JSON lines, of objects with ``img_filename``, ``instruction`` and
  ``bbox``, [left, top, width, height] in pixels; ``data_type`` is "text" or "icon". Where all four are at most 1 they
  are shares of the picture, [left, top, right, bottom], as the copies on Hugging Face have it; **ScreenSpot-Pro**,
  known by its ``img_size``, has [left, top, right, bottom] in pixels;
- **AndroidControl**-like: JSON lines, an object for each episode, with ``screenshots`` (files; there they are bytes),
  ``actions`` ({"action_type": "click", "x": …, "y": …}) and ``step_instructions``. Each click is a question. Its box is
  the smallest of the step's nodes that the click is in, ``accessibility_trees``[step], each with ``bounds``
  [left, top, right, bottom]; without any, a square around the click.

Pictures lie beside the file, or in a folder "images" or "screenshots" there. An entry may say its ``split``; where none
does, a hash of the picture's name decides, so that no picture is in two splits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from agentgym.environments._options import Split
from agentgym.environments.grounding.items import Element, Item
from agentgym.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Annotation", "item_of", "read_annotations"]

_CLICKS = ("click", "long_press")
_AROUND = 0.07
"""Half the side of the square around a click, as a share of the picture's width."""


class Annotation(NamedTuple):
    """One question of a file, its picture not opened yet."""

    where: str
    """In the file, for complaints."""
    picture: Path
    instruction: str
    numbers: tuple[float, ...]
    """A box as it is written, or the point of a click."""
    form: str
    """Of the numbers: "size", "edges", "share" or "click"."""
    kind: str
    split: Split
    nodes: tuple[Element, ...] = ()


def read_annotations(file: Path) -> list[Annotation]:
    """All questions of a file. Raises DataError, which names the entry."""
    found = [one for where, entry in _entries(file) for one in _of_entry(file, where, entry)]
    if not found:
        raise DataError(f"{file} has no questions")
    for one in found:
        if not one.picture.is_file():
            raise DataError(f"{file}: {one.where} is about {one.picture.name}, which is not at {one.picture}")
    return found


def item_of(one: Annotation) -> Item:
    """The question with its picture. Raises DataError for a picture or a box that cannot be."""
    from PIL import Image

    try:
        with Image.open(one.picture) as opened:
            image = opened.convert("RGB")
    except OSError as error:
        raise DataError(f"{one.picture}: no picture that can be read ({error})") from error
    left, top, right, bottom = box = _box(one, image)
    if not (0 <= left < right <= image.width + 1 and 0 <= top < bottom <= image.height + 1):
        raise DataError(f"{one.where}: the box {list(box)} is not in the picture, {image.width} x {image.height}")
    right, bottom = min(right, image.width), min(bottom, image.height)
    edges = (left, top, right, bottom)
    return Item(instruction=one.instruction, image=image, box=edges, elements=one.nodes, kind=one.kind)


def _box(one: Annotation, image: Image) -> tuple[float, float, float, float]:
    if one.form == "click":
        return _around(one, image)
    a, b, c, d = one.numbers
    match one.form:
        case "size":
            return a, b, a + c, b + d
        case "share":
            return a * image.width, b * image.height, c * image.width, d * image.height
        case _:
            return a, b, c, d


def _around(one: Annotation, image: Image) -> tuple[float, float, float, float]:
    """The smallest node that the click is in, or a square."""
    x, y = one.numbers
    hit = [box for _, _, box in one.nodes if box[0] <= x <= box[2] and box[1] <= y <= box[3]]
    if hit:
        return min(hit, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))
    half = _AROUND * image.width
    return max(0, x - half), max(0, y - half), min(image.width, x + half), min(image.height, y + half)


# -- entries ---------------------------------------------------------------------------------------------


def _entries(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        text = file.read_text(encoding="utf-8")
        is_lines = file.suffix == ".jsonl"
        entries = [json.loads(line) for line in text.splitlines() if line.strip()] if is_lines else json.loads(text)
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(entries, list):
        raise DataError(f"{file} holds a JSON {type(entries).__name__}, expected a list of questions")
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise DataError(f"{file}: entry {number} is {entry!r:.60}, expected an object")
        yield f"entry {number}", entry


def _of_entry(file: Path, where: str, entry: Mapping[str, Any]) -> Iterator[Annotation]:
    if "screenshots" in entry:
        yield from _of_episode(file, where, entry)
        return
    name, asked, numbers = (_field(file, where, entry, key) for key in ("img_filename", "instruction", "bbox"))
    edges = _numbers(file, where, numbers, 4)
    is_share = all(0 <= edge <= 1 for edge in edges)
    form = "share" if is_share else "edges" if "img_size" in entry else "size"
    kind = str(entry.get("data_type") or entry.get("ui_type") or "")
    yield Annotation(where, _picture(file, name), str(asked), edges, form, kind, _split(file, where, entry, name))


def _of_episode(file: Path, where: str, entry: Mapping[str, Any]) -> Iterator[Annotation]:
    shots, actions, asked = (_field(file, where, entry, key) for key in ("screenshots", "actions", "step_instructions"))
    trees = entry.get("accessibility_trees") or [()] * len(actions)
    if not len(actions) == len(asked) <= len(shots) or len(trees) < len(actions):
        counts = f"{len(actions)} actions, {len(asked)} step_instructions and {len(shots)} screenshots"
        raise DataError(f"{file}: {where} has {counts}, expected an instruction and a screenshot for each action")
    split = _split(file, where, entry, str(entry.get("episode_id", shots[0])))
    for step, action in enumerate(actions):
        action = json.loads(action) if isinstance(action, str) else action
        if action.get("action_type") in _CLICKS:
            here = f"{where}, step {step}"
            point = _numbers(file, here, [action.get("x"), action.get("y")], 2)
            nodes = tuple(_node(file, here, node) for node in trees[step])
            kind = str(action["action_type"])
            picture = _picture(file, shots[step])
            yield Annotation(here, picture, str(asked[step]), point, "click", kind, split, nodes)


def _node(file: Path, where: str, node: Mapping[str, Any]) -> Element:
    left, top, right, bottom = _numbers(file, where, node.get("bounds"), 4)
    label = str(node.get("text") or node.get("content_description") or "")
    return Element(str(node.get("class_name") or "node").rpartition(".")[2].lower(), label, (left, top, right, bottom))


def _field(file: Path, where: str, entry: Mapping[str, Any], key: str) -> Any:
    if key not in entry:
        raise DataError(f'{file}: {where} has no "{key}", found {", ".join(entry) or "nothing"}')
    return entry[key]


def _numbers(file: Path, where: str, listed: Any, count: int) -> tuple[float, ...]:
    is_list = isinstance(listed, Sequence) and len(listed) == count
    if not is_list or not all(isinstance(number, int | float) for number in listed):
        raise DataError(f"{file}: {where} has {listed!r:.60}, expected {count} numbers")
    return tuple(map(float, listed))


def _picture(file: Path, name: Any) -> Path:
    """Where the picture is; it may not lie outside of the file's folder."""
    folder = file.parent.resolve()
    for place in (folder, folder / "images", folder / "screenshots"):
        if (found := (place / str(name)).resolve()).is_file():
            break
    if not found.is_relative_to(folder):
        raise DataError(f"{file} names the picture {name!r:.80}, which is not in its folder")
    return found


def _split(file: Path, where: str, entry: Mapping[str, Any], name: str) -> Split:
    said = entry.get("split")
    splits: dict[Any, Split] = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}
    if said is not None:
        if said not in splits:
            raise DataError(f'{file}: {where} has the split {said!r:.40}, expected "train", "validation" or "test"')
        return splits[said]
    share = hashlib.blake2b(name.encode(), digest_size=1).digest()[0] % 10
    return "train" if share < 6 else "validation" if share < 8 else "test"
