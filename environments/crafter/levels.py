"""What each level asks for: some of Crafter's 22 achievements, and the turns that an episode may have."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

__all__ = ["ACHIEVEMENTS", "LEVELS", "Level", "LevelName"]

ACHIEVEMENTS = (
    "collect coal",
    "collect diamond",
    "collect drink",
    "collect iron",
    "collect sapling",
    "collect stone",
    "collect wood",
    "defeat skeleton",
    "defeat zombie",
    "eat cow",
    "eat plant",
    "make iron pickaxe",
    "make iron sword",
    "make stone pickaxe",
    "make stone sword",
    "make wood pickaxe",
    "make wood sword",
    "place furnace",
    "place plant",
    "place stone",
    "place table",
    "wake up",
)
"""All that the package counts."""


class Level(NamedTuple):
    """One rung."""

    goal: tuple[str, ...]
    """Achievements that make an episode a success."""
    turns: int
    has_expert: bool = True
    """Whether the scripted expert reaches the goal in nine of ten episodes."""


LevelName: TypeAlias = Literal["wood", "table", "pickaxe", "meadow", "stone", "stone-tools", "furnace", "iron", "full"]
LEVELS: dict[LevelName, Level] = {
    "wood": Level(("collect wood",), 10),
    "table": Level(("collect wood", "place table"), 20),
    "pickaxe": Level(("place table", "make wood pickaxe"), 30),
    "meadow": Level(("collect wood", "collect drink", "collect sapling", "place plant", "eat cow"), 100),
    "stone": Level(("make wood pickaxe", "collect stone", "place stone"), 80),
    "stone-tools": Level(("make wood pickaxe", "make wood sword", "make stone pickaxe", "make stone sword"), 120),
    "furnace": Level(("make stone pickaxe", "collect coal", "place furnace"), 160),
    "iron": Level(("collect iron", "make iron pickaxe"), 240, has_expert=False),
    "full": Level(ACHIEVEMENTS, 1000, has_expert=False),
}
"""Name → level. The last two are beyond the expert's script, or too often fatal for it."""
