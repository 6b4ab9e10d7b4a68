"""The strength of help: it falls as success without help rises, and rises as that falls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agentgym
from agentgym.curricula.adaptive_strength import AdaptiveStrength
from agentgym.curriculum import Outcome
from agentgym.draw import Draw
from agentgym.errors import ConfigError
from tests.unit.curricula.simulated import GROUPS, goes_on_alike, longest_absence, rungs_drawn, versus_uniform


@pytest.fixture(autouse=True, scope="module")
def augmented() -> Iterator[None]:
    """As in a run that has augmentations."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AdaptiveStrength, "run_strength", 1.0)
        yield


def helped(successes: list[bool], strengths: list[float] | None = None, drawn: float = 0.5) -> Outcome:
    draw = Draw(task=0, strength=drawn)
    return Outcome(ordinal=0, draw=draw, successes=successes, strengths=strengths or [])


def test_it_begins_with_the_strongest_help_on_every_task_in_turn() -> None:
    one = AdaptiveStrength(range(5), seed=1, strongest=0.8)
    assert [one.draw(n) for n in range(10)] == [Draw(task=one.order[n], strength=0.8) for n in range(10)]


@pytest.mark.parametrize(
    ("num_successes", "strength"), [(0, 0.8), (2, 0.8), (3, 0.6), (4, 0.4), (5, 0.2), (6, 0.0), (10, 0.0)]
)
def test_strength_falls_in_proportion_between_the_bounds(num_successes: int, strength: float) -> None:
    one = AdaptiveStrength(range(5), seed=1, low=0.2, high=0.6, strongest=0.8)
    one.learn([helped([n < num_successes for n in range(10)], [0.0] * 10)])
    assert one.strength == pytest.approx(strength)


def test_success_is_that_without_help_where_there_is_enough_of_it_and_else_that_of_all() -> None:
    one = AdaptiveStrength(range(5), seed=1, low=0, high=1, half_life=1e6)
    one.learn([helped([True, True, False, False], [0.5, 0.5, 0.5, 0.5])])
    assert one.strength == pytest.approx(0.5), "all had help"
    one.learn([helped([True, True, True, False, False], [0.5, 0.5, 0, 0, 0])])
    assert one.strength == pytest.approx(4 / 9, abs=1e-4), "three without are too few"
    one.learn([helped([True, False, False], [0.5, 0, 0])])
    assert one.strength == pytest.approx(0.8, abs=1e-4)  # one of five


def test_what_was_without_help_long_ago_does_not_hold_the_strength_for_ever() -> None:
    one = AdaptiveStrength(range(5), seed=1, low=0, high=1, half_life=4)
    one.learn([helped([False] * 8, [0.0] * 8)])
    assert one.draw(0).strength == 1
    one.learn([helped([True] * 8)])
    assert [*one.clean] == [0, 2]
    assert one.strength == pytest.approx(1 - 8 / 10)


def test_it_rises_again_when_the_policy_forgets() -> None:
    one = AdaptiveStrength(range(5), seed=1)
    one.learn([helped([True] * 64, [0.0] * 64)])
    assert one.draw(0).strength == 0
    for _ in range(6):
        one.learn([helped([False] * 64, [0.0] * 64)])
    assert one.draw(0).strength == 1


@given(GROUPS, st.integers(0, 14))
def test_it_goes_on_from_a_checkpoint_at_any_moment(groups: list[list[bool]], at: int) -> None:
    goes_on_alike(lambda: AdaptiveStrength(range(10), seed=3), groups, at)


def test_it_beats_uniform_without_help() -> None:
    assert versus_uniform(lambda seed: AdaptiveStrength(range(6), seed=seed)) < 0.95


def test_it_recovers_as_uniform_does() -> None:
    ratio = versus_uniform(lambda seed: AdaptiveStrength(range(6), seed=seed), forgets=True)
    assert ratio == pytest.approx(1, abs=0.1)


def test_it_starves_nothing() -> None:
    assert longest_absence(rungs_drawn(AdaptiveStrength(range(6), seed=2)), 6) <= 2 * 6


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"low": 0.6}, "curriculum.low must be below curriculum.high, found 0.6 and 0.6"),
        ({"strongest": 0}, "curriculum.strongest"),
        ({"strongest": 1.5}, "curriculum.strongest"),
        ({"half_life": 0}, "curriculum.half_life"),
    ],
)
def test_bad_settings_are_told(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        agentgym.plugins("curricula").build("adaptive-strength", options, range(5), seed=0)
