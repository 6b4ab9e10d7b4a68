"""Shorter successes are worth more than longer ones: by hand."""

from __future__ import annotations

import asyncio
import math

import pytest

from agentgym.rewards.conciseness import Conciseness
from agentgym.types import Trajectory
from tests.kit import episode, sample


def said(*lengths: int, success: bool = True) -> Trajectory:
    """One reply for each of ``lengths`` tokens."""
    return episode(*[0.0] * len(lengths), samples=[sample([[7] * length for length in lengths])], success=success)


def shaped(shaper: Conciseness, *group: Trajectory) -> list[list[float]]:
    return asyncio.run(shaper.shape(group))


def test_by_hand() -> None:
    """Successes of 100 and 300 tokens: mean 200, deviation 100, z = -1 and 1; the failure's length is no matter."""
    found = shaped(Conciseness(), said(100), said(900, success=False), said(100, 200))
    assert found == [[pytest.approx(math.exp(0.05))], [-1.0], [0.0, pytest.approx(math.exp(-0.05))]]
    longer = shaped(Conciseness(rate=0.5), said(100), said(1, success=False), said(300))
    assert longer == [[pytest.approx(math.exp(0.5))], [-1.0], [pytest.approx(math.exp(-0.5))]]


def test_who_is_alone_is_as_long_as_can_be_expected() -> None:
    assert shaped(Conciseness(), said(5), said(9, success=False)) == [[1.0], [-1.0]]
    assert shaped(Conciseness(), said(5)) == [[1.0]]
    assert shaped(Conciseness(), said(5), said(5)) == [[1.0], [1.0]]


def test_tokens_of_the_environment_are_not_counted() -> None:
    wordy = said(1, 1)
    wordy.samples = [sample([[7], [7]]), *[sample([[]])] * 9]
    assert shaped(Conciseness(), wordy, said(2)) == [[0.0, 1.0], [1.0]]


def test_an_episode_without_turns_has_nothing_to_pay() -> None:
    assert shaped(Conciseness(), episode(), said(5)) == [[], [1.0]]
