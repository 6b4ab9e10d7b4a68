"""Three pools of tasks or levels by how often they are solved: easy, normal and hard, each drawn by its weight.

The pool is that of the latest group of episodes alone: hard where at most a quarter of it succeeds, easy where more
than three quarters do, normal in between, and normal is what was never played (the buffer of prime-rl and its numbers).
Two departures: success counts in place of the reward, which has no scale of its own, and all are reviewed in turn, so
that a small weight starves nothing.

With the simulated learner of the tests it needs as many episodes to master six levels as ``uniform``, within a
twentieth, and so where the learner forgets: one group of four says too little of a level to be left for it. What it
saves is the episodes of what is always or never solved, where most tasks are such.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from agentgym.curricula._arms import Armed, Level, Share, check_band
from agentgym.curriculum import Outcome
from agentgym.errors import ConfigError
from agentgym.registry import register
from agentgym.types import TaskId

__all__ = ["Pools"]

Weight = Annotated[float, Field(gt=0)]


@register
class Pools(Armed):
    """What is solved at times more often than what is always or never solved, by the latest group of episodes."""

    def __init__(
        self,
        tasks: Sequence[TaskId],
        *,
        seed: int,
        option: str = "",
        levels: tuple[Level, ...] = (),
        low: Share = 0.25,
        high: Share = 0.75,
        easy: Weight = 0.2,
        normal: Weight = 1.0,
        hard: Weight = 0.2,
        every: Annotated[int, Field(ge=2)] = 4,
    ) -> None:
        """
        Args:
            option: Option of the environment's reset that sets the level; none: tasks are chosen.
            levels: Its values, from easy to hard.
            low: What succeeds so often or more rarely is hard.
            high: What succeeds more often is easy.
            easy: Weight of each that is easy.
            normal: Weight of each in between, and of each that was never played.
            hard: Weight of each that is hard.
            every: Of so many ordinals, one reviews tasks or levels in turn, whatever is known of them.
        """
        super().__init__(tasks, seed=seed, option=option, levels=levels, every=every)
        check_band(low, high)
        if easy == normal == hard:
            raise ConfigError(
                f"curriculum.easy, curriculum.normal and curriculum.hard are all {easy:g}: pools of equal weight have "
                "no effect; type such as --curriculum.normal 1 --curriculum.easy 0.2, or --curriculum uniform"
            )
        self.low, self.high = low, high
        self.easy, self.normal, self.hard = easy, normal, hard
        self.latest: dict[TaskId, float] = {}
        """Task, or place of a level → the share of its latest group that succeeded."""

    def choose(self, ordinal: int, rng: np.random.Generator) -> TaskId:
        return self.weighted(rng, {arm: self._weight(share) for arm, share in self.latest.items()}, self.normal)

    def _weight(self, share: float) -> float:
        if share <= self.low:
            return self.hard
        return self.normal if share <= self.high else self.easy

    def hardness(self, task: TaskId) -> float | None:
        return 1 - self.latest[task] if task in self.latest else None

    def hear(self, arm: TaskId, outcome: Outcome) -> None:
        self.latest[arm] = statistics.fmean(outcome.successes)

    def state(self) -> dict[str, Any]:
        return {"latest": [[self.saved(arm), share] for arm, share in self.latest.items()]}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.latest = {self.restored(saved): share for saved, share in state["latest"]}
