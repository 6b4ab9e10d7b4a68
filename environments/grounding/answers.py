"""How a point is said: leniently, but not by guesswork.

These are read, with or without blanks, decimals and words around them; the last one of a reply counts::

    click(120, 44)            also tap, point, pyautogui.click and the like, and x=120, y=44
    (120, 44)  [120, 44]      a pair alone
    [100, 30, 140, 58]        a box, whose center is meant
    {"x": 120, "y": 44}       also "coordinate", "point" or "position" with a list, and inside of a call
    120, 44                   where nothing else is said
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["UNREADABLE", "numbers_of", "read_point"]

UNREADABLE = "an answer is a point of the picture, in pixels from its upper left corner: click(x, y)"
_LONGEST = 2_000
"""Characters; of what is longer the end is read."""

_NUMBER = r"[-+]?\d+(?:\.\d+)?"
_LISTED = rf"{_NUMBER}(?:\s*,\s*{_NUMBER})"
_GROUP = re.compile(rf"[(\[]\s*({_LISTED}(?:\s*,\s*{_NUMBER}\s*,\s*{_NUMBER})?)\s*[)\]]")
_NAMED = re.compile(rf"\bx\s*[=:]\s*({_NUMBER})\s*,?\s*y\s*[=:]\s*({_NUMBER})", re.IGNORECASE)
_BARE = re.compile(rf"\s*({_NUMBER})\s*[,;\s]\s*({_NUMBER})\s*[.]?\s*")
_OBJECT = re.compile(r"\{[^{}]*\}")
_KEYS = ("coordinate", "coordinates", "point", "position")


def read_point(text: str) -> tuple[float, float] | None:
    """The point that ``text`` says, or None.

    >>> read_point("there: click(120, 44)"), read_point('{"point": [1, 2.5]}'), read_point("3 4"), read_point("no")
    ((120.0, 44.0), (1.0, 2.5), (3.0, 4.0), None)
    """
    text = text[-_LONGEST:]
    found = [(match.start(), point) for match, point in (*_groups(text), *_objects(text)) if point is not None]
    if found:
        return max(found)[1]
    bare = _BARE.fullmatch(text)
    return _point(bare.groups()) if bare else None


def numbers_of(listed: str) -> list[float]:
    """Those that are listed.

    >>> numbers_of("1, 2.5,-3")
    [1.0, 2.5, -3.0]
    """
    return [float(number) for number in re.findall(_NUMBER, listed)]


def _groups(text: str) -> Iterable[tuple[re.Match[str], tuple[float, float] | None]]:
    for match in _GROUP.finditer(text):
        yield match, _point(numbers_of(match[1]))
    for match in _NAMED.finditer(text):
        yield match, _point(match.groups())


def _objects(text: str) -> Iterable[tuple[re.Match[str], tuple[float, float] | None]]:
    for match in _OBJECT.finditer(text):
        try:
            fields = json.loads(match[0])
        except ValueError:
            continue
        yield match, _of_object(fields)


def _of_object(fields: Any) -> tuple[float, float] | None:
    if not isinstance(fields, dict):
        return None
    if "x" in fields and "y" in fields:
        return _point([fields["x"], fields["y"]])
    listed = next((fields[key] for key in _KEYS if isinstance(fields.get(key), list)), ())
    return _point(listed)


def _point(numbers: Sequence[Any]) -> tuple[float, float] | None:
    try:
        found = [float(number) for number in numbers]
    except (TypeError, ValueError):
        return None
    if len(found) == 4:
        found = [(found[0] + found[2]) / 2, (found[1] + found[3]) / 2]
    return (found[0], found[1]) if len(found) == 2 and all(map(math.isfinite, found)) else None
