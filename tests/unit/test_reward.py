"""What may be a reward, and how it is asked."""

from __future__ import annotations

import asyncio

import pytest

import agentgym
from agentgym.errors import UserError
from agentgym.reward import EpisodeShaper, Shaper, as_shaper, check_reported, on_last_turn
from agentgym.rewards.turn_cost import TurnCost
from agentgym.types import StopReason, Trajectory
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


def test_a_whole_episode_is_paid_with_its_last_turn() -> None:
    assert on_last_turn(episode(1.0, 2.0, 3.0), 0.5) == [0.0, 0.0, 0.5]
    assert on_last_turn(episode(1.0), 0.5) == [0.5]
    assert on_last_turn(episode(), 0.5) == []


def test_a_channel_may_be_missing_where_nothing_was_done_and_one_of_the_end_where_none_came() -> None:
    whole, cut, unread = episode(1.0), episode(1.0, stop=StopReason.TURN_LIMIT), episode(1.0)
    whole.channels = {"way": 1.0}  # at the reset, and with no turn
    unread.turns[0].action = None
    for lacks in (whole, cut):
        with pytest.raises(
            UserError, match=r'^reward "mine": in a whole .* toy reports no .*\["way"\]; .*; say another$'
        ):
            check_reported("mine", lacks, "way", advice="say another")
    with pytest.raises(UserError, match="reported: way; choose another reward, or report it"):
        check_reported("mine", whole, "way", at_end=True)
    check_reported("mine", cut, "way", at_end=True)
    check_reported("mine", unread, "way")
    whole.turns[0].channels = {"way": 0.0}
    check_reported("mine", whole, "way")
