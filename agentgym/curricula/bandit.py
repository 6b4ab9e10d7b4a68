"""A bandit over levels or tasks, paid by how much their episodes differ.

The worth of an arm is a running mean of what its groups paid, w ← (1 - rate) w + rate · r, and an arm is drawn as
probably as exp(w / temperature) says (self-evolving curriculum, arXiv 2505.14970: a bandit whose gains change, updated
as TD(0) updates). There r is the mean absolute advantage of a group, scaled by its deviation; of a group of which the
share p succeeds that is 2 √(p (1 - p)), which is what is taken here, for it is a number in [0, 1] whatever the trainer
and its rewards are. It is highest where half succeeds, as learnability is (arXiv 2408.15099).

Two departures: what was never played is worth 1, the most there is, so that it is tried, and all arms are reviewed in
turn: one that was solved and pays nothing may have been forgotten.

With the simulated learner of the tests it masters six levels in about four fifths of the episodes that ``uniform``
takes, and so again where the learner forgets; ``success-band`` needs fewer. It is for few arms: of thousands of tasks
hardly any comes again before it is out of date what is known of it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from agentgym.curricula._arms import Armed, Level
from agentgym.curriculum import Outcome
from agentgym.registry import register
from agentgym.types import TaskId

__all__ = ["Bandit", "payment"]

_UNKNOWN = 1.0
"""Worth of an arm that was never played."""


@register
class Bandit(Armed):
    """Where episodes differ most of late: such levels of an option, or such tasks, with exponential weights."""

    def __init__(
        self,
        tasks: Sequence[TaskId],
        *,
        seed: int,
        option: str = "",
        levels: tuple[Level, ...] = (),
        temperature: Annotated[float, Field(ge=0.01)] = 0.2,
        rate: Annotated[float, Field(gt=0, le=1)] = 0.5,
        every: Annotated[int, Field(ge=2)] = 4,
    ) -> None:
        """
        Args:
            option: Option of the environment's reset that sets the level; none: tasks are chosen.
            levels: Its values, from easy to hard.
            temperature: The lower, the more surely the best is played.
            rate: How much the latest group counts.
            every: Of so many ordinals, one reviews tasks or levels in turn, whatever they are worth.
        """
        super().__init__(tasks, seed=seed, option=option, levels=levels, every=every)
        self.temperature, self.rate = temperature, rate
        self.worth: dict[TaskId, float] = {}
        """Task, or place of a level → what it paid of late."""

    def choose(self, ordinal: int, rng: np.random.Generator) -> TaskId:
        return self.weighted(rng, {arm: self._weight(worth) for arm, worth in self.worth.items()}, 1.0)

    def _weight(self, worth: float) -> float:
        """Of an arm, where that of one that was never played is 1."""
        return math.exp((worth - _UNKNOWN) / self.temperature)

    def hear(self, arm: TaskId, outcome: Outcome) -> None:
        before = self.worth.get(arm, _UNKNOWN)
        self.worth[arm] = before + self.rate * (payment(outcome.successes) - before)

    def state(self) -> dict[str, Any]:
        return {"worth": [[self.saved(arm), worth] for arm, worth in self.worth.items()]}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.worth = {self.restored(saved): worth for saved, worth in state["worth"]}


def payment(successes: Sequence[bool]) -> float:
    """The mean absolute advantage of a group, scaled by its deviation: 1 where half of it succeeds, 0 where all do.

    >>> payment([True, False, False, False, False]), payment([True, True])
    (0.8, 0.0)
    """
    share = statistics.fmean(successes)
    return 2 * math.sqrt(share * (1 - share))
