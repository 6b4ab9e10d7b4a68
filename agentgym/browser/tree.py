"""A page as text: a line for each element, indented as they are nested, the ref first where it can be acted on::

    heading 1 "Find a table"
    [1] textbox "Place" value="rome" (focused)
    [2] button "Find"

A long page is cut to a budget by what matters least: first all words that are no part of something to act on, then the
lines at its end, which is told. What was seen a turn ago need not be said again: then there are the lines that differ.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import re
from collections.abc import Callable, Sequence

from agentgym.browser.seen import Node, Seen

__all__ = ["View", "as_text", "color_name", "difference", "line_of"]

_STRUCTURE = ("paragraph", "rowgroup", "generic")
"""Roles that say nothing where there is no name to them."""

_KEPT = ("heading", "dialog", "alertdialog", "alert", "status")
"""Roles that stay when only what can be acted on does."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How much of a page is told."""

    interactive: bool = False
    """Only what can be acted on, headings and messages."""
    in_view: bool = False
    """Only what is in view without scrolling."""
    depth: int | None = None
    """Elements nested deeper are left out."""
    boxes: bool = False
    """Where each element is and how large, as ``@ 8,40 60x20``: left, top, width, height."""
    budget: int | None = None
    """The most that the text may measure."""
    measure: Callable[[str], int] = len
    """What the budget counts: characters, or a tokenizer's tokens."""


_ALL = View()


def as_text(seen: Seen, view: View = _ALL) -> str:
    """The page as ``view`` says."""
    lines = _lines(seen, view)
    if _fits(lines, view):
        return "\n".join(lines)
    return _cut(_lines(seen, dataclasses.replace(view, interactive=True)), view)


def difference(before: Seen, seen: Seen, view: View = _ALL) -> str:
    """What differs from ``before``: lines that went with "- ", those that came with "+ "; all of it where more differs
    than stayed, or where it is another page."""
    old, new = _lines(before, view), _lines(seen, view)
    changes = [line for line in difflib.ndiff(old, new) if line[0] in "+-"]
    if before.page != seen.page or len(changes) >= len(new):
        return as_text(seen, view)
    changes = [f"{line[:2]}{line[2:].strip()}" for line in changes]
    return _cut(changes, view) if changes else "(nothing changed)"


def line_of(node: Node) -> str:
    """One element in words.

    >>> line_of(Node(depth=0, role="textbox", name="Place", ref="3", value="rome", states=("focused",)))
    '[3] textbox "Place" value="rome" (focused)'
    """
    if not node.role:
        return node.text
    if node.role == "paragraph" and not node.ref:
        return node.name
    told = [f"[{node.ref}]"] if node.ref else []
    told += [f"{node.role} {node.level}".strip()]
    told += [f'"{node.name}"'] if node.name else []
    told += [node.hint] if node.hint else []
    told += [f"color={color_name(node.color)} @ {_box(node)}"] if node.color else []
    told += [f'value="{node.value}"'] if node.value is not None else []
    told += [f"({', '.join(node.states)})"] if node.states else []
    return " ".join(told)


def color_name(color: str) -> str:
    """A color of CSS by the name that it has there, or in hexadecimal digits.

    >>> color_name("rgb(128, 128, 0)"), color_name("rgb(1, 2, 3)"), color_name("rgba(0, 0, 0, 0.5)")
    ('olive', '#010203', 'rgba(0, 0, 0, 0.5)')
    """
    numbers = re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", color)
    if numbers is None:
        return color
    code = "#" + "".join(f"{int(number):02x}" for number in numbers.groups())
    return _names().get(code, code)


@functools.cache
def _names() -> dict[str, str]:
    """Hexadecimal digits → the shortest of the names of CSS."""
    from PIL.ImageColor import colormap, getrgb

    names = sorted(colormap, key=lambda name: (-len(name), name))
    return {"#{:02x}{:02x}{:02x}".format(*getrgb(name)): name for name in names}


def _box(node: Node) -> str:
    left, top, width, height = node.box
    return f"{left},{top} {width}x{height}"


def _lines(seen: Seen, view: View) -> list[str]:
    lines: list[str] = []
    around: list[tuple[int, int]] = []  # depth in the page and depth in the text of what is open
    for node in _with_whole_rows(seen.nodes):
        while around and around[-1][0] >= node.depth:
            around.pop()
        depth = around[-1][1] + 1 if around else 0
        if not _is_told(node, seen, view) or (view.depth is not None and depth > view.depth):
            continue
        where = f" @ {_box(node)}" if view.boxes and node.role and not node.color else ""
        lines.append(f"{'  ' * depth}{line_of(node)}{where}")
        around.append((node.depth, depth))
    return lines


def _is_told(node: Node, seen: Seen, view: View) -> bool:
    if node.role in _STRUCTURE and not (node.name or node.ref or node.states):
        return False
    if view.in_view and node.role and not _is_in_view(node, seen):
        return False
    return not view.interactive or node.acts or bool(node.ref) or node.role in _KEPT


def _is_in_view(node: Node, seen: Seen) -> bool:
    left, top, width, height = node.box
    *_, view_width, view_height = seen.scroll
    return left < view_width and top < view_height and left + width > 0 and top + height > 0


def _with_whole_rows(nodes: Sequence[Node]) -> list[Node]:
    """Rows of a table that hold nothing but words, each in one."""
    found: list[Node] = []
    index = 0
    while index < len(nodes):
        node, after = nodes[index], index + 1
        while after < len(nodes) and nodes[after].depth > node.depth:
            after += 1
        inner = nodes[index + 1 : after]
        if node.role == "row" and inner and not any(each.ref or each.depth > node.depth + 1 for each in inner):
            cells = " | ".join(each.name or each.text for each in inner)
            found.append(dataclasses.replace(node, name=cells))
            index = after
        else:
            found.append(node)
            index += 1
    return found


def _fits(lines: Sequence[str], view: View) -> bool:
    return view.budget is None or view.measure("\n".join(lines)) <= view.budget


def _cut(lines: Sequence[str], view: View) -> str:
    """The first lines, as many as there is room for, and how many more there are."""
    if _fits(lines, view):
        return "\n".join(lines)
    low, high = 0, len(lines)
    while low < high:  # more lines never measure less
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _fits([*lines[:middle], _rest(lines, middle)], view) else (low, middle - 1)
    return "\n".join([*lines[:low], _rest(lines, low)])


def _rest(lines: Sequence[str], kept: int) -> str:
    return f"(… {len(lines) - kept} more lines)"
