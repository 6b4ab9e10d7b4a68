"""Hard cases: phases go through the levels, and what was hard in earlier ones comes again as often as it was hard."""

from __future__ import annotations

import collections
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agentgym
from agentgym.curricula.hard_cases import HardCases
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


def test_phases_go_through_the_levels_and_stay_at_the_last() -> None:
    cases = HardCases(range(50), seed=1, option="rung", levels=(3, 5, 9), phase=8, every=4)
    rungs = [cases.draw(n).options["rung"] for n in range(32)]
    assert [rungs[n] for n in range(32) if n % 4 != 3] == [3] * 6 + [5] * 6 + [9] * 12
    assert rungs[3::4] == [3, 5, 9, 3, 5, 9, 3, 5], "reviews"
    assert [cases.draw(n).level for n in (0, 8, 16)] == [0, 1, 2]


def test_cases_of_earlier_phases_come_again_as_often_as_they_were_hard() -> None:
    cases = HardCases(range(10**6), seed=1, phase=100, replay=0.5)
    groups = ((1, [True] * 6), (2, [True, False] * 3), (3, [False] * 6))
    cases.learn([of_task(task, *successes, ordinal=99) for task, successes in groups])
    assert {cases.draw(n).task for n in range(100)}.isdisjoint({1, 2, 3}), "not in the phase that played them"
    drawn = collections.Counter(cases.draw(n).task for n in range(100, 4100))
    # hardness 8/7, 2 and 8, the inverses of 7/8, 4/8 and 1/8, over their sum 11.14, of half the ordinals
    shares = [drawn[task] / 4000 for task in (1, 2, 3)]
    assert shares == pytest.approx([0.0513, 0.0897, 0.359], abs=0.04)
    assert {draw.level for draw in map(cases.draw, range(100, 4100)) if draw.task in (1, 2, 3)} == {8 / 7, 2, 8}


def test_a_case_that_is_played_again_waits_for_the_next_phase() -> None:
    cases = HardCases(range(10**6), seed=1, phase=100, replay=0.9)
    cases.learn([of_task(1, False, ordinal=0)])
    assert any(cases.draw(n).task == 1 for n in range(100, 200))
    cases.learn([of_task(1, True, ordinal=150)])
    assert not any(cases.draw(n).task == 1 for n in range(150, 200))
    assert any(cases.draw(n).task == 1 for n in range(200, 300))
    assert cases.state() == {"cases": [[1, None, 1, 1.5]]}


def test_a_case_is_a_task_at_its_level() -> None:
    cases = HardCases(range(50), seed=1, option="rung", levels=("a", "b"), phase=10, replay=0.99)
    cases.learn([agentgym.curriculum.Outcome(ordinal=3, draw=cases.draw(3), rewards=[0.0], successes=[False])])
    again = [draw for n in range(10, 20) if n % 4 != 3 and (draw := cases.draw(n)).options["rung"] == "a"]
    assert {draw.task for draw in again} == {cases.order[3]}


def test_the_hardest_are_remembered_and_of_equals_the_newest() -> None:
    cases = HardCases(range(50), seed=1, capacity=2)
    cases.learn([of_task(1, False), of_task(2, True), of_task(3, False), of_task(4, False)])
    assert [task for task, _ in cases.cases] == [3, 4]


@given(st.sampled_from([{}, RUNGS]), GROUPS, st.integers(0, 14))
def test_it_goes_on_from_a_checkpoint_at_any_moment(settings: Any, groups: list[list[bool]], at: int) -> None:
    goes_on_alike(lambda: HardCases(range(10), seed=3, **settings, phase=7), groups, at)


def test_it_beats_uniform_by_far_where_a_phase_is_long_enough_for_its_level() -> None:
    assert versus_uniform(lambda seed: HardCases(range(60), seed=seed, **RUNGS, phase=32)) < 0.75


def test_it_recovers_though_not_as_fast() -> None:
    ratio = versus_uniform(lambda seed: HardCases(range(60), seed=seed, **RUNGS, phase=32), forgets=True)
    assert 1 < ratio < 1.8


@pytest.mark.parametrize("forgets", [False, True])
def test_over_tasks_it_beats_uniform(forgets: bool) -> None:
    assert versus_uniform(lambda seed: HardCases(range(6), seed=seed, phase=8), forgets=forgets) < 0.98


@pytest.mark.parametrize(("settings", "bound"), [(RUNGS, 4 * 6), ({}, 60)], ids=["levels", "tasks"])
def test_it_starves_nothing(settings: Any, bound: int) -> None:
    assert longest_absence(rungs_drawn(HardCases(range(6), seed=2, phase=8, **settings)), 6) <= bound


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"option": "rung"}, "curriculum.option has no effect without curriculum.levels"),
        ({"replay": 0}, "curriculum.replay"),
        ({"phase": 0}, "curriculum.phase"),
        ({"every": 8}, "curriculum.every has no effect without curriculum.levels, found 8"),
    ],
)
def test_bad_settings_are_told(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        agentgym.plugins("curricula").build("hard-cases", options, range(5), seed=0)


def test_an_unknown_level_is_told() -> None:
    cases = HardCases(range(5), seed=0, **RUNGS)
    with pytest.raises(UserError, match="unknown level 7 of the option rung"):
        cases.learn([heard(7, True)])
    with pytest.raises(UserError, match="unknown level 7"):
        cases.load_state({"cases": [[0, 7, 0, 2.0]]})
