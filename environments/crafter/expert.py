"""A scripted policy that knows the whole map: what it needs first comes first, and the nearest is good enough.

Each turn it works back from an achievement of the level's goal, by the package's own tables of what uses what, to
something that can be done now: to go somewhere, to gather, to place or to make. It cuts trees and stone that are in its
way, strikes creatures that are, and every zombie beside it, and drinks and eats when it must. It does not flee.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from agentgym.environments.crafter.world import World, package

__all__ = ["Script"]

Place: TypeAlias = tuple[int, int]

_WAYS: dict[str, Place] = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
_LONGEST_WALK = 9
_LOW = 3
"""Of food and drink: what is below makes it eat or drink first."""
_SIGHT = 40
"""Steps; what is farther is not gone to."""


class Script:
    """The policy for one world."""

    def __init__(self, world: World, goal: Sequence[str]) -> None:
        self.world, self.goal = world, goal
        self.constants: Any = package().constants

    def action(self) -> str:
        """What to do now."""
        needs = self._needs()
        if needs is not None:
            return needs
        left = [name for name in self.goal if name.replace(" ", "_") not in self.world.unlocked]
        return self._towards(left[0]) if left else "noop"

    # -- what for ------------------------------------------------------------------------------------

    def _needs(self) -> str | None:
        has = self.world.player.inventory
        x, y = self._position()
        for name, (dx, dy) in _WAYS.items():
            if self.world.at(x + dx, y + dy)[1] == "zombie":
                return "do" if self._ahead() == (x + dx, y + dy) else f"move {name}"
        if has["drink"] < _LOW and self._nearest(self._is("water")):
            return self._use(self._is("water"))
        if has["food"] < _LOW and self._nearest(self._is_creature("cow")):
            return self._use(self._is_creature("cow"))
        return None

    def _towards(self, achievement: str) -> str:
        verb, _, rest = achievement.partition(" ")
        name = rest.replace(" ", "_")
        if verb == "collect":
            return self._collect(name)
        if verb == "place":
            return self._place(name)
        if verb == "make":
            return self._make(name)
        if verb in ("eat", "defeat"):
            return self._place("plant") if name == "plant" else self._use(self._is_creature(name))
        return "sleep"

    def _collect(self, item: str) -> str:
        for material, rule in self.constants.collect.items():
            if item in rule["receive"]:
                for tool in rule["require"]:
                    if not self.world.player.inventory[tool]:
                        return self._make(tool)
                return self._use(self._is(material))
        return "noop"

    def _lacking(self, rule: Any) -> str | None:
        """The first thing that a rule uses and the player has too little of."""
        has = self.world.player.inventory
        return next((item for item, amount in rule["uses"].items() if has[item] < amount), None)

    def _place(self, name: str) -> str:
        rule = self.constants.place[name]
        lacking = self._lacking(rule)
        if lacking is not None:
            return self._collect(lacking)
        material, creature = self.world.at(*self._ahead())
        if creature is None and material in rule["where"]:
            return f"place {name}"
        return self._use(lambda place: self._is_free(place) and self.world.at(*place)[0] in rule["where"], act=False)

    def _make(self, name: str) -> str:
        rule = self.constants.make[name]
        lacking = self._lacking(rule)
        if lacking is not None:
            return self._collect(lacking)
        for station in rule["nearby"]:
            if station not in self._around():
                near = self._nearest(self._is(station))
                return self._walk(near) if near else self._place(station)
        return f"make {name.replace('_', ' ')}"

    # -- where to ------------------------------------------------------------------------------------

    def _position(self) -> Place:
        x, y = self.world.player.pos
        return int(x), int(y)

    def _ahead(self) -> Place:
        (x, y), (dx, dy) = self._position(), self.world.player.facing
        return x + int(dx), y + int(dy)

    def _around(self) -> set[str | None]:
        x, y = self._position()
        return {self.world.at(x + dx, y + dy)[0] for dx in (-1, 0, 1) for dy in (-1, 0, 1)}

    def _is(self, material: str) -> Callable[[Place], bool]:
        return lambda place: self.world.at(*place) == (material, None)

    def _is_creature(self, name: str) -> Callable[[Place], bool]:
        return lambda place: self.world.at(*place)[1] == name

    def _is_free(self, place: Place) -> bool:
        material, creature = self.world.at(*place)
        return creature is None and material in self.constants.walkable

    def _cost(self, place: Place) -> float | None:
        """Turns to step there, or None where one cannot or should not."""
        material, creature = self.world.at(*place)
        if creature in ("cow", "zombie", "skeleton"):
            return 6
        if creature is not None:
            return None
        if material in self.constants.walkable:
            return 1
        rule = self.constants.collect.get(material)
        if rule is None or rule["leaves"] not in self.constants.walkable:
            return None
        has = self.world.player.inventory
        return 3 if all(has[tool] for tool in rule["require"]) else None

    def _nearest(self, wanted: Callable[[Place], bool]) -> list[Place] | None:
        """The cheapest way to a place that is wanted: the places from the first step to that one, or None."""
        start = self._position()
        best: dict[Place, float] = {start: 0}
        before: dict[Place, Place] = {}
        heap: list[tuple[float, Place]] = [(0, start)]
        while heap:
            spent, place = heapq.heappop(heap)
            if spent > best[place] or spent > _SIGHT:
                continue
            if place != start and wanted(place):
                return _unrolled(place, start, before)
            cost = 0 if place == start else self._cost(place)
            if cost is None:
                continue
            for dx, dy in _WAYS.values():
                there = (place[0] + dx, place[1] + dy)
                step = self._cost(there)
                if step is None and not wanted(there):
                    continue
                total = spent + (step or 1)
                if total < best.get(there, float("inf")):
                    best[there], before[there] = total, place
                    heapq.heappush(heap, (total, there))
        return None

    # -- how -----------------------------------------------------------------------------------------

    def _use(self, wanted: Callable[[Place], bool], *, act: bool = True) -> str:
        """Go to the nearest such place and strike or take what is there; without ``act``, face it only."""
        if act and wanted(self._ahead()):
            return "do"
        way = self._nearest(wanted)
        return self._walk(way) if way else self._explore()

    def _walk(self, way: Sequence[Place]) -> str:
        """Along a way, as far as it is straight and free; what is in the way is removed."""
        first = way[0]
        x, y = self._position()
        direction = next(name for name, (dx, dy) in _WAYS.items() if (x + dx, y + dy) == first)
        if not self._is_free(first):
            return "do" if self._ahead() == first else f"move {direction}"
        dx, dy = _WAYS[direction]
        steps = 0
        for place in way[:-1] if len(way) > 1 else way:
            if place != (x + dx * (steps + 1), y + dy * (steps + 1)) or not self._is_free(place):
                break
            steps += 1
        return f"move {direction} {min(steps, _LONGEST_WALK)}" if steps > 1 else f"move {direction}"

    def _explore(self) -> str:
        """Nothing is in reach: wander to the nearest free place that is some steps away."""
        start = self._position()
        way = self._nearest(lambda place: abs(place[0] - start[0]) + abs(place[1] - start[1]) >= 8)
        return self._walk(way) if way else "noop"


def _unrolled(place: Place, start: Place, before: dict[Place, Place]) -> list[Place]:
    way = [place]
    while before[way[-1]] != start:
        way.append(before[way[-1]])
    return way[::-1]
