"""The rooms of ALFRED as the installed package lists them: 30 of each kind, with their receptacles and things.

The splits have rooms of their own. As in the official release rooms 1 to 6 of a kind are for the test; other than there
the validation has rooms of its own as well, 27 to 30.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping

from agentgym.environments.alfworld.packages import alfworld, package_folder

__all__ = ["Room", "contents", "kinds_with", "rooms_of", "scene_kinds"]

_NUMBERS = {"train": range(7, 27), "validation": range(27, 31), "test": range(1, 7)}
_BASINS = {"Sink": "SinkBasin", "Bathtub": "BathtubBasin"}
"""What the container part of a fixture is called as a type."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """One room."""

    number: int
    things: tuple[str, ...]
    """Kinds of things that can be in it."""
    receptacles: tuple[str, ...]
    """Kinds of receptacles, as often as they are there."""


@functools.cache
def contents() -> Mapping[str, frozenset[str]]:
    """Kind of receptacle → kinds of things that it takes, without those that are carried about themselves."""
    constants = alfworld("gen.constants")
    held = constants.VAL_RECEPTACLE_OBJECTS
    return {kind: frozenset(held[kind]) for kind in sorted(held) if kind not in constants.MOVABLE_RECEPTACLES_SET}


@functools.cache
def kinds_with(property: str) -> frozenset[str]:
    """Kinds of things that are "Cleanable", "Heatable", "Coolable", "Sliceable" or "Toggleable"."""
    return frozenset(alfworld("gen.constants").VAL_ACTION_OBJECTS[property])


def scene_kinds(task_type: str) -> list[str]:
    """Kinds of rooms that have tasks of a type, by its name in the data sets."""
    return sorted(alfworld("gen.constants").GOALS_VALID[task_type])


@functools.cache
def rooms_of(kind: str, split: str) -> tuple[Room, ...]:
    """The rooms of a kind, such as "Kitchen", that a split has."""
    first = alfworld("gen.constants").SCENE_TYPE[kind][0] - 1
    return tuple(_room(first + number) for number in _NUMBERS[split])


def _room(number: int) -> Room:
    folder = package_folder() / "gen" / "layouts"
    kinds = json.loads((folder / f"FloorPlan{number}-objects.json").read_text())
    placed = json.loads((folder / f"FloorPlan{number}-openable.json").read_text())
    receptacles = [_BASINS.get(id.split("|")[0], id.split("|")[0]) for id in placed]
    receptacles += [kind for kind in kinds if kind not in receptacles]
    return Room(
        number=number,
        things=tuple(sorted(kinds)),
        receptacles=tuple(sorted(kind for kind in receptacles if kind in contents())),
    )
