"""By perplexity: a window moves from what the policy is surest of to the rest as the reviews succeed."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agentgym
from agentgym.curricula.by_perplexity import ByPerplexity
from agentgym.curriculum import Outcome
from agentgym.errors import ConfigError
from tests.unit.curricula.simulated import (
    GROUPS,
    RUNGS,
    goes_on_alike,
    heard,
    longest_absence,
    of_task,
    rungs_drawn,
    versus_uniform,
)


def surer_of_the_first(**settings: Any) -> ByPerplexity:
    """Ten tasks, of which the policy is the less sure the higher their number is."""
    one = ByPerplexity(range(10), seed=1, **settings)
    one.learn([of_task(task, False, logprobs=[-task / 10]) for task in range(10)])
    return one


def played(one: ByPerplexity) -> set[Any]:
    """Tasks that are drawn outside of reviews."""
    return {one.draw(n).task for n in range(400) if n % 4 != 3}


def review(*successes: bool) -> Outcome:
    """What became of a review: ordinal 3 is one."""
    return of_task(0, *successes, ordinal=3, logprobs=[0.0] * len(successes))


def test_the_window_moves_as_the_reviews_succeed_and_back_as_they_fail() -> None:
    one = surer_of_the_first(width=0.3, enough=0.6, half_life=8)
    assert (one.begin, played(one)) == (0, {0, 1, 2})
    one.learn([of_task(task, True, logprobs=[-task / 10]) for task in range(10)])
    assert one.begin == 0, "others than reviews do not move it"
    one.learn([review(True, True, *[False] * 5)])
    assert one.begin == pytest.approx(0.7 * (2 / 8) / 0.6)  # one more episode counts as failed: 2 of 8
    assert played(one) == {2, 3, 4, 5}
    one.learn([review(*[True] * 8)])
    assert (one.begin, played(one)) == (0.7, {7, 8, 9})
    one.learn([review(*[False] * 40)])
    assert one.begin < 0.05


def test_perplexity_is_of_all_tokens_that_are_known_and_newer_groups_count_more() -> None:
    one = ByPerplexity(range(10), seed=1)
    one.learn([of_task(4, True, False, False, logprobs=[-1.0, -2.0, None])])
    assert one.logprobs == {4: -1.5}
    one.learn([of_task(4, True, logprobs=[-0.5])])
    assert one.logprobs == {4: -1.0}
    assert {draw.level for draw in map(one.draw, range(99)) if draw.task == 4} == {math.e}
    one.learn([of_task(4, True, logprobs=[None]), of_task(5, False)])
    assert one.logprobs == {4: -1.0}, "a group without tokens says nothing of them"


def test_as_many_ordinals_play_unknown_tasks_as_there_are() -> None:
    one = ByPerplexity(range(100), seed=1)
    one.learn([of_task(task, True, logprobs=[-1.0]) for task in range(25)])
    tasks = [one.draw(n).task for n in range(3000) if n % 4 != 3]
    assert sum(int(task) < 25 for task in tasks) / len(tasks) == pytest.approx(0.25, abs=0.06)


def test_levels_need_no_order() -> None:
    one = ByPerplexity(range(10), seed=1, option="rung", levels=(5, 1), width=0.5)
    one.learn([heard(5, False, logprobs=[-3.0]), heard(1, False, logprobs=[-1.0])])
    assert {one.draw(n).options["rung"] for n in range(40) if n % 4 != 3} == {1}
    assert one.state() == {"counts": [0, 0], "logprobs": [[5, -3.0], [1, -1.0]]}


@given(st.sampled_from([{}, RUNGS]), GROUPS, st.integers(0, 14))
def test_it_goes_on_from_a_checkpoint_at_any_moment(settings: Any, groups: list[list[bool]], at: int) -> None:
    goes_on_alike(lambda: ByPerplexity(range(10), seed=3, **settings), groups, at)


@pytest.mark.parametrize("forgets", [False, True])
def test_over_levels_it_beats_uniform(forgets: bool) -> None:
    assert versus_uniform(lambda seed: ByPerplexity(range(60), seed=seed, **RUNGS), forgets=forgets) < 0.9


def test_over_tasks_it_beats_uniform_also_where_there_are_many_of_each_rung() -> None:
    ratio = versus_uniform(lambda seed: ByPerplexity(range(60), seed=seed), tasks_per_rung=10)
    assert ratio < 0.9


@pytest.mark.parametrize(("settings", "bound"), [(RUNGS, 4 * 6), ({}, 2 * 4 * 6)], ids=["levels", "tasks"])
def test_it_starves_nothing(settings: Any, bound: int) -> None:
    assert longest_absence(rungs_drawn(ByPerplexity(range(6), seed=2, **settings)), 6) <= bound


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"levels": [1, 2]}, "curriculum.levels has no effect without curriculum.option"),
        ({"width": 0}, "curriculum.width"),
        ({"width": 1}, "curriculum.width is 1: a window of everything never moves.*leave"),
        ({"enough": 1.5}, "curriculum.enough"),
    ],
)
def test_bad_settings_are_told(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        agentgym.plugins("curricula").build("by-perplexity", options, range(5), seed=0)
