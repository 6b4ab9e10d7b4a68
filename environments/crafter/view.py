"""What the player sees, in text: the nearest of each kind in the package's view of 9 by 7 places.

Told are what is faced, what is seen (by the way from the player, nearest first), what the player has, and the hour. The
package's image is noisy at night; the text is not::

    facing grass. see tree 2 left 1 up, cow 3 right. health 9, food 9, drink 9, energy 9, wood 2. day.

With ``map``, the places are shown as letters instead, row by row; a capital stands for a creature.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from agentgym.environments.crafter.world import World

__all__ = ["View", "seen"]

View: TypeAlias = Literal["nearest", "map"]

_WIDTH, _HEIGHT = 9, 7
_OFFSETS = sorted(
    ((dx, dy) for dx in range(-(_WIDTH // 2), _WIDTH // 2 + 1) for dy in range(-(_HEIGHT // 2), _HEIGHT // 2 + 1)),
    key=lambda offset: (abs(offset[0]) + abs(offset[1]), offset),
)
_LETTERS = {
    "water": "w", "grass": ".", "stone": "s", "path": "_", "sand": ",", "tree": "t", "lava": "l", "coal": "c",
    "iron": "i", "diamond": "d", "table": "b", "furnace": "f",
}  # fmt: skip
_CREATURES = {"cow": "C", "zombie": "Z", "skeleton": "S", "arrow": "A", "plant": "P"}


def seen(world: World, view: str) -> str:
    """Text of the moment."""
    x, y = map(int, world.player.pos)
    facing = _named(world, x + int(world.player.facing[0]), y + int(world.player.facing[1]))
    shown = f"map\n{_map(world, x, y)}\n" if view == "map" else f"see {_nearest(world, x, y)}. "
    has = ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in world.player.inventory.items() if number)
    hour = "asleep" if world.player.sleeping else "day" if world.daylight > 0.5 else "night"
    return f"facing {facing}. {shown}{has}. {hour}."


def _named(world: World, x: int, y: int) -> str:
    material, creature = world.at(x, y)
    if creature == "plant":
        return "ripe plant" if world.ripe(x, y) else "sapling"
    return creature or material or "edge"


def _nearest(world: World, x: int, y: int) -> str:
    found: dict[str, str] = {}
    for dx, dy in _OFFSETS[1:]:
        name = _named(world, x + dx, y + dy)
        if name not in found and name not in ("grass", "edge"):
            found[name] = f"{name} {_way(dx, dy)}"
    return ", ".join(found.values()) or "grass"


def _way(dx: int, dy: int) -> str:
    """The way to an offset.

    >>> _way(-2, 1), _way(0, -3)
    ('2 left 1 down', '3 up')
    """
    aside = [f"{abs(dx)} {'left' if dx < 0 else 'right'}"] if dx else []
    return " ".join([*aside, *([f"{abs(dy)} {'up' if dy < 0 else 'down'}"] if dy else [])])


def _map(world: World, x: int, y: int) -> str:
    def letter(dx: int, dy: int) -> str:
        if (dx, dy) == (0, 0):
            return "@"
        material, creature = world.at(x + dx, y + dy)
        return _CREATURES[creature] if creature else _LETTERS.get(material or "", "#")

    rows = range(-(_HEIGHT // 2), _HEIGHT // 2 + 1)
    columns = range(-(_WIDTH // 2), _WIDTH // 2 + 1)
    return "\n".join("".join(letter(dx, dy) for dx in columns) for dy in rows)
