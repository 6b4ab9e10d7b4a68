"""How hard it is: how large a screen is, and how many things on it are how small."""

from __future__ import annotations

import dataclasses
from typing import Literal, TypeAlias

__all__ = ["LEVELS", "Difficulty", "Layout", "Level"]

Level: TypeAlias = Literal["g1", "g2", "g3", "g4", "g5"]
Layout: TypeAlias = Literal["tiles", "dialog", "form", "settings", "document", "list", "desk"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Difficulty:
    """What a level is made of."""

    width: int
    """Pixels of a screen."""
    height: int
    layouts: tuple[Layout, ...]
    least: int
    """Things that can be asked for on a screen, about."""
    most: int
    size: float
    """Of a line of text, in pixels."""
    by_function: float
    """Share of the instructions that say what a thing does rather than what is written on it."""


LEVELS: dict[Level, Difficulty] = {
    "g1": Difficulty(width=160, height=160, layouts=("tiles",), least=4, most=4, size=15, by_function=0),
    "g2": Difficulty(
        width=320, height=320, layouts=("tiles", "dialog", "form", "settings"), least=4, most=5, size=15, by_function=0
    ),
    "g3": Difficulty(
        width=480,
        height=480,
        layouts=("dialog", "form", "settings", "document", "list"),
        least=5,
        most=8,
        size=14,
        by_function=0.4,
    ),
    "g4": Difficulty(
        width=960,
        height=640,
        layouts=("form", "settings", "document", "list", "desk"),
        least=8,
        most=16,
        size=13,
        by_function=0.6,
    ),
    "g5": Difficulty(
        width=1440, height=900, layouts=("document", "list", "desk"), least=16, most=28, size=12, by_function=0.7
    ),
}
