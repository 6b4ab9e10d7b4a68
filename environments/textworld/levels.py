"""Levels by name: what a game of that level is made of, and how many turns an episode of it may have.

The names of custom games are those of "A Practitioner's Guide to Multi-turn Agentic Reinforcement Learning"
(https://arxiv.org/abs/2510.01132); the other kinds are named as TextWorld itself numbers or spells them. An episode may
have about twice as many turns as the shortest way to win takes, which that paper found to be a good budget.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, get_args

from agentgym.errors import ConfigError, did_you_mean

__all__ = ["KINDS", "LADDERS", "Kind", "Level", "level_of"]

Kind: TypeAlias = Literal["custom", "cooking", "treasure-hunter", "coin-collector"]
KINDS: tuple[Kind, ...] = get_args(Kind)

LADDERS: Mapping[Kind, tuple[str, ...]] = {
    "custom": ("w2-o3-q4", "w8-o3-q4", "w2-o12-q4", "w8-o12-q4", "w4-o6-q8"),
    "cooking": (
        "recipe1",
        "recipe1+take1",
        "recipe1+take1+cut",
        "recipe1+take1+cook+cut",
        "recipe2+take2+cook+cut+open",
        "recipe3+take3+cook+cut+open+go6",
        "recipe3+take3+cook+cut+open+go12",
    ),
    "treasure-hunter": ("level1", "level5", "level10", "level13", "level15", "level17", "level20"),
    "coin-collector": ("level1", "level5", "level10", "level20", "level105", "level110", "level210"),
}
"""Kind of game → levels from easy to hard. Others of the same form can be asked for too."""


@dataclasses.dataclass(frozen=True, slots=True)
class Level:
    """One level of one kind of game."""

    kind: Kind
    name: str
    settings: Mapping[str, Any]
    """What the kind's generator is told."""
    max_turns: int


def level_of(kind: Kind, name: str | None = None) -> Level:
    """The level of that name; the easiest where there is no name. Raises ConfigError for another name."""
    name = LADDERS[kind][0] if name is None else name
    read, form = _READERS[kind]
    level = read(name)
    if level is None:
        hint = did_you_mean(name, LADDERS[kind])
        raise ConfigError(f'level is "{name}".{hint} {kind} has {form}, for instance {", ".join(LADDERS[kind])}')
    return level


def _custom(name: str) -> Level | None:
    found = re.fullmatch(r"w([1-9]\d?)-o([1-9]\d?)-q([1-9]\d?)", name)
    if not found:
        return None
    rooms, objects, length = map(int, found.groups())
    settings = {"nb_rooms": rooms, "nb_objects": objects, "quest_length": length}
    return Level("custom", name, settings, max(4, 2 * length))


_SKILLS = re.compile(r"recipe([1-5])(?:\+take([1-5]))?(\+cook)?(\+cut)?(\+open)?(?:\+go(1|6|9|12))?")


def _cooking(name: str) -> Level | None:
    """TextWorld's "drop" (a limited inventory) is left out: its games carry no policy to win by."""
    found = _SKILLS.fullmatch(name)
    if not found:
        return None
    recipe, take, go = int(found[1]), int(found[2] or 0), int(found[6] or 1)
    if take > recipe:
        return None
    skills = {"cook": bool(found[3]), "cut": bool(found[4]), "open": bool(found[5])}
    settings = {"recipe": recipe, "take": take, "go": go, **skills, "drop": False, "recipe_seed": 0}
    kitchen = take + recipe * (skills["cook"] + skills["cut"]) + skills["cut"] + skills["open"]
    shortest = 3 + kitchen + {1: 0, 6: 3, 9: 7, 12: 12}[go]  # 3: read the recipe, prepare and eat; walks are means
    return Level("cooking", name, settings, 2 * shortest)


def _treasure_hunter(name: str) -> Level | None:
    """Quests of 1 to 5, 2 to 10 and 3 to 20 commands in the three tens, as TextWorld grades them.

    It searches long for the last ones: from level 21 on a game may take minutes to make.
    """
    number = _number(name)
    if not 1 <= number <= 30:
        return None
    shortest, longest = ((1, 5), (2, 10), (3, 20))[(number - 1) // 10]
    length = round(shortest + (longest - shortest) * ((number - 1) % 10) / 9)
    return Level("treasure-hunter", name, {"level": number}, max(4, 2 * length))


def _coin_collector(name: str) -> Level | None:
    """A way of 1 to 100 rooms, alone, with as many rooms beside it, or with twice as many; 100 rooms at most."""
    number = _number(name)
    length = (number - 1) % 100 + 1
    if not 1 <= number <= 300 or length * ((number - 1) // 100 + 1) > 100:
        return None
    return Level("coin-collector", name, {"level": number}, max(4, 2 * length))


def _number(name: str) -> int:
    found = re.fullmatch(r"level([1-9]\d{0,2})", name)
    return int(found[1]) if found else 0


_READERS: Mapping[Kind, tuple[Callable[[str], Level | None], str]] = {
    "custom": (_custom, "wROOMS-oOBJECTS-qLENGTH"),
    "cooking": (
        _cooking,
        "recipeN, then any of +takeN (N not above the recipe's) +cook +cut +open +goROOMS (1, 6, 9, 12)",
    ),
    "treasure-hunter": (_treasure_hunter, "level1 to level30"),
    "coin-collector": (_coin_collector, "level1 to level100, level101 to level150 and level201 to level233"),
}
