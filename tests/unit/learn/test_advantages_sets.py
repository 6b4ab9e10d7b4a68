"""Set advantages: by hand, against a slow reference, and that diversity pays only where there is reward."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.learn.advantages import polychromic

TRAJECTORIES = st.lists(
    st.tuples(st.floats(0, 1).map(lambda x: round(x, 3)), st.sampled_from("xyz")), min_size=4, max_size=8
)
SETS = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True), min_size=2, max_size=5)


def test_by_hand() -> None:
    rewards, signatures = [1.0, 0.5, 0.0, 0.5], ["x", "y", "x", "x"]
    # {0, 1}: mean 0.75, 2 of 2 distinct, f = 0.75; {2, 3}: mean 0.25, 1 of 2, f = 0.125; {0, 2, 3}: mean 0.5, 1/3,
    # f = 1/6. Mean f = (0.75 + 0.125 + 0.1666667) / 3 = 0.3472222; set advantages 0.4027778, -0.2222222, -0.1805556
    # 0 is in the first and third: 0.2222222; 1 in the first; 2 and 3 in the second and third: -0.4027778
    expected = [0.2222222, 0.4027778, -0.4027778, -0.4027778]
    assert polychromic(rewards, signatures, [(0, 1), (2, 3), (0, 2, 3)]) == pytest.approx(expected, abs=1e-7)


def test_at_equal_reward_the_distinct_set_wins() -> None:
    alike, _, distinct, _ = polychromic([0.8] * 4, ["x", "x", "x", "y"], [(0, 1), (2, 3)])
    assert alike == pytest.approx(-0.2)  # f: 0.8 * 1/2 = 0.4 and 0.8 * 1 = 0.8
    assert distinct == pytest.approx(0.2)


def test_diversity_without_reward_is_worth_nothing() -> None:
    assert polychromic([0.0] * 4, ["x", "x", "x", "y"], [(0, 1), (2, 3)]) == [0.0] * 4


def test_a_trajectory_in_no_set_gets_nothing() -> None:
    assert polychromic([1.0, 0.0, 1.0], "xyz", [(0,), (1,)]) == [0.5, -0.5, 0.0]


@given(TRAJECTORIES, SETS)
def test_against_a_slow_reference(trajectories: list[tuple[float, str]], sets: list[list[int]]) -> None:
    rewards, signatures = map(list, zip(*trajectories, strict=True))
    scores = []
    for members in sets:
        distinct = 0
        for place, i in enumerate(members):
            distinct += all(signatures[i] != signatures[j] for j in members[:place])
        scores.append(sum(rewards[i] for i in members) * distinct / len(members) ** 2)
    baseline = sum(scores) / len(scores)
    expected = [
        sum(score - baseline for members, score in zip(sets, scores, strict=True) if i in members)
        for i in range(len(rewards))
    ]
    assert polychromic(rewards, signatures, sets) == pytest.approx(expected, abs=1e-9)


@given(TRAJECTORIES)
def test_sets_of_one_size_that_share_no_member_sum_to_nothing(trajectories: list[tuple[float, str]]) -> None:
    rewards, signatures = map(list, zip(*trajectories, strict=True))
    assert math.fsum(polychromic(rewards, signatures, [(0, 1), (2, 3)])) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("sets", [[], [(0, 1)], [(0,), ()]])
def test_sets_that_cannot_be_compared_are_refused(sets: list[tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="at least 2 sets, none empty"):
        polychromic([1.0, 0.0], "xy", sets)


def test_a_missing_signature_is_refused() -> None:
    with pytest.raises(ValueError, match="found 1 for 2"):
        polychromic([1.0, 0.0], "x", [(0,), (1,)])
