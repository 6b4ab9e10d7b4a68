"""What critics have in common: chances from scores, and tournaments."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.critic import Critic, chance, finite, wins
from agentgym.errors import JudgeError
from agentgym.types import Trajectory
from tests.kit import episode


class ByReward(Critic):
    """An episode stands at what it has earned."""

    async def score(self, trajectories: Sequence[Trajectory]) -> list[float]:
        return finite([trajectory.reward for trajectory in trajectories])


class Sure(ByReward):
    """One that compares by itself, and fails at what earned nothing."""

    async def compare(self, one: Trajectory, other: Trajectory) -> float:
        if not (one.reward and other.reward):
            raise JudgeError("nothing to compare")
        return float(one.reward > other.reward)


def test_a_difference_of_scores_is_a_chance() -> None:
    one, other = episode(1.0, 2.0), episode(1.0)
    assert asyncio.run(ByReward().compare(one, other)) == pytest.approx(1 / (1 + math.exp(-2)))
    assert asyncio.run(ByReward().compare(one, one)) == 0.5


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_the_chances_of_two_add_up_to_1(one: float, other: float) -> None:
    assert 0 <= chance(one, other) <= 1
    assert chance(one, other) + chance(other, one) == pytest.approx(1)
    assert (chance(one, other) >= 0.5) == (one >= other) or one == pytest.approx(other)


def test_each_is_compared_with_each() -> None:
    group = [episode(2.0), episode(1.0), episode(3.0)]
    assert asyncio.run(wins(Sure(), group)) == [0.5, 0.0, 1.0]
    soft = asyncio.run(wins(ByReward(), group))
    assert soft[0] == pytest.approx((chance(2, 1) + chance(2, 3)) / 2)
    assert sum(soft) == pytest.approx(1.5)
    assert asyncio.run(wins(Sure(), group[:1])) == [0.5]
    assert asyncio.run(wins(Sure(), [])) == []


def test_a_comparison_that_fails_is_told() -> None:
    with pytest.raises(JudgeError, match="nothing to compare"):
        asyncio.run(wins(Sure(), [episode(1.0), episode(0.0)]))


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_none(score: float) -> None:
    with pytest.raises(JudgeError, match=r"the critic's score is (nan|-?inf), expected a finite number"):
        finite([0.0, score])
    assert finite([0.0, -1.5]) == [0.0, -1.5]
