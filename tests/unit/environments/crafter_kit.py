"""A meadow made by hand on the package's world, in milliseconds: grass everywhere, the player in the middle, noon."""

from __future__ import annotations

from typing import Any

from agentgym.environments.crafter import Crafter
from agentgym.environments.crafter.levels import LevelName
from agentgym.environments.crafter.world import World, package

Place = tuple[int, int]


def empty() -> World:
    """Without the package's generator, which takes a second."""
    made = World()
    env, objects = made.env, package().objects
    env._world.reset(seed=0)
    for x, y in made.places():
        env._world[x, y] = "grass"
    env._step, env._episode, env._last_health, env._unlocked = 0, 1, 9, set()
    env._player = objects.Player(env._world, (32, 32))
    env._world.add(env._player)
    env._world.daylight = 1.0
    made.state = made.state  # as a world that comes out of the store
    return made


def meadow(level: LevelName = "full", *, has: dict[str, int] | None = None, **places: Place) -> Crafter:
    """An environment there, with materials and creatures at offsets from the player, who faces down and ``has`` things.

    Of several of a kind the names end with numbers: ``tree_2``.
    """
    env = Crafter(level=level)
    env.world = world = empty()
    world.reset = lambda seed: None  # type: ignore[method-assign]  # for the one reset that an episode begins with
    env.reset(seed=0)
    del world.reset
    for name, offset in places.items():
        put(env, name.rstrip("_23456789"), offset)
    env.world.player.inventory.update(has or {})
    return env


def put(env: Crafter, name: str, offset: Place) -> Any:
    """A material or a creature at an offset from the player."""
    x, y = env.world.player.pos
    place, inner, objects = (int(x) + offset[0], int(y) + offset[1]), env.world.env._world, package().objects
    creature = getattr(objects, name.title(), None)
    if creature is None:
        inner[place] = name
        return None
    made = creature(inner, place, env.world.player) if name in ("zombie", "skeleton") else creature(inner, place)
    inner.add(made)
    return made
