"""Pictures of a page: made smaller, and with the refs of its elements drawn on it.

A frame and a number at each element that can be acted on are called set-of-mark prompting (arXiv 2310.11441).
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from agentgym.browser.seen import Node, Seen

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

__all__ = ["MARKS", "marked", "opened", "scaled"]

MARKS = ("#d62728", "#1f77b4", "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#17707f")
"""Colors of frames, one after the other, so that neighbors differ."""

_FONT_SIZE, _SMALL_FONT_SIZE = 11, 9
_SMALL = 24
"""Pixels of height: what has fewer gets smaller numbers."""


def opened(data: bytes) -> Image:
    """The picture in a file's bytes."""
    from PIL import Image

    return Image.open(io.BytesIO(data)).convert("RGB")


def scaled(image: Image, most: int | None) -> Image:
    """The picture with no side longer than ``most`` pixels; larger ones keep their shape."""
    if most is None or max(image.size) <= most:
        return image
    factor = most / max(image.size)
    width, height = (max(1, round(side * factor)) for side in image.size)
    return image.resize((width, height))


def marked(image: Image, seen: Seen) -> Image:
    """The picture with a frame and the ref at each element in view that can be acted on."""
    from PIL.ImageDraw import Draw

    image = image.copy()
    draw = Draw(image)
    able = [node for node in seen.nodes if node.ref and _is_in(node, image)]
    for number, node in enumerate(able):
        left, top, width, height = node.box
        color = MARKS[number % len(MARKS)]
        draw.rectangle((left, top, left + width, top + height), outline=color, width=1)
    for number, node in enumerate(able):  # above all frames
        _label(draw, node, MARKS[number % len(MARKS)], image.size)
    return image


def _label(draw: ImageDraw, node: Node, color: str, size: tuple[int, int]) -> None:
    """The ref on a ground of the frame's color, at its upper right corner, and inside of the picture."""
    left, top, width, height = node.box
    font_size = _FONT_SIZE if height >= _SMALL else _SMALL_FONT_SIZE
    _, _, right, bottom = draw.textbbox((0, 0), node.ref, font_size=font_size)
    wide, high = right + 3, bottom + 2
    above = high // 2 if height >= _SMALL else high - 2  # a small one would be hidden behind it
    x = min(max(left + width - wide, 0), size[0] - wide)
    y = min(max(top - above, 0), size[1] - high)
    draw.rectangle((x, y, x + wide, y + high), fill=color)
    draw.text((x + 2, y), node.ref, fill="white", font_size=font_size)


def _is_in(node: Node, image: Image) -> bool:
    left, top, width, height = node.box
    across, down = min(left + width, image.width) - max(left, 0), min(top + height, image.height) - max(top, 0)
    return across > 0 and down > 0
