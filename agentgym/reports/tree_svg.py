"""A tree of lines as a picture: an SVG that needs nothing beside it. Time goes from left to right."""

from __future__ import annotations

import dataclasses
from html import escape
from typing import NamedTuple

from agentgym.reports.tree_text import ending, one_line, said, title, worth
from agentgym.reports.trees import GroupTree, Stretch, folded

__all__ = ["Box", "drawn_svg", "laid_out"]

_WIDTH, _HEIGHT, _GAP, _ROW, _MARGIN, _TOP = 250, 54, 46, 66, 14, 34
"""Of a box; between columns; from row to row; around everything; of the title. Pixels."""
_LETTERS = 36
"""That fit into a box."""
_TOLD = 600
"""Letters of what is shown where the pointer rests."""


class Box(NamedTuple):
    """Where a stretch is drawn."""

    stretch: Stretch
    column: int
    row: float
    """Leaves are at 0, 1, 2, ...; others in the middle of what they lead to."""
    parent: int | None
    """Place of the one that leads here."""


def laid_out(root: Stretch) -> list[Box]:
    """A box for each stretch, parents first: one column a branch, one row a leaf, nothing on top of anything."""
    boxes: list[Box] = []
    num_leaves = 0

    def place(stretch: Stretch, column: int, parent: int | None) -> float:
        nonlocal num_leaves
        own = len(boxes)
        boxes.append(Box(stretch, column, 0.0, parent))
        rows = [place(child, column + 1, own) for child in stretch.children]
        if not rows:
            rows, num_leaves = [float(num_leaves)], num_leaves + 1
        boxes[own] = boxes[own]._replace(row=(rows[0] + rows[-1]) / 2)
        return boxes[own].row

    place(root, 0, None)
    return boxes


@dataclasses.dataclass(frozen=True, slots=True)
class _Scale:
    """From the worth of a stretch to how dark it is."""

    low: float
    high: float

    def shade(self, value: float | None) -> str:
        """White where there is no value, and from a light blue to a darker one."""
        if value is None:
            return "#ffffff"
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.0
        return f"#{round(244 - 64 * share):02x}{round(248 - 36 * share):02x}ff"


def drawn_svg(tree: GroupTree) -> str:
    """The text of an SVG file; a stretch is the darker the more it is worth, and the way of the best line is green."""
    boxes = laid_out(folded(tree.root))
    values = [turn.value for box in boxes if (turn := box.stretch.first.turn) is not None and turn.value is not None]
    scale = _Scale(min(values, default=0.0), max(values, default=0.0))
    width = 2 * _MARGIN + (max(box.column for box in boxes) + 1) * (_WIDTH + _GAP) - _GAP
    height = 2 * _MARGIN + _TOP + round((max(box.row for box in boxes) + 1) * _ROW)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="ui-monospace, monospace" font-size="11" fill="#1b1f24">',
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
            f'<text x="{_MARGIN}" y="{_MARGIN + 12}" font-size="13">{escape(title(tree))}</text>',
            *(_way(tree, boxes[box.parent], box) for box in boxes if box.parent is not None),
            *(_box(tree, box, scale) for box in boxes),
            "</svg>\n",
        ]
    )


def _corner(box: Box) -> tuple[int, int]:
    return _MARGIN + box.column * (_WIDTH + _GAP), _MARGIN + _TOP + round(box.row * _ROW)


def _color(tree: GroupTree, box: Box) -> str:
    return "#1a7f37" if tree.best is not None and tree.best in box.stretch.first.lines else "#8c959f"


def _way(tree: GroupTree, one: Box, other: Box) -> str:
    (x0, y0), (x1, y1) = _corner(one), _corner(other)
    x0, y0, y1, middle = x0 + _WIDTH, y0 + _HEIGHT // 2, y1 + _HEIGHT // 2, x1 - _GAP // 2
    curve = f"M{x0} {y0}C{middle} {y0} {middle} {y1} {x1} {y1}"
    return f'<path d="{curve}" fill="none" stroke="{_color(tree, other)}" stroke-width="1.5"/>'


def _box(tree: GroupTree, box: Box, scale: _Scale) -> str:
    """One box, which cuts off what is too long for it; what is cut off shows where the pointer rests."""
    stretch, (x, y) = box.stretch, _corner(box)
    turn, lines = stretch.first.turn, stretch.first.lines
    is_void = all(line.stop_reason.is_void for line in lines)
    ends = [f"{line.episode_id}: {ending(line, is_best=line is tree.best)}" for line in stretch.ends]
    first = said(stretch, _LETTERS) if turn is not None else f"{len(lines)} lines begin"
    rows = [first, worth(stretch), "; ".join(ends)]
    tip = [said(stretch, _TOLD), worth(stretch), *ends] if turn is not None else [title(tree), *ends]
    texts = (
        f'<text x="8" y="{16 + 15 * number}">{escape(one_line(text, _LETTERS))}</text>'
        for number, text in enumerate(rows)
        if text
    )
    dashes = ' stroke-dasharray="4 3"' if is_void else ""
    return (
        f'<svg x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}">'
        f"<title>{escape(chr(10).join(filter(None, tip)))}</title>"
        f'<rect x="1" y="1" width="{_WIDTH - 2}" height="{_HEIGHT - 2}" rx="6" '
        f'fill="{scale.shade(None if turn is None else turn.value)}" stroke="{_color(tree, box)}"{dashes}/>'
        f"{''.join(texts)}</svg>"
    )
