"""What too long an episode costs, by hand."""

from __future__ import annotations

import pytest

import agentgym
from agentgym.errors import ConfigError
from agentgym.rewards.overlong_penalty import OverlongPenalty
from tests.kit import episode, sample


@pytest.mark.parametrize(
    ("length", "cost"), [(1, 0.0), (5, 0.0), (6, -0.0), (7, -0.25), (8, -0.5), (9, -0.75), (10, -1.0), (30, -1.0)]
)
def test_the_cost_rises_over_the_buffer(length: int, cost: float) -> None:
    """Of 10 tokens the last 4: from 6 on a quarter for each."""
    reward = OverlongPenalty(10, overlong_buffer=4)
    one = episode(1.0, samples=[sample([[7] * length])])
    assert reward(one) == [cost]
    assert reward.is_invariant is False


def test_the_tokens_of_all_replies_count_on_the_last_turn() -> None:
    """Not those of the environment, of which each turn has one; in two samples as in one."""
    reward = OverlongPenalty(10, overlong_buffer=4)
    assert reward(episode(1.0, 2.0, samples=[sample([[7] * 4, [7] * 4])])) == [0.0, -0.5]
    assert reward(episode(1.0, 2.0, samples=[sample([[7] * 4]), sample([[7] * 5])])) == [0.0, -0.75]
    assert reward(episode()) == []


def test_a_buffer_that_is_all_there_is() -> None:
    assert OverlongPenalty(4, overlong_buffer=4)(episode(1.0, samples=[sample([[7]])])) == [-0.25]
    with pytest.raises(ConfigError, match=r"overlong_buffer 5 is longer than max_tokens 4.*overlong_buffer 4 or less"):
        OverlongPenalty(4, overlong_buffer=5)


def test_it_is_chosen_by_name() -> None:
    rewards = agentgym.plugins("rewards")
    built = rewards.build("overlong-penalty", {"max_tokens": 8, "overlong_buffer": 2})
    assert built(episode(1.0, samples=[sample([[7] * 7])])) == [-0.5]
    with pytest.raises(ConfigError, match="overlong_buffer"):
        rewards.build("overlong-penalty", {"max_tokens": 8})
