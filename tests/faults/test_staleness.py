"""A hundred thousand episodes played ahead: none is too old, none is thrown away, none comes twice.

Lengths are those of a lognormal law, so that a few groups take far longer than the others, which is what tempts one to
throw them away. What is learned from in the end are the episodes that were drawn, all of them: their lengths cannot be
distributed otherwise than in turns, and over a window they are compared by the test of Kolmogorov and Smirnov.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest
from scipy import stats

from agentgym.rollout import EpisodeSpec
from agentgym.scheduler import Scheduler
from agentgym.types import Trajectory
from tests.unit.rollout.kit import timeless
from tests.unit.test_scheduler import specs

GROUPS, SIZE = 25, 4


class Slow:
    """Each group takes a time of its own, whoever plays and whenever it begins."""

    def __init__(self) -> None:
        self.version, self.began = 0, dict[int, int]()

    def seconds(self, ordinal: int) -> float:
        return random.Random(ordinal).lognormvariate(0, 1)

    async def play(self, group: Sequence[EpisodeSpec]) -> list[Trajectory]:
        ordinal = group[0].ordinal
        assert ordinal is not None
        assert ordinal not in self.began
        self.began[ordinal] = self.version
        await asyncio.sleep(self.seconds(ordinal))
        return [
            Trajectory(env="x", task=s.task, seed=0, episode_id=s.episode_id, ordinal=s.ordinal, group_id=s.group_id)
            for s in group
        ]


@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize("updates", [20, pytest.param(1000, marks=pytest.mark.slow)])
def test_nothing_is_too_old_thrown_away_or_twice(updates: int, in_order: bool) -> None:
    async def main() -> None:
        slow, learned, worst = Slow(), list[int](), 0
        scheduler = Scheduler(
            lambda update: specs(update, groups=GROUPS, size=SIZE),
            slow.play,
            max_staleness=2,
            in_order=in_order,
            num_updates=updates,
        )
        for update in range(updates):
            slow.version = update
            scheduler.admit(update)
            episodes = await scheduler.take(update)
            scheduler.settle()
            taken = [episode.ordinal for episode in episodes if episode.ordinal is not None][::SIZE]
            worst = max(worst, *(update - slow.began[ordinal] for ordinal in taken))
            learned += taken
            await asyncio.sleep(random.Random(update).uniform(0, 3))  # a learner, now slow and now fast
        assert sorted(learned) == list(range(updates * GROUPS))
        assert worst == 2
        middle = learned[len(learned) // 4 : 3 * len(learned) // 4]
        drawn = range(len(learned) // 4, 3 * len(learned) // 4)
        assert stats.ks_2samp(*([slow.seconds(each) for each in some] for some in (middle, drawn))).pvalue > 0.01

    timeless(main())
