"""One for success, once."""

from __future__ import annotations

from agentgym.rewards.success import success
from agentgym.types import StopReason
from tests.kit import episode


def test_an_episode_that_succeeds_is_paid_with_its_last_turn() -> None:
    assert success(episode(0.0, 0.0, 0.0, success=True)) == [0.0, 0.0, 1.0]
    assert success(episode(0.0, success=True)) == [1.0]


def test_what_does_not_succeed_is_not_paid_whatever_the_environment_gave() -> None:
    assert success(episode(5.0, 5.0)) == [0.0, 0.0]
    assert success(episode(1.0, stop=StopReason.TURN_LIMIT)) == [0.0]


def test_an_episode_without_turns_has_nothing_to_pay() -> None:
    assert success(episode(success=True)) == []
