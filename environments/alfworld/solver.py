"""A plan from any state, by somebody who sees everything.

Fast-downward needs seconds for one plan in a room of the official games, and minutes for some with two things to bring
(in one room 63 s, in another more than 5 minutes). But a goal of ALFWorld is one of six, and every object and place is
known from the state: so the plan is written down, for every object and every receptacle that would do, and the shortest
one is taken. It is a shortest plan where the hand is empty; where it is not, the thing held is put down at the first
place that takes it.

Commands are in the words of the installed grammar, ``move X to Y``.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Mapping

from agentgym.environments.alfworld.world import Fact

__all__ = ["Goal", "Household", "read_goal", "shortest_plan"]

_TREATMENTS = {
    "isclean": ("clean", "sinkbasintype"),
    "ishot": ("heat", "microwavetype"),
    "iscool": ("cool", "fridgetype"),
}
"""Predicate → verb, and type of the receptacle where it is done."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What one of the six goals asks for; types are in lower case and end in "type"."""

    thing: str
    receptacle: str = ""
    """Where it belongs; empty where it shall be looked at."""
    lamp: str = ""
    """The light to look at it in."""
    treatment: str = ""
    """A predicate of ``_TREATMENTS``, or empty."""
    count: int = 1


def read_goal(problem: str) -> Goal | None:
    """The goal of a PDDL problem; None when it is none of the six."""
    text = problem.lower().partition("(:goal")[2]
    things = re.findall(r"\(objecttype \?\w+ (\w+)\)", text)
    receptacles = set(re.findall(r"\(receptacletype \?\w+ (\w+)\)", text))
    treatments = [name for name in _TREATMENTS if f"({name} " in text]
    two = "(not (=" in text
    if "(issliced" in text or "(inreceptacleobject" in text or len(receptacles) > 1 or len(treatments) > 1:
        return None
    if "(istoggled" in text and "(holds" in text and len(things) == 2:
        return Goal(lamp=things[0], thing=things[1])
    if len(things) != 1 + two or len(set(things)) > 1 or not receptacles:
        return None
    return Goal(thing=things[0], receptacle=receptacles.pop(), treatment="".join(treatments), count=1 + two)


class Household:
    """Where everything is, and one agent that acts on it: each act adds the commands that it takes."""

    def __init__(self, facts: set[Fact], names: Mapping[str, str]) -> None:
        self._names, self._facts = names, facts
        self.location = _pairs(facts, "receptacleatlocation")
        self.type_of = {**_pairs(facts, "objecttype"), **_pairs(facts, "receptacletype")}
        self.inside = _pairs(facts, "inreceptacle")
        self.held = next(iter(_pairs(facts, "holds").values()), None)
        self.here = next(iter(_pairs(facts, "atlocation").values()))
        self.closed = {fact[1] for fact in facts if fact[0] == "openable" and ("opened", fact[1]) not in facts}
        self.plan: list[str] = []

    def copy(self) -> Household:
        """The same at this moment; acting on one leaves the other."""
        other = object.__new__(Household)
        other.__dict__.update(self.__dict__)
        other.inside, other.closed, other.plan = dict(self.inside), set(self.closed), list(self.plan)
        return other

    def all_of(self, type: str) -> list[str]:
        """Things or receptacles of a type."""
        return [id for id, its in self.type_of.items() if its == type and (id in self.location or self.is_there(id))]

    def is_there(self, thing: str) -> bool:
        """Whether a thing is held or lies in a receptacle."""
        return thing == self.held or thing in self.inside

    def holds_true(self, predicate: str, *arguments: str) -> bool:
        """Whether that is a fact at the beginning."""
        return (predicate, *arguments) in self._facts

    def takes(self, receptacle: str, thing: str) -> bool:
        """Whether a thing of that kind may be put there."""
        return self.holds_true("cancontain", self.type_of[receptacle], self.type_of.get(thing, ""))

    def go(self, receptacle: str) -> None:
        """Be where a receptacle is."""
        if self.here != self.location[receptacle]:
            self._act(f"go to {self._names[receptacle]}")
            self.here = self.location[receptacle]

    def reach_into(self, receptacle: str) -> None:
        """Be there, with the receptacle open."""
        self.go(receptacle)
        if receptacle in self.closed:
            self._act(f"open {self._names[receptacle]}")
            self.closed.discard(receptacle)

    def fetch(self, thing: str) -> bool:
        """Have a thing in the hand; False where what is in it cannot be put down anywhere."""
        if self.held == thing:
            return True
        if self.held is not None and not self._put_down():
            return False
        receptacle = self.inside.pop(thing)
        self.reach_into(receptacle)
        self._act(f"take {self._names[thing]} from {self._names[receptacle]}")
        self.held = thing
        return True

    def put(self, receptacle: str) -> None:
        """Put what is held into a receptacle."""
        assert self.held is not None
        self.reach_into(receptacle)
        self._act(f"move {self._names[self.held]} to {self._names[receptacle]}")
        self.inside[self.held], self.held = receptacle, None

    def treat(self, verb: str, receptacle: str) -> None:
        """Clean, heat or cool what is held."""
        assert self.held is not None
        self.go(receptacle)
        self._act(f"{verb} {self._names[self.held]} with {self._names[receptacle]}")

    def use(self, lamp: str) -> None:
        """Turn a lamp on."""
        self.go(self.inside[lamp])
        self._act(f"use {self._names[lamp]}")

    def _put_down(self) -> bool:
        assert self.held is not None
        places = [receptacle for receptacle in self.location if self.takes(receptacle, self.held)]
        if places:
            self.put(min(places, key=self._effort))
        return bool(places)

    def _effort(self, receptacle: str) -> int:
        return (self.location[receptacle] != self.here) + (receptacle in self.closed)

    def _act(self, command: str) -> None:
        self.plan.append(command)


def _pairs(facts: set[Fact], predicate: str) -> dict[str, str]:
    """First argument → second one, in alphabetical order."""
    return {fact[1]: fact[2] for fact in sorted(fact for fact in facts if fact[0] == predicate)}


def shortest_plan(home: Household, goal: Goal) -> list[str] | None:
    """Commands that reach ``goal``; None where no way is known."""
    ways = _looks(home, goal) if goal.lamp else _deliveries(home, goal)
    return min(ways, key=len, default=None)


def _looks(home: Household, goal: Goal) -> Iterator[list[str]]:
    for thing, lamp in itertools.product(home.all_of(goal.thing), home.all_of(goal.lamp)):
        way = home.copy()
        if lamp not in home.inside or not way.fetch(thing):
            continue
        if home.holds_true("istoggled", lamp):
            way.go(home.inside[lamp])
        else:
            way.use(lamp)
        yield way.plan


def _deliveries(home: Household, goal: Goal) -> Iterator[list[str]]:
    for receptacle in home.all_of(goal.receptacle):
        things = [thing for thing in home.all_of(goal.thing) if home.takes(receptacle, thing)]
        for chosen in itertools.permutations(things, goal.count):
            for tool in _tools(home, goal, chosen[0]):
                way = home.copy()
                if all(_deliver(way, thing, receptacle, goal, tool) for thing in chosen):
                    yield way.plan


def _tools(home: Household, goal: Goal, thing: str) -> list[str]:
    """Where the treatment can be done; one empty name where none is needed."""
    if not goal.treatment or home.holds_true(goal.treatment, thing):
        return [""]
    able = home.holds_true(goal.treatment.removeprefix("is").replace("hot", "heat") + "able", thing)
    return home.all_of(_TREATMENTS[goal.treatment][1]) if able else []


def _deliver(way: Household, thing: str, receptacle: str, goal: Goal, tool: str) -> bool:
    if way.inside.get(thing) == receptacle and not tool:
        return True
    if not way.fetch(thing):
        return False
    if tool:
        way.treat(_TREATMENTS[goal.treatment][0], tool)
    way.put(receptacle)
    return True
