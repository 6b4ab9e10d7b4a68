"""Advantages within a group: numbers worked by hand, and what must hold for any rewards."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agentgym.learn.advantages import group_zscore, leave_one_out

REWARDS = st.lists(st.floats(-100, 100).map(lambda x: round(x, 3)), min_size=2, max_size=9)


def test_by_hand() -> None:
    # rewards 1, 0, 0, 1: mean 0.5, deviations ±0.5, sample variance 4 * 0.25 / 3 = 1/3, std 0.57735
    # 0.5 / 0.57735 = 0.8660254
    assert group_zscore([1.0, 0.0, 0.0, 1.0], epsilon=0.0) == pytest.approx(
        [0.8660254, -0.8660254, -0.8660254, 0.8660254]
    )
    # rewards 3, 0, 0: mean 1, deviations 2, -1, -1, variance 6 / 2 = 3, std 1.7320508
    assert group_zscore([3.0, 0.0, 0.0], epsilon=0.0) == pytest.approx([1.1547005, -0.5773503, -0.5773503])
    # epsilon is added to the deviation: 2 / (1.7320508 + 1) = 0.7320508
    assert group_zscore([3.0, 0.0, 0.0], epsilon=1.0)[0] == pytest.approx(0.7320508)


def test_without_scaling_by_hand() -> None:
    assert group_zscore([3.0, 0.0, 0.0], scale=False) == pytest.approx([2.0, -1.0, -1.0])


def test_one_success_in_four_by_hand() -> None:
    # rewards 1, 0, 0, 0: mean 0.25; sample variance (0.5625 + 3 * 0.0625) / 3 = 0.25, std 0.5
    # 0.75 / 0.5 = 1.5, -0.25 / 0.5 = -0.5 (the population's std, 0.4330, would give 1.732 and -0.577)
    assert group_zscore([1.0, 0.0, 0.0, 0.0], epsilon=0.0) == pytest.approx([1.5, -0.5, -0.5, -0.5])
    assert group_zscore([1.0, 0.0, 0.0, 0.0], scale=False) == pytest.approx([0.75, -0.25, -0.25, -0.25])
    # leave-one-out: 1 - 0 = 1; 0 - (1 + 0 + 0) / 3 = -1/3
    assert leave_one_out([1.0, 0.0, 0.0, 0.0]) == pytest.approx([1.0, -1 / 3, -1 / 3, -1 / 3])


def test_equal_rewards_give_nothing() -> None:
    assert group_zscore([0.7, 0.7, 0.7]) == pytest.approx([0.0, 0.0, 0.0], abs=1e-9)
    assert leave_one_out([0.7, 0.7, 0.7]) == pytest.approx([0.0, 0.0, 0.0], abs=1e-9)


@pytest.mark.parametrize("baseline", [group_zscore, leave_one_out])
@pytest.mark.parametrize("rewards", [[], [1.0]])
def test_a_group_of_one_is_refused(baseline: Callable[[list[float]], list[float]], rewards: list[float]) -> None:
    with pytest.raises(ValueError, match=f"at least 2 rewards, found {len(rewards)}"):
        baseline(rewards)


@given(REWARDS)
def test_leave_one_out_against_the_mean_of_the_others(rewards: list[float]) -> None:
    expected = [r - np.mean(rewards[:i] + rewards[i + 1 :]) for i, r in enumerate(rewards)]
    assert leave_one_out(rewards) == pytest.approx(expected, abs=1e-9)
    size = len(rewards)
    centered = [size / (size - 1) * a for a in group_zscore(rewards, scale=False)]
    assert leave_one_out(rewards) == pytest.approx(centered, abs=1e-9)


@given(REWARDS, st.floats(-50, 50), st.floats(0.1, 50))
def test_leave_one_out_ignores_a_shift_and_keeps_the_unit(rewards: list[float], shift: float, factor: float) -> None:
    expected = [factor * a for a in leave_one_out(rewards)]
    assert leave_one_out([factor * r + shift for r in rewards]) == pytest.approx(expected, abs=1e-7)
    assert math.fsum(expected) == pytest.approx(0, abs=1e-7)


@given(REWARDS, st.booleans())
def test_against_numpy(rewards: list[float], scale: bool) -> None:
    array = np.array(rewards)
    expected = (array - array.mean()) / (array.std(ddof=1) + 1e-6 if scale else 1.0)
    assert group_zscore(rewards, scale=scale) == pytest.approx(expected.tolist(), abs=1e-6)


@given(REWARDS, st.floats(-50, 50))
def test_a_constant_added_to_every_reward_changes_nothing(rewards: list[float], shift: float) -> None:
    assume(max(rewards) - min(rewards) > 0.01)
    shifted = group_zscore([reward + shift for reward in rewards])
    assert shifted == pytest.approx(group_zscore(rewards), abs=1e-6)


@given(REWARDS, st.floats(0.1, 50))
def test_the_unit_of_reward_does_not_matter_when_scaled(rewards: list[float], factor: float) -> None:
    assume(max(rewards) - min(rewards) > 0.5)
    scaled = group_zscore([reward * factor for reward in rewards], epsilon=0.0)
    assert scaled == pytest.approx(group_zscore(rewards, epsilon=0.0), abs=1e-6)


@given(REWARDS, st.booleans())
def test_advantages_sum_to_nothing_and_keep_the_order(rewards: list[float], scale: bool) -> None:
    advantages = group_zscore(rewards, scale=scale)
    assert math.fsum(advantages) == pytest.approx(0, abs=1e-6 * len(rewards) * 100)
    pairs = sorted(zip(rewards, advantages, strict=True))
    assert [a for _, a in pairs] == sorted(advantages)
