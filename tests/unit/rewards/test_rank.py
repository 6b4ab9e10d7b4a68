"""Places within a group: by hand, and what does not move them."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.rewards.rank import Rank
from agentgym.types import Trajectory
from tests.kit import episode

REWARDS = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=7)


def ranks(group: list[Trajectory]) -> list[float]:
    return [sum(values) for values in asyncio.run(Rank().shape(group))]


@pytest.mark.parametrize(
    ("rewards", "places"),
    [
        ([3, 1, 2], [1, 0, 1 / 2]),
        ([1000, 0, 0, -1], [1, 1 / 2, 1 / 2, 0]),
        ([1, 1, 1, 0], [2 / 3, 2 / 3, 2 / 3, 0]),
        ([0.1 + 0.2, 0.3], [1 / 2, 1 / 2]),
        ([1e9 + 0.1, 1e9], [1 / 2, 1 / 2]),
        ([1e-3, 0], [1, 0]),
        ([7], [1 / 2]),
        ([0, 0], [1 / 2, 1 / 2]),
    ],
)
def test_by_hand(rewards: list[float], places: list[float]) -> None:
    assert ranks([episode(reward) for reward in rewards]) == pytest.approx(places)


def test_whole_episodes_are_compared_and_paid_at_their_end() -> None:
    group = [episode(1.0, 1.0, 0.0), episode(0.0, 1.5), episode()]
    assert asyncio.run(Rank().shape(group)) == [[0.0, 0.0, 1.0], [0.0, 0.5], []]


def test_what_other_rewards_added_is_not_compared() -> None:
    assert ranks([episode(0.0, shaped=9.0), episode(1.0)]) == [0, 1]


@given(REWARDS)
def test_a_group_shares_the_same_sum_whatever_it_was_paid(rewards: list[float]) -> None:
    found = ranks([episode(reward) for reward in rewards])
    assert sum(found) == pytest.approx(len(rewards) / 2)
    assert found == pytest.approx(ranks([episode(3 * reward + 7) for reward in rewards]))
    assert all(
        (a < b) == (x < y) for a, x in zip(rewards, found, strict=True) for b, y in zip(rewards, found, strict=True)
    )
