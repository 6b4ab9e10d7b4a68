"""Lenient first and strict later: by hand, over the course of training, and within a group."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.errors import ConfigError, UserError
from agentgym.registry import plugins
from agentgym.rewards.strict_schedule import StrictSchedule
from agentgym.types import StopReason, Trajectory
from tests.kit import episode, sample


def played(made: float, expected: float, matched: float, *, version: int = 10) -> Trajectory:
    one = episode(0.0, samples=[sample([[7]], version=version)])
    one.turns[0].channels = {"made_calls": made, "expected_calls": expected, "matched_calls": matched}
    return one


def shaped(shaper: StrictSchedule, group: Sequence[Trajectory]) -> list[list[float]]:
    return asyncio.run(shaper.shape(group))


@pytest.mark.parametrize(
    ("report", "value"),
    [
        ((2, 2, 2), 0.75),  # strict 1, general 1 - 0.5: at the midpoint the mean of both
        ((2, 2, 1), 0.0),
        ((3, 2, 2), 0.25),
        ((0, 2, 0), -0.25),
        ((0, 0, 0), 0.75),
        ((1, 0, 0), -0.25),
    ],
)
def test_by_hand(report: tuple[float, float, float], value: float) -> None:
    assert shaped(StrictSchedule(10), [played(*report)]) == [[pytest.approx(value)]]


@pytest.mark.parametrize(("version", "s"), [(0, 1 / (1 + math.e)), (10, 0.5), (20, 1 / (1 + 1 / math.e))])
def test_strictness_grows_with_the_updates(version: int, s: float) -> None:
    """k = 0.1: ten updates either side are one unit of the exponent."""
    assert StrictSchedule(10).strictness(version) == pytest.approx(s)
    nearly_right = played(3, 2, 2, version=version)
    assert shaped(StrictSchedule(10), [nearly_right]) == [[pytest.approx((1 - s) / 2)]]
    assert StrictSchedule(10, steepness=9.0).strictness(0) < 1e-9 < 1 - 1e-9 < StrictSchedule(10).strictness(10**9)


def test_a_group_is_judged_by_its_newest_weights() -> None:
    group = [played(3, 2, 2, version=version) for version in (0, 20)]
    (old,), (new,) = shaped(StrictSchedule(10), group)
    assert old == new == pytest.approx(0.5 / (1 + math.e))


def test_what_no_weights_said_is_before_the_first_update() -> None:
    assert shaped(StrictSchedule(0), [played(2, 2, 2, version=-1)]) == [[pytest.approx(0.75)]]
    one = played(2, 2, 2)
    one.samples = []
    assert shaped(StrictSchedule(0), [one]) == [[pytest.approx(0.75)]]


def test_turns_without_a_comparison_get_nothing() -> None:
    one = episode(0.0, 0.0, stop=StopReason.TURN_LIMIT)
    assert shaped(StrictSchedule(10), [one, episode()]) == [[0.0, 0.0], []]
    with pytest.raises(UserError, match=r'"strict-schedule": .*\["expected_calls"\]; reported: none'):
        shaped(StrictSchedule(10), [episode(0.0)])


@given(st.integers(0, 6), st.integers(0, 6), st.data(), st.integers(0, 99))
def test_between_what_is_lenient_and_what_is_strict(
    made: int, expected: int, data: st.DataObject, version: int
) -> None:
    matched = data.draw(st.integers(0, min(made, expected)))
    ((value,),) = shaped(StrictSchedule(30), [played(made, expected, matched, version=version)])
    assert -0.5 <= value <= 1
    ((right,),) = shaped(StrictSchedule(30), [played(expected, expected, expected, version=version)])
    assert value <= right


def test_where_the_middle_is_must_be_said() -> None:
    with pytest.raises(ConfigError, match="midpoint"):
        plugins("rewards").build("strict-schedule", {})
