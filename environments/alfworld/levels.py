"""The six task types, and a ladder of them by type and size of the room."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal, TypeAlias

from agentgym.errors import ConfigError, did_you_mean

__all__ = ["LEVELS", "TYPES", "Level", "LevelName", "types_named"]

TYPES = {
    "place": "pick_and_place_simple",
    "look": "look_at_obj_in_light",
    "clean": "pick_clean_then_place_in_recep",
    "heat": "pick_heat_then_place_in_recep",
    "cool": "pick_cool_then_place_in_recep",
    "two": "pick_two_obj_and_place",
}
"""Short name → name in the data sets."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What is asked, and how large generated rooms are."""

    types: tuple[str, ...]
    """Keys of ``TYPES``."""
    num_receptacles: int
    num_kinds: int
    """Kinds of things that lie about."""
    max_turns: int
    """Turns that an episode of a generated game may have."""


LevelName: TypeAlias = Literal["place", "treat", "two", "mixed", "large"]
LEVELS: dict[LevelName, Level] = {
    "place": Level(types=("place", "look"), num_receptacles=6, num_kinds=5, max_turns=20),
    "treat": Level(types=("clean", "heat", "cool"), num_receptacles=8, num_kinds=6, max_turns=25),
    "two": Level(types=("two",), num_receptacles=8, num_kinds=6, max_turns=30),
    "mixed": Level(types=tuple(TYPES), num_receptacles=10, num_kinds=8, max_turns=25),
    "large": Level(types=tuple(TYPES), num_receptacles=18, num_kinds=14, max_turns=50),
}
"""Name → level; of official games a level chooses the types, for their rooms are as they are."""


def types_named(names: str | Sequence[str] | None, level: Level) -> tuple[str, ...]:
    """Those of a level's types that ``names`` (a list, or text with commas) leaves. Raises ConfigError."""
    if names is None:
        return level.types
    wanted = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    short = {**{name: name for name in TYPES}, **{long: name for name, long in TYPES.items()}}
    for name in wanted:
        if name not in short:
            raise ConfigError(f'types has "{name}".{did_you_mean(str(name), short)} Known: {", ".join(TYPES)}')
    chosen = {short[name] for name in wanted}
    left = tuple(type for type in level.types if type in chosen)
    if not left:
        raise ConfigError(
            f"types is {', '.join(wanted)}, of which the level has none; it has {', '.join(level.types)}: "
            'choose among these, or the level "mixed", which has all'
        )
    return left
