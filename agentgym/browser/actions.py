"""What can be done in a browser, as data: each action one frozen class, whatever spelling it came in.

What an action is about is named by the ref that the last observation showed, or by a point of the page in pixels from
the upper left of what is in view.
"""

from __future__ import annotations

import dataclasses
from typing import Literal, NamedTuple, TypeAlias

__all__ = [
    "Action",
    "Back",
    "Button",
    "Click",
    "Drag",
    "Fill",
    "Forward",
    "Goto",
    "Hover",
    "Point",
    "Press",
    "Say",
    "Scroll",
    "Select",
    "Target",
    "Type",
    "Wait",
]


class Point(NamedTuple):
    """A place in what is in view."""

    x: float
    y: float


Target: TypeAlias = str | Point
"""A ref or a place."""
Button: TypeAlias = Literal["left", "middle", "right"]


@dataclasses.dataclass(frozen=True, slots=True)
class Click:
    """Press and release a button of the mouse; twice in a row for a double click."""

    at: Target
    button: Button = "left"
    count: int = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Hover:
    """Bring the mouse there."""

    at: Target


@dataclasses.dataclass(frozen=True, slots=True)
class Fill:
    """Have a field hold ``text`` in place of what it holds."""

    at: Target
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Type:
    """Type ``text`` at the end of a field, or where the focus is."""

    text: str
    at: Target | None = None
    submit: bool = False
    """Press Enter after it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Press:
    """Press a key such as "Enter", "a" or "Control+A", in an element or where the focus is."""

    key: str
    at: Target | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Select:
    """Choose options of a list, by what they say or by their values; where none is so, case does not matter."""

    at: Target
    options: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Scroll:
    """Turn the wheel by so many pixels, over an element or over the page."""

    dx: float
    dy: float
    at: Target | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Drag:
    """Press the mouse at one place and release it at another."""

    start: Target
    end: Target


@dataclasses.dataclass(frozen=True, slots=True)
class Goto:
    """Open an address."""

    url: str


@dataclasses.dataclass(frozen=True, slots=True)
class Back:
    """The page before."""


@dataclasses.dataclass(frozen=True, slots=True)
class Forward:
    """The page after, where one went back."""


@dataclasses.dataclass(frozen=True, slots=True)
class Wait:
    """Let the page have so many milliseconds."""

    ms: float = 1000.0


@dataclasses.dataclass(frozen=True, slots=True)
class Say:
    """Say something to whoever gave the task: for the environment to hear, a browser does nothing with it."""

    text: str


Action: TypeAlias = Click | Hover | Fill | Type | Press | Select | Scroll | Drag | Goto | Back | Forward | Wait | Say
