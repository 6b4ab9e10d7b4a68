"""Which lines of a tree share which turns.

A line is an episode that branched off another one (``parent_id``) at a turn (``branch_turn``): what came before was
sampled once, and is on record in both. Whoever learns from the lines of a tree wants each turn once, in the line that
sampled it, with what became of all lines that go through it.

Where a parent is not among the lines, those that branched off it stand in for it, the first that has a turn for that
turn; what the parent itself shared with another line is not known then. Episodes that did not branch own all their
turns.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from agentgym.types import Trajectory

__all__ = ["Lineage"]


class Lineage:
    """The turns of ``trajectories`` and whose they are.

    >>> line = Trajectory(env="", task=0, seed=0, episode_id="a")
    >>> fork = line.model_copy(update={"episode_id": "b", "parent_id": "a", "branch_turn": 2})
    >>> Lineage([line, fork]).own_from
    [0, 2]
    """

    def __init__(self, trajectories: Sequence[Trajectory]) -> None:
        self.own_from: list[int] = []
        """Of each line the first turn that is its own."""
        self._lengths = [len(trajectory.turns) for trajectory in trajectories]
        self._parents: list[int] = []
        """Of each line the one that owns what comes before, or its parent does; its own place where nothing does."""
        places = {trajectory.episode_id: place for place, trajectory in enumerate(trajectories)}
        stand_ins: dict[str, int] = {}
        for place, trajectory in enumerate(trajectories):
            parent, turn = trajectory.parent_id, trajectory.branch_turn or 0
            if parent is None or not turn:
                parent_place, turn = place, 0
            elif parent in places:
                parent_place = places[parent]
            else:
                parent_place = stand_ins.get(parent, place)
                reach = 0 if parent_place == place else trajectories[parent_place].branch_turn or 0
                if turn > reach:
                    stand_ins[parent] = place
                turn = min(turn, reach)
            self.own_from.append(turn)
            self._parents.append(parent_place)

    @property
    def num_turns(self) -> int:
        """Turns that were played, each once."""
        return sum(num - first for num, first in zip(self._lengths, self.own_from, strict=True))

    @property
    def is_flat(self) -> bool:
        """Whether no two lines share a turn."""
        return not any(self.own_from)

    def owner(self, line: int, turn: int) -> int:
        """The place of the line whose turn it is."""
        while turn < self.own_from[line]:
            line = self._parents[line]
        return line

    def pooled(self, values: Sequence[Sequence[float]]) -> list[list[float]]:
        """For each turn of each line the mean over all lines that go through it; ``values`` are the lines' own."""
        through: dict[tuple[int, int], list[float]] = {}
        for line, of_line in enumerate(values):
            for turn, value in enumerate(of_line):
                through.setdefault((self.owner(line, turn), turn), []).append(value)
        means = {place: statistics.fmean(found) if len(found) > 1 else found[0] for place, found in through.items()}
        return [
            [means[self.owner(line, turn), turn] for turn in range(len(of_line))] for line, of_line in enumerate(values)
        ]
