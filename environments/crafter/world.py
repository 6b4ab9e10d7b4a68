"""The package ``crafter`` (MIT), imported on use: its world, made repeatable and quick to copy.

Departs from ``crafter.Env`` in three things. No image is drawn, which takes most of the time of a step; at night the
package draws noise for its image from the world's random numbers, so from the first dusk on an episode is another one
than with images, by the same rules. The creatures of a region are kept in the order in which they came: the package
keeps them in a set, whose order is that of memory addresses, and draws from it, so that the same seed and actions need
not lead to the same episode. And worlds that were made are kept for a while, because to make one takes up to a second.
"""

from __future__ import annotations

import collections
import copy
import functools
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from agentgym.extras import require

__all__ = ["ACTIONS", "World", "package"]

ACTIONS = (
    "noop",
    "move left",
    "move right",
    "move up",
    "move down",
    "do",
    "sleep",
    "place stone",
    "place table",
    "place furnace",
    "place plant",
    "make wood pickaxe",
    "make stone pickaxe",
    "make iron pickaxe",
    "make wood sword",
    "make stone sword",
    "make iron sword",
)
"""In the package's order."""

_KEPT = 64
"""Worlds."""


@functools.cache
def package() -> Any:
    """The package. Raises MissingExtraError."""
    return require("crafter", extra="crafter")


class _InOrder(dict[Any, None]):
    """A set that keeps the order in which its elements came."""

    def add(self, element: Any) -> None:
        self[element] = None

    def remove(self, element: Any) -> None:
        del self[element]


class World:
    """One episode of Crafter."""

    def __init__(self) -> None:
        self.env: Any = package().Env(seed=0)
        self.env._obs = lambda: None  # what step draws and would return

    def reset(self, seed: int) -> None:
        """Start in the world of that seed."""
        with _lock:
            made = _made.get(seed)
        if made is not None:
            self.state = made
            return
        self.env._seed, self.env._episode = seed, 0
        self.env.reset()
        world = self.env._world
        places = {creature: place for place, creature in enumerate(world.objects)}
        world._chunks = _chunks_of({key: sorted(ones, key=places.__getitem__) for key, ones in world.chunks.items()})
        with _lock:
            _made[seed] = self.state
            while len(_made) > _KEPT:
                _made.popitem(last=False)

    def step(self, action: int) -> set[str]:
        """One step. Returns the achievements that are new."""
        before = set(self.env._unlocked)
        self.env.step(action)
        return set(self.env._unlocked) - before

    @property
    def state(self) -> dict[str, Any]:
        """A copy of all that changes."""
        return _copied({name: getattr(self.env, name) for name in _CHANGING})

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        for name, value in _copied(state).items():
            setattr(self.env, name, value)
        self.env._sem_view._world = self.env._world

    @property
    def player(self) -> Any:
        """The package's player: pos, facing, inventory, sleeping, achievements, health."""
        return self.env._player

    @property
    def unlocked(self) -> set[str]:
        """Achievements so far, by the package's names."""
        return set(self.env._unlocked)

    def at(self, x: int, y: int) -> tuple[str | None, str | None]:
        """Material and creature of a place; (None, None) outside."""
        material, creature = self.env._world[x, y]
        return material, type(creature).__name__.lower() if creature is not None else None

    def ripe(self, x: int, y: int) -> bool:
        """Whether a ripe plant is there."""
        return bool(getattr(self.env._world[x, y][1], "ripe", False))

    @property
    def daylight(self) -> float:
        """From 0 to 1."""
        return float(self.env._world.daylight)

    def places(self) -> Iterator[tuple[int, int]]:
        """Every place of the map."""
        width, height = self.env._area
        return ((x, y) for x in range(width) for y in range(height))


_made: collections.OrderedDict[int, dict[str, Any]] = collections.OrderedDict()
"""Seed → state at the beginning of its episode."""
_lock = threading.Lock()

_CHANGING = ("_world", "_player", "_step", "_last_health", "_unlocked", "_episode")


def _chunks_of(regions: dict[Any, list[Any]]) -> Any:
    """The package's regions, in order; one that was left by all still counts, new creatures may come there."""
    chunks: Any = collections.defaultdict(_InOrder)
    for key, creatures in regions.items():
        chunks[key] = _InOrder.fromkeys(creatures)
    return chunks


def _copied(state: dict[str, Any]) -> dict[str, Any]:
    """What ``copy.deepcopy`` would give, ten times as fast.

    The world, its creatures and its random numbers refer to one another; all else that they have is a number, an array,
    a flat dict, or does not change.
    """
    world = state["_world"]
    twins = {id(thing): object.__new__(type(thing)) for thing in (world, *world.objects)}
    twins[id(world.random)] = copy.deepcopy(world.random)

    def twin(value: Any) -> Any:
        if id(value) in twins:
            return twins[id(value)]
        return value.copy() if isinstance(value, np.ndarray | dict | set) else value

    for thing in (world, *world.objects):
        twins[id(thing)].__dict__.update({name: twin(value) for name, value in vars(thing).items()})
    copied = twins[id(world)]
    copied._objects = [twin(creature) for creature in world._objects]
    copied._chunks = _chunks_of({key: [twin(one) for one in ones] for key, ones in world._chunks.items()})
    return {name: twin(value) for name, value in state.items()}
