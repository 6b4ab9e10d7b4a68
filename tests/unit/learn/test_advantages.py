"""Advantages: numbers worked by hand, and what must hold for any rewards."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agentgym.learn.advantages import group_zscore, is_informative

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


def test_a_group_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 rewards, found 1"):
        group_zscore([1.0])


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


@pytest.mark.parametrize(
    ("rewards", "informative"),
    [([], False), ([1.0], False), ([1.0, 1.0], False), ([0.1 + 0.2, 0.3], False), ([0.0, 0.0, 1e-6], True)],
)
def test_groups_whose_rewards_do_not_differ_teach_nothing(rewards: list[float], informative: bool) -> None:
    assert is_informative(rewards) is informative
