"""How hard it is: how much is on the phone, and how many apps and steps a task takes."""

from __future__ import annotations

import dataclasses
from typing import Literal, TypeAlias

__all__ = ["LEVELS", "Difficulty", "Level"]

Level: TypeAlias = Literal["a1", "a2", "a3"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Difficulty:
    """What a level is made of."""

    max_turns: int
    """That an episode may have: about twice what the expert takes for the longest task."""
    contacts: int
    alarms: int
    threads: int
    """Conversations among the messages."""
    notes: int
    todos: int


LEVELS: dict[Level, Difficulty] = {
    "a1": Difficulty(max_turns=10, contacts=5, alarms=3, threads=2, notes=3, todos=3),
    "a2": Difficulty(max_turns=16, contacts=8, alarms=4, threads=4, notes=4, todos=4),
    "a3": Difficulty(max_turns=36, contacts=14, alarms=5, threads=6, notes=6, todos=6),
}
"""One app and a few taps; one app and a form; two apps or three."""
