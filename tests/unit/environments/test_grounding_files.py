"""Annotations of others, in files made here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import agentgym
from agentgym.environments.grounding.files import item_of, read_annotations
from agentgym.errors import ConfigError, DataError, UserError


def shot(folder: Path, name: str = "one.png", size: tuple[int, int] = (200, 100)) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, "white").save(folder / name)
    return name


def written(folder: Path, content: Any, name: str = "asked.json") -> Path:
    file = folder / name
    lines = name.endswith(".jsonl")
    file.write_text("\n".join(map(json.dumps, content)) if lines else json.dumps(content))
    return file


def asked(**more: Any) -> dict[str, Any]:
    return {
        "img_filename": "one.png",
        "instruction": "the button",
        "bbox": [20, 10, 40, 30],
        "data_type": "icon",
    } | more


@pytest.mark.parametrize(
    ("more", "box"),
    [
        ({}, (20, 10, 60, 40)),  # SeeClick's: left, top, width, height
        ({"bbox": [0.1, 0.1, 0.3, 0.4]}, (20, 10, 60, 40)),  # shares of the picture: left, top, right, bottom
        ({"img_size": [200, 100], "bbox": [20, 10, 60, 40]}, (20, 10, 60, 40)),  # ScreenSpot-Pro: edges
        ({"bbox": [180, 80, 20, 20]}, (180, 80, 200, 100)),
    ],
)
def test_boxes_of_the_three_kinds(tmp_path: Path, more: dict[str, Any], box: tuple[float, ...]) -> None:
    shot(tmp_path / "images")
    [one] = read_annotations(written(tmp_path, [asked(**more)]))
    item = item_of(one)
    assert item.box == pytest.approx(box)
    assert (item.instruction, item.kind) == ("the button", "icon")
    assert item.image.size == (200, 100)


def test_lines_are_read_as_well_and_a_split_is_kept(tmp_path: Path) -> None:
    shot(tmp_path)
    entries = [asked(split="test"), asked(split="train"), asked(split="val")]
    found = read_annotations(written(tmp_path, entries, "asked.jsonl"))
    assert [one.split for one in found] == ["test", "train", "validation"]


def test_without_a_split_a_picture_is_in_one_alone(tmp_path: Path) -> None:
    names = [shot(tmp_path, f"{number}.png") for number in range(60)]
    entries = [asked(img_filename=name, instruction=f"{way}") for name in names for way in "ab"]
    found = read_annotations(written(tmp_path, entries))
    splits = {name: {one.split for one in found if one.picture.name == name} for name in names}
    assert all(len(split) == 1 for split in splits.values())
    counts = [sum(split == {name} for split in splits.values()) for name in ("train", "validation", "test")]
    assert counts[0] > 20
    assert min(counts) > 3


def episode(**more: Any) -> dict[str, Any]:
    return {
        "episode_id": 7,
        "goal": "mute the phone",
        "screenshots": ["one.png", "two.png", "two.png"],
        "actions": [{"action_type": "click", "x": 30, "y": 20}, {"action_type": "scroll", "direction": "down"}],
        "step_instructions": ["open the sounds", "scroll down"],
    } | more


def test_each_click_of_an_episode_is_a_question(tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        shot(tmp_path, name)
    nodes = [{"bounds": [0, 0, 200, 100]}, {"bounds": [20, 10, 60, 40], "class_name": "a.b.Button", "text": "Sounds"}]
    trees = [nodes, []]
    clicks = [json.dumps({"action_type": "click", "x": 30, "y": 20}), {"action_type": "long_press", "x": 100, "y": 50}]
    file = written(tmp_path, [episode(accessibility_trees=trees, actions=clicks)], "episodes.jsonl")
    first, second = map(item_of, read_annotations(file))
    assert (first.instruction, first.box, first.kind) == ("open the sounds", (20, 10, 60, 40), "click")
    assert [(one.role, one.label) for one in first.elements] == [("node", ""), ("button", "Sounds")]
    assert second.box == pytest.approx((86, 36, 114, 64)), "a square around it where there is no node"
    [only] = read_annotations(written(tmp_path, [episode()], "plain.jsonl"))
    assert only.where == "entry 0, step 0"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"a": 1}, "holds a JSON dict, expected a list"),
        ([3], "entry 0 is 3, expected an object"),
        ([], "has no questions"),
        ([{"instruction": "x", "bbox": [0, 0, 1, 1]}], 'entry 0 has no "img_filename", found instruction, bbox'),
        ([asked(bbox=[1, 2, 3])], "entry 0 has [1, 2, 3], expected 4 numbers"),
        ([asked(bbox="1234")], "entry 0 has '1234', expected 4 numbers"),
        ([asked(img_filename="none.png")], "is about none.png, which is not at"),
        ([asked(img_filename="../../etc/passwd")], "which is not in its folder"),
        ([asked(split="dev")], "the split 'dev', expected"),
        ([episode(step_instructions=["one"])], "2 actions, 1 step_instructions and 3 screenshots"),
        ([episode(actions=[{"action_type": "click", "x": 1}] * 2)], "step 0 has [1, None], expected 2 numbers"),
    ],
)
def test_a_malformed_file_is_told_with_its_entry(tmp_path: Path, content: Any, told: str) -> None:
    shot(tmp_path)
    with pytest.raises(DataError) as error:
        read_annotations(written(tmp_path, content))
    assert told in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_what_is_no_json_and_no_picture_is_told(tmp_path: Path) -> None:
    file = tmp_path / "asked.json"
    file.write_text("{")
    with pytest.raises(DataError, match="cannot be read as JSON"):
        read_annotations(file)
    (tmp_path / "one.png").write_text("no picture")
    [one] = read_annotations(written(tmp_path, [asked()]))
    with pytest.raises(DataError, match="no picture that can be read"):
        item_of(one)
    shot(tmp_path)
    [one] = read_annotations(written(tmp_path, [asked(bbox=[190, 10, 40, 30])]))
    with pytest.raises(DataError, match="is not in the picture, 200 x 100"):
        item_of(one)


def test_a_file_is_played_without_a_browser(tmp_path: Path) -> None:
    shot(tmp_path)
    file = written(tmp_path, [asked(split="train"), asked(split="test", bbox=[100, 50, 20, 20])])
    env = agentgym.make("grounding", file=str(file), longest=100)
    assert [list(env.tasks(split)) for split in ("train", "validation", "test")] == [[0], [], [1]]
    observation, info = env.reset(options={"task": 1})
    assert observation.images[0].data.startswith(b"\x89PNG")
    assert info["channels"]["box_left"] == pytest.approx(0.5)
    assert env.expert()(observation) == "click(55, 30)", "in pixels of the smaller picture"
    _, reward, done, _, info = env.step("click(55, 30)")
    assert (reward, done, info["success"]) == (2.0, True, True)
    with pytest.raises(UserError, match="numbers 0 to 1"):
        env.reset(options={"task": 2})
    with pytest.raises(ConfigError, match="has no elements"):
        agentgym.make("grounding", file=str(file), observe="elements")
