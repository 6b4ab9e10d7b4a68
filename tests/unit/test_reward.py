"""What may be a reward, and how it is asked."""

from __future__ import annotations

import asyncio

import pytest

import agentgym
from agentgym.errors import UserError
from agentgym.reward import EpisodeShaper, Shaper, as_shaper
from agentgym.rewards.turn_cost import TurnCost
from agentgym.types import Trajectory
from tests.kit import episode


def test_a_shaper_is_itself_and_a_function_looks_at_one_episode_at_a_time() -> None:
    cost = TurnCost()
    assert as_shaper(cost) is cost
    plain = as_shaper(lambda one: [one.reward])
    assert isinstance(plain, EpisodeShaper)
    assert asyncio.run(plain.shape([episode(1.0), episode(2.0)])) == [[1.0], [2.0]]


def test_what_is_later_is_awaited_in_the_order_of_the_episodes() -> None:
    asked: list[float] = []

    async def later(one: Trajectory) -> list[float]:
        await asyncio.sleep(0)
        asked.append(one.reward)
        return [-one.reward]

    assert asyncio.run(as_shaper(later).shape([episode(2.0), episode(1.0)])) == [[-2.0], [-1.0]]
    assert asked == [2.0, 1.0]


def test_what_cannot_be_asked_is_told() -> None:
    with pytest.raises(
        UserError, match=r"a reward is an agentgym\.Shaper or a function of a trajectory, found str 'x'"
    ):
        as_shaper("x")


def test_a_reward_is_not_taken_for_invariant_and_must_be_written() -> None:
    assert not Shaper.is_invariant
    with pytest.raises(TypeError, match="abstract"):
        agentgym.Shaper()  # type: ignore[abstract]
