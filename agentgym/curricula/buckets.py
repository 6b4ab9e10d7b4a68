"""Buckets of difficulty, whose mix shifts from easy to hard as they are solved.

Buckets are the levels of an option or, where none is named, tasks by how each went when it was first played.
Training goes from easy to hard (CRAFT-GUI, arXiv 2508.11360: buckets of trajectories, one phase of training each).
Three departures: there are no phases whose ends somebody must choose. How far the policy has come is the number of
buckets that it solves, each counted by its share of ``enough``, so that what it forgets takes it back. A bucket is
played by how near it is to that place, as a bell of ``width`` says, so that none ends at once (competence as the pace:
arXiv 1903.09848). And all are reviewed in turn.

With the simulated learner of the tests it masters six levels in half of the episodes that ``uniform`` takes, and in two
thirds where the learner forgets. Over tasks it does not win, and takes a tenth more: how one went when it was first
played says little of it later, and most fail then.
"""

from __future__ import annotations

import collections
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from agentgym.curricula._arms import Armed, Level, recent
from agentgym.curriculum import Outcome
from agentgym.errors import ConfigError
from agentgym.registry import register
from agentgym.types import TaskId

__all__ = ["Buckets"]

_NUM = 4
"""Buckets of tasks, where nobody says how many."""


@register
class Buckets(Armed):
    """From easy to hard as they are solved: levels of an option, or tasks by how they went when first played."""

    def __init__(
        self,
        tasks: Sequence[TaskId],
        *,
        seed: int,
        option: str = "",
        levels: tuple[Level, ...] = (),
        buckets: Annotated[int, Field(ge=2)] | None = None,
        enough: Annotated[float, Field(gt=0, le=1)] = 0.7,
        width: Annotated[float, Field(ge=0.1)] = 0.7,
        half_life: Annotated[float, Field(ge=1)] = 8,
        every: Annotated[int, Field(ge=2)] = 4,
    ) -> None:
        """
        Args:
            option: Option of the environment's reset that sets the level; none: tasks are put in buckets.
            levels: Its values, from easy to hard: the buckets.
            buckets: How many buckets the tasks are put in; none given: 4.
            enough: Success at which a bucket counts as solved.
            width: Buckets that the mix reaches to either side.
            half_life: Episodes of a bucket after which older ones count half.
            every: Of so many ordinals, one reviews tasks or levels in turn, whatever is known of them.
        """
        super().__init__(tasks, seed=seed, option=option, levels=levels, every=every)
        if levels and buckets is not None:
            raise ConfigError(
                f"curriculum.buckets has no effect beside curriculum.levels, found {buckets} and {[*levels]}: "
                "each level is a bucket; leave out --curriculum.buckets"
            )
        self.enough, self.width, self.half_life = enough, width, half_life
        self.num = len(levels) or buckets or _NUM
        self.bucket_of: dict[TaskId, int] = {}
        """Of each task that was played."""
        self.counts: dict[int, tuple[float, float]] = {}
        """Bucket → (successes, episodes), newer ones counted more."""

    @property
    def place(self) -> float:
        """How many of the buckets that are not empty the policy solves."""
        return sum(min(1.0, self._solved(bucket) / self.enough) for bucket in self._buckets)

    @property
    def _buckets(self) -> Sequence[int]:
        """Those that are not empty."""
        return range(self.num) if self.levels else sorted({*self.bucket_of.values()})

    def _solved(self, bucket: int) -> float:
        """The share of its recent episodes that succeeded; what it did not show counts as a failure."""
        successes, episodes = self.counts.get(bucket, (0.0, 0.0))
        return successes / (episodes + 1)

    def choose(self, ordinal: int, rng: np.random.Generator) -> TaskId:
        if not self.levels and rng.random() * len(self.tasks) >= len(self.bucket_of):
            return self.unknown(rng, self.bucket_of)
        nearness = self._nearness()
        if self.levels:
            return self.weighted(rng, nearness)
        sizes = collections.Counter(self.bucket_of.values())
        return self.weighted(rng, {task: nearness[own] / sizes[own] for task, own in self.bucket_of.items()})

    def _nearness(self) -> dict[TaskId, float]:
        """Of each bucket, by how far its middle is from the place; the nearest has 1."""
        buckets, place = self._buckets, self.place
        steps = [(nth + 0.5 - place) / self.width for nth in range(len(buckets))]
        least = min(step**2 for step in steps)
        return {bucket: math.exp((least - step**2) / 2) for bucket, step in zip(buckets, steps, strict=True)}

    def hardness(self, task: TaskId) -> float | None:
        return self.bucket_of.get(task)

    def hear(self, arm: TaskId, outcome: Outcome) -> None:
        successes = outcome.successes
        first = min(self.num - 1, int(self.num * (1 - sum(successes) / len(successes))))
        bucket = int(arm) if self.levels else self.bucket_of.setdefault(arm, first)
        self.counts[bucket] = recent(self.counts.get(bucket, (0.0, 0.0)), successes, self.half_life)

    def state(self) -> dict[str, Any]:
        counts = [[self.saved(bucket), *pair] for bucket, pair in self.counts.items()]
        return {"counts": counts, "buckets": [[*pair] for pair in self.bucket_of.items()]}

    def load_state(self, state: Mapping[str, Any]) -> None:
        counts = [(self.restored(saved), (successes, episodes)) for saved, successes, episodes in state["counts"]]
        self.counts = {int(bucket): pair for bucket, pair in counts}
        self.bucket_of = dict(state["buckets"])
