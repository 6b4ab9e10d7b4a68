"""The band of success: what is solved neither rarely nor nearly always, level by level or task by task."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agentgym
from agentgym.curricula.success_band import SuccessBand
from agentgym.curriculum import Outcome, drawn
from agentgym.errors import ConfigError, UserError
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


def test_it_plays_the_level_that_it_is_at_and_reviews_all_in_turn() -> None:
    band = SuccessBand(range(50), seed=1, option="rung", levels=(3, 5, 9))
    draws = [band.draw(n) for n in range(16)]
    assert [draw.options["rung"] for draw in draws] == [3, 3, 3, 3, 3, 3, 3, 5, 3, 3, 3, 9, 3, 3, 3, 3]
    assert [draw.level for draw in draws[4:8]] == [0, 0, 0, 1]
    assert [draw.task for draw in draws] == [band.order[n] for n in range(16)]


def test_success_is_the_mean_of_the_posterior_of_recent_episodes() -> None:
    band = SuccessBand(range(50), seed=1, **RUNGS, half_life=8)
    assert band.mean(0) == 0.5
    band.learn([heard(0, *[True] * 3, *[False] * 5)])
    assert (band.counts[0], band.mean(0)) == ((3, 8), 0.4)  # (3 + 1) / (8 + 2)
    band.learn([heard(0, *[False] * 8)])
    assert (band.counts[0], band.at) == ((1.5, 12), 0)  # half of the older; there is nothing below


def test_a_level_is_left_for_the_next_when_it_is_solved_and_for_the_one_before_when_it_is_not() -> None:
    band = SuccessBand(range(50), seed=1, **RUNGS)
    band.learn([heard(0, *[True] * 7)])
    assert band.at == 0, "seven episodes are no evidence"
    band.learn([heard(0, *[True] * 4)])
    assert band.at == 1
    band.learn([heard(1, *[True, False] * 4)])
    assert band.at == 1, "in the band it stays"
    band.learn([heard(1, *[False] * 8)])
    assert band.at == 0  # (4 / 2 + 1) / (8 / 2 + 8 + 2) = 3/14
    band.learn([heard(1, *[True] * 8)])
    assert band.at == 0, "what another level shows does not lift it"
    band.learn([heard(0, *[True] * 8)])
    assert band.at == 1
    assert 1 not in band.counts, "that it was solved before it was left does not count"


def test_the_bounds_belong_to_the_steps() -> None:
    band = SuccessBand(range(50), seed=1, **RUNGS, low=0.3, high=0.7)
    band.learn([heard(0, *[True] * 6, *[False] * 2)])
    assert (band.mean(0), band.at) == (0.7, 1)
    band.learn([heard(1, *[True] * 2, *[False] * 6)])
    assert (band.mean(1), band.at) == (0.3, 0)


def test_at_the_top_it_stays() -> None:
    band = SuccessBand(range(50), seed=1, option="rung", levels=("a", "b"))
    for _ in range(3):
        band.learn([Outcome(ordinal=0, draw=band.draw(0), successes=[True] * 8)])
    assert (band.at, band.counts[1]) == (1, (12, 12))


def test_it_goes_back_to_the_easiest_level_that_was_forgotten() -> None:
    band = SuccessBand(range(50), seed=1, **RUNGS)
    for rung in range(4):
        band.learn([heard(rung, *[True] * 8)])
    assert band.at == 4
    band.learn([heard(1, *[False] * 16)])
    assert band.at == 1


def test_tasks_outside_of_the_band_are_rarely_drawn_but_in_reviews() -> None:
    band = SuccessBand(range(20), seed=1, half_life=100)
    band.learn([of_task(task, *[task < 10] * 30) for task in range(18)])
    tasks = [band.draw(n).task for n in range(400)]
    inside = [task for n, task in enumerate(tasks) if n % 4 != 3]
    assert sum(task in (18, 19) for task in inside) > 0.98 * len(inside)
    assert tasks[3::4] == [band.order[n] for n in range(100)]
    assert {draw.level for draw in map(band.draw, range(50)) if draw.task in (18, 19)} == {None}
    assert band.draw(tasks.index(0)).level == pytest.approx(1 - 31 / 32, abs=1e-3)


def test_where_all_tasks_lie_outside_any_is_drawn() -> None:
    band = SuccessBand(range(3), seed=1, half_life=1e6)
    band.learn([of_task(task, *[True] * 500) for task in range(3)])
    assert {band.draw(n).task for n in range(0, 400, 4)} == {0, 1, 2}


def test_what_is_known_of_tasks_fades_by_their_own_episodes_and_by_those_of_others() -> None:
    band = SuccessBand(range(20), seed=1, half_life=8)
    band.learn([of_task(1, *[True, False] * 4)])
    assert band.counts == {1: (4, 8)}
    band.learn([of_task(1, *[True] * 8)])
    assert band.counts == {1: (9, 10)}  # a quarter of the older and 8 new ones
    band.learn([of_task(2, *[True] * 8)])
    assert band.counts == {1: (4.5, 5), 2: (8, 8)}
    for _ in range(12):
        band.learn([of_task(2, *[True] * 8)])
    assert list(band.counts) == [2]


@given(
    st.sampled_from([{}, {**RUNGS, "evidence": 4}]),
    GROUPS,
    st.integers(0, 14),
)
def test_it_goes_on_from_a_checkpoint_at_any_moment(settings: Any, groups: list[list[bool]], at: int) -> None:
    goes_on_alike(lambda: SuccessBand(range(10), seed=3, **settings), groups, at)


@pytest.mark.parametrize("forgets", [False, True])
def test_over_levels_it_beats_uniform_by_far(forgets: bool) -> None:
    assert versus_uniform(lambda seed: SuccessBand(range(60), seed=seed, **RUNGS), forgets=forgets) < 0.75


@pytest.mark.parametrize("forgets", [False, True])
def test_over_tasks_it_beats_uniform_where_each_is_a_level(forgets: bool) -> None:
    assert versus_uniform(lambda seed: SuccessBand(range(6), seed=seed), forgets=forgets) < 0.95


@pytest.mark.parametrize(("settings", "bound"), [(RUNGS, 4 * 6), ({}, 2 * 4 * 6)], ids=["levels", "tasks"])
def test_it_starves_nothing(settings: Any, bound: int) -> None:
    assert longest_absence(rungs_drawn(SuccessBand(range(6), seed=2, **settings)), 6) <= bound


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"option": "rung"}, "curriculum.option has no effect without curriculum.levels, found 'rung' alone"),
        ({"levels": [1, 2]}, r"curriculum.levels has no effect without curriculum.option, found \[1, 2\] alone"),
        ({**RUNGS, "option": "task"}, "curriculum.option is task, which is what names the task .*type the option"),
        ({"evidence": 4}, "curriculum.evidence has no effect without curriculum.levels, found 4: .*leave out"),
        ({"option": "rung", "levels": [1]}, r"expected two or more that differ, from easy to hard, found \[1\]"),
        ({"option": "rung", "levels": [1, 2, 1]}, r"that differ, from easy to hard, found \[1, 2, 1\]"),
        ({"low": 0.7, "high": 0.7}, "curriculum.low must be below curriculum.high, found 0.7 and 0.7"),
        ({"low": -1}, "curriculum.low"),
        ({**RUNGS, "evidence": 20}, "curriculum.evidence is 20, expected 8 at most.*type --curriculum.half_life 20"),
    ],
)
def test_bad_settings_are_told(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        agentgym.plugins("curricula").build("success-band", options, range(5), seed=0)


def test_an_unknown_level_is_told() -> None:
    band = SuccessBand(range(5), seed=0, **RUNGS)
    with pytest.raises(UserError, match=r"unknown level 7 of the option rung, expected one of \[0, 1, .*type"):
        band.learn([heard(7, True)])
    for state in ({"at": 7, "counts": []}, {"at": 0, "counts": [[7, 1.0, 2.0]]}):
        with pytest.raises(UserError, match="unknown level 7"):
            band.load_state(state)
    assert drawn(band, 0).options == {"rung": 0}
