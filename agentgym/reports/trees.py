"""The tree that the lines of one group form, rebuilt from their records, and which groups of a run have one.

A line says in its record where it branched off (``parent_id``, ``branch_turn``), and has the turns before that too.
Here each turn is one **moment**, of the line that sampled it, with all lines that go through it; whose it is, and what
stands in for a parent that is not on record, is ``Lineage``'s to say. Lines that began by themselves meet at the root,
so that a group without branches is a star of episodes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from agentgym.archive import Card
from agentgym.errors import DataError
from agentgym.lineage import Lineage
from agentgym.types import Trajectory, Turn

__all__ = ["GroupTree", "Moment", "Planted", "Stretch", "folded", "planted", "tree_of"]


@dataclasses.dataclass(slots=True, eq=False)
class Moment:
    """One turn, and what goes on from it; the root, before the first turn, has none."""

    id: str
    """The line that owns it and the number of its turn, "3-0-2@5"; "root"."""
    parent: Moment | None = None
    turn: Turn | None = None
    lines: list[Trajectory] = dataclasses.field(default_factory=list)
    """All that go through it, the one that owns it among them where it is on record."""
    ends: list[Trajectory] = dataclasses.field(default_factory=list)
    """Those of which it is the last turn."""
    children: list[Moment] = dataclasses.field(default_factory=list)

    def walk(self) -> Iterator[Moment]:
        """This one and all below, parents first."""
        left = [self]
        while left:
            moment = left.pop()
            yield moment
            left += reversed(moment.children)


@dataclasses.dataclass(frozen=True, slots=True)
class GroupTree:
    """The lines of a group, and their moments."""

    root: Moment
    lines: list[Trajectory]
    best: Trajectory | None
    """The line that was worth most, the first of them; None where all are void."""

    @property
    def num_moments(self) -> int:
        """Turns that were sampled, each once."""
        return sum(1 for _ in self.root.walk()) - 1

    def model_dump(self) -> dict[str, Any]:
        """All of it as JSON has it: ``nodes``, parents first, and ``lines``."""
        first = self.lines[0]
        return {
            "env": first.env,
            "task": first.task,
            "stage": first.stage,
            "update": first.update,
            "group_id": first.group_id,
            "best": None if self.best is None else self.best.episode_id,
            "nodes": [_node(moment) for moment in self.root.walk()],
            "lines": [
                {
                    "id": line.episode_id,
                    "parent": line.parent_id,
                    "branch_turn": line.branch_turn,
                    "turns": len(line.turns),
                    "reward": line.reward,
                    "success": line.success,
                    "stop_reason": line.stop_reason.value,
                    "error": line.error,
                }
                for line in self.lines
            ],
        }


def _node(moment: Moment) -> dict[str, Any]:
    turn = moment.turn
    told = {name: getattr(turn, name, None) for name in ("action", "value", "visits", "critic", "reward")}
    parent = None if moment.parent is None else moment.parent.id
    return {"id": moment.id, "parent": parent, **told, "lines": [line.episode_id for line in moment.lines]}


def tree_of(lines: Sequence[Trajectory]) -> GroupTree:
    """The tree of ``lines``, of at least one.

    Raises DataError where a name is two lines', or parents go in circles.
    """
    _refuse_circles(lines)
    lineage, root = Lineage(lines), Moment("root")
    moments: dict[tuple[int, int], Moment] = {}
    for place, line in enumerate(lines):
        moment = root
        moment.lines.append(line)
        for number, turn in enumerate(line.turns):
            key = lineage.owner(place, number), number
            if key not in moments:
                moments[key] = Moment(f"{lines[key[0]].episode_id}@{number}", moment, turn)
                moment.children.append(moments[key])
            moment = moments[key]
            moment.lines.append(line)
        moment.ends.append(line)
    fit = [line for line in lines if not line.stop_reason.is_void]
    return GroupTree(root, list(lines), max(fit, key=lambda line: line.reward, default=None))


def _refuse_circles(lines: Sequence[Trajectory]) -> None:
    parents: dict[str, str | None] = {}
    for line in lines:
        if line.episode_id in parents:
            raise DataError(f"there are two episodes {line.episode_id}, expected one: choose an --update")
        parents[line.episode_id] = line.parent_id
    for line in lines:
        seen, name = set[str](), line.parent_id
        while name is not None and name not in seen:
            seen.add(name)
            name = parents.get(name)
        if name is not None:
            raise DataError(f"episode {line.episode_id} branched off {name}, which branched off itself")


@dataclasses.dataclass(frozen=True, slots=True)
class Stretch:
    """Moments that follow each other without a branch, as they are drawn: as one."""

    moments: list[Moment]
    children: list[Stretch]

    @property
    def first(self) -> Moment:
        """Where it branched off: whose value is told."""
        return self.moments[0]

    @property
    def ends(self) -> list[Trajectory]:
        """Lines that end with it."""
        return self.moments[-1].ends

    @property
    def reward(self) -> float:
        """Of its turns together."""
        return sum(moment.turn.reward for moment in self.moments if moment.turn is not None)


def folded(moment: Moment) -> Stretch:
    """``moment`` and what is below it, without the moments at which nothing is decided; the root is by itself."""
    moments = [moment]
    while moment.turn is not None and len(moment.children) == 1 and not moment.ends:
        (moment,) = moment.children
        moments.append(moment)
    return Stretch(moments, [folded(child) for child in moment.children])


@dataclasses.dataclass(slots=True)
class Planted:
    """A group of a run, by its cards."""

    stage: str
    update: int | None
    group_id: str
    cards: list[Card]

    @property
    def num_forks(self) -> int:
        """Lines that branched off another one."""
        return sum(card.parent_id is not None for card in self.cards)


def planted(cards: Iterable[Card]) -> list[Planted]:
    """The groups of ``cards``, in the order in which they began; episodes of none are left out."""
    found: dict[tuple[str, int | None, str], Planted] = {}
    for card in cards:
        key = card.stage, card.update, card.group_id
        if card.group_id:
            found.setdefault(key, Planted(*key, [])).cards.append(card)
    return list(found.values())
