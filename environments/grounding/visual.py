"""What may be done to look closer, after OpenThinkIMG (arXiv 2505.08617): each gives another picture to look at.

Places are in pixels of the first picture, whatever was looked at since.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from agentgym.environments.grounding.answers import numbers_of

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["USAGE", "Look", "look_of"]

USAGE = (
    "Before that you may look closer: crop(left, top, right, bottom), zoom(x, y, factor), mark(x, y), "
    "measure(x1, y1, x2, y2). Places are always in pixels of the first picture."
)
_CALL = re.compile(r"\b(crop|zoom|mark|measure)\s*\(([^()]*)\)", re.IGNORECASE)
_SMALLEST = 8
"""Pixels that a part has at least, each way."""
_INK = (230, 30, 90)


class Look(NamedTuple):
    """What was asked for by a tool."""

    text: str
    image: Image


def look_of(action: str, image: Image) -> Look | str | None:
    """The look that ``action`` asks for, or what is wrong with it; None where it asks for none."""
    found = _CALL.search(action)
    if found is None:
        return None
    name, numbers = found[1].lower(), numbers_of(found[2])
    count, do = _TOOLS[name]
    if len(numbers) != count:
        return f"{name} takes {count} numbers, found {len(numbers)}"
    return do(image, numbers)


def _crop(image: Image, numbers: Sequence[float]) -> Look | str:
    left, top, right, bottom = (round(number) for number in numbers)
    left, top, right, bottom = max(0, left), max(0, top), min(image.width, right), min(image.height, bottom)
    if right - left < _SMALLEST or bottom - top < _SMALLEST:
        return f"a part is {_SMALLEST} pixels wide and high at least, from the left to the right and from the top down"
    return Look(f"the part from ({left}, {top}) to ({right}, {bottom}):", image.crop((left, top, right, bottom)))


def _zoom(image: Image, numbers: Sequence[float]) -> Look | str:
    x, y, factor = numbers
    if not 1 <= factor <= 8:
        return "a factor is from 1 to 8"
    width, height = image.width / factor, image.height / factor
    left = min(max(x - width / 2, 0), image.width - width)
    top = min(max(y - height / 2, 0), image.height - height)
    part = _crop(image, (left, top, left + width, top + height))
    return (
        part
        if isinstance(part, str)
        else Look(f"{part.text[:-1]}, {factor:g} times as large:", part.image.resize(image.size))
    )


def _mark(image: Image, numbers: Sequence[float]) -> Look:
    from PIL import ImageDraw

    x, y = numbers
    marked = image.copy()
    pen, size = ImageDraw.Draw(marked), max(6, min(image.size) // 30)
    pen.line((x - 2 * size, y, x + 2 * size, y), fill=_INK, width=1)
    pen.line((x, y - 2 * size, x, y + 2 * size), fill=_INK, width=1)
    pen.ellipse((x - size, y - size, x + size, y + size), outline=_INK, width=2)
    return Look(f"({x:g}, {y:g}) is marked:", marked)


def _measure(image: Image, numbers: Sequence[float]) -> Look:
    from PIL import ImageDraw

    measured = image.copy()
    ImageDraw.Draw(measured).line(tuple(numbers), fill=_INK, width=2)
    across, down = abs(numbers[2] - numbers[0]), abs(numbers[3] - numbers[1])
    told = f"{math.hypot(across, down):.0f} pixels, {across:g} across and {down:g} down:"
    return Look(told, measured)


_TOOLS: dict[str, tuple[int, Callable[[Image, Sequence[float]], Look | str]]] = {
    "crop": (4, _crop),
    "zoom": (3, _zoom),
    "mark": (2, _mark),
    "measure": (4, _measure),
}
"""Name → how many numbers it takes, and what it does."""
