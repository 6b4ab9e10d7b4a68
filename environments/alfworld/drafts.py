"""A generated game before it is written down: which room, what is in it, what is asked; and its PDDL.

Rooms are bounded: so many receptacles and kinds of things as the level says, among them what the task needs. Every kind
is there once, but for the one that is asked for: of that there may be a second one (a third with two to bring).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from agentgym.environments.alfworld.levels import TYPES, Level
from agentgym.environments.alfworld.packages import alfworld
from agentgym.environments.alfworld.rooms import Room, contents, kinds_with, rooms_of, scene_kinds

__all__ = ["Draft", "draw"]

T = TypeVar("T")

_TREATED = {"clean": ("Cleanable", "SinkBasin"), "heat": ("Heatable", "Microwave"), "cool": ("Coolable", "Fridge")}
_LAMP = "DeskLamp"
_LAMP_STANDS = ("Desk", "SideTable", "Dresser", "CoffeeTable", "DiningTable")
_PROPERTIES = {"Cleanable": "cleanable", "Heatable": "heatable", "Coolable": "coolable", "Sliceable": "sliceable"}


@dataclasses.dataclass(slots=True, kw_only=True)
class Draft:
    """A game as lists of names; a thing's name is its kind and a number."""

    type: str
    """A key of ``levels.TYPES``."""
    room: Room
    thing: str
    """The kind that is asked for."""
    target: str
    """The kind of receptacle where it belongs, or the lamp."""
    receptacles: list[str]
    """Kinds, as often as they are there."""
    places: list[tuple[str, int]]
    """Each thing's kind, and the index of the receptacle that it is in."""

    def sentence(self, rng: np.random.Generator) -> str:
        """The task in one of the package's wordings."""
        template: str = _choice(rng, self._goal()["templates"])
        return template.format(**{slot: kind.lower() for slot, kind in self._slots().items()})

    def problem(self) -> str:
        """The game as a PDDL problem."""
        names = [_receptacle(kind, number) for number, kind in enumerate(self.receptacles)]
        things = [(kind, f"{kind}_bar_{number:02d}", place) for number, (kind, place) in enumerate(self.places)]
        kinds = sorted({kind for kind, _ in self.places})
        objects = [
            "agent1 - agent",
            *(f"{name} - object" for _, name, _ in things),
            *(f"{kind}Type - otype" for kind in kinds),
            *(f"{name} - receptacle" for name in names),
            *(f"{kind}Type - rtype" for kind in sorted(set(self.receptacles))),
            *(f"loc_bar_{number} - location" for number in range(len(names) + 1)),
        ]
        facts = ["atLocation agent1 loc_bar_0", *_facts_of_receptacles(self.receptacles, names, kinds)]
        for kind, name, place in things:
            facts += _facts_of_thing(kind, name, names[place], place)
        goal = self._goal()["pddl"].format(**self._slots()).replace("#", "-")
        lines = "\n".join(f"    ({fact})" for fact in facts)
        return (
            f"(define (problem room_{self.room.number})\n(:domain alfred)\n(:objects\n    "
            + "\n    ".join(objects)
            + f"\n)\n(:init\n{lines}\n)\n{goal}"
        )

    def _goal(self) -> dict[str, Any]:
        goal: dict[str, Any] = alfworld("gen.goal_library").gdict[TYPES[self.type]]
        return goal

    def _slots(self) -> dict[str, str]:
        return {"obj": self.thing, "recep": self.target, "toggle": self.target, "mrecep": ""}


def draw(type: str, split: str, level: Level, rng: np.random.Generator) -> Draft:
    """A game of a task type in a room of a split; solvable by its making."""
    while True:  # ends: every split has rooms for every type
        room = _choice(rng, rooms_of(_choice(rng, scene_kinds(TYPES[type])), split))
        draft = _in_room(type, room, level, rng)
        if draft is not None:
            return draft


def _in_room(type: str, room: Room, level: Level, rng: np.random.Generator) -> Draft | None:
    """A draft in ``room``; None when what was drawn cannot be done there."""
    property, tool = _TREATED.get(type, ("", ""))
    movable = [kind for kind in room.things if any(kind in contents()[place] for place in set(room.receptacles))]
    things = [kind for kind in movable if not property or kind in kinds_with(property)]
    if not things or (type == "look" and _LAMP not in room.things) or (tool and tool not in room.receptacles):
        return None
    thing = _choice(rng, things)
    homes = sorted(kind for kind in set(room.receptacles) if thing in contents()[kind])
    targets = [kind for kind in _LAMP_STANDS if kind in room.receptacles] if type == "look" else homes
    targets = [kind for kind in targets if kind != tool]
    if not targets:
        return None
    target = _choice(rng, targets)
    sources = [kind for kind in homes if type == "look" or kind != target]
    if not sources:
        return None
    needed = [target, *([tool] if tool else []), _choice(rng, sources)]
    receptacles = _filled_up(needed, room, level.num_receptacles, rng)
    draft = Draft(type=type, room=room, thing=thing, target=target, receptacles=receptacles, places=[])
    _place(draft, movable, sources, level, rng)
    if type == "look":
        draft.places.append((_LAMP, receptacles.index(target)))
        draft.target = _LAMP
    return draft


def _filled_up(needed: list[str], room: Room, count: int, rng: np.random.Generator) -> list[str]:
    """The kinds that are needed, and others of the room up to ``count``, in alphabetical order."""
    spare = list(room.receptacles)
    chosen = list(dict.fromkeys(needed))
    for kind in chosen:
        spare.remove(kind)
    more = rng.permutation(len(spare))[: max(0, count - len(chosen))]
    return sorted([*chosen, *(spare[index] for index in more)])


def _place(draft: Draft, movable: list[str], sources: list[str], level: Level, rng: np.random.Generator) -> None:
    """Put things into receptacles: those that are asked for into ``sources``, the others wherever they fit."""
    num_asked = int(rng.integers(1, 3)) + (draft.type == "two")
    kinds = [draft.thing] * num_asked
    others = [kind for kind in movable if kind != draft.thing]
    kinds += [others[index] for index in rng.permutation(len(others))[: level.num_kinds - 1]]
    for kind in kinds:
        fits = [
            number
            for number, receptacle in enumerate(draft.receptacles)
            if (receptacle in sources if kind == draft.thing else True) and kind in contents()[receptacle]
        ]
        if fits:
            draft.places.append((kind, int(_choice(rng, fits))))


def _receptacle(kind: str, number: int) -> str:
    """The name of a receptacle; basins are named as parts of a fixture, which is how the package recognizes them."""
    fixture = kind.removesuffix("Basin")
    return f"{fixture}_bar_{number:02d}" + (f"_bar_{kind}" if fixture != kind else "")


def _facts_of_receptacles(receptacles: list[str], names: list[str], kinds: list[str]) -> list[str]:
    openable = alfworld("gen.constants").OPENABLE_CLASS_SET
    facts = []
    for number, (kind, name) in enumerate(zip(receptacles, names, strict=True), 1):
        facts += [f"receptacleType {name} {kind}Type", f"receptacleAtLocation {name} loc_bar_{number}"]
        if kind in openable:
            facts.append(f"openable {name}")
    return facts + [
        f"canContain {receptacle}Type {kind}Type"
        for receptacle in sorted(set(receptacles))
        for kind in kinds
        if kind in contents()[receptacle]
    ]


def _facts_of_thing(kind: str, name: str, receptacle: str, place: int) -> list[str]:
    facts = [
        f"objectType {name} {kind}Type",
        f"inReceptacle {name} {receptacle}",
        f"objectAtLocation {name} loc_bar_{place + 1}",
        f"toggleable {name}" if kind == _LAMP else f"pickupable {name}",
    ]
    if kind in alfworld("gen.constants").MOVABLE_RECEPTACLES_SET:
        facts.append(f"isReceptacleObject {name}")
    return facts + [f"{fact} {name}" for property, fact in _PROPERTIES.items() if kind in kinds_with(property)]


def _choice(rng: np.random.Generator, options: Sequence[T]) -> T:
    return options[int(rng.integers(len(options)))]
