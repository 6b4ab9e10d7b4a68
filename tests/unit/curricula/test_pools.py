"""Three pools: what was solved at times in its latest group is drawn more often than the rest."""

from __future__ import annotations

import collections
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agentgym
from agentgym.curricula.pools import Pools
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


def test_each_pool_is_drawn_by_its_weight_and_what_is_unknown_is_normal() -> None:
    pools = Pools(range(8), seed=1, easy=0.25, normal=1, hard=0.5)
    pools.learn([of_task(0, *[False] * 3, True), of_task(1, *[True] * 3, False), of_task(2, *[True] * 4)])
    tasks = [pools.draw(n).task for n in range(5000) if n % 4 != 3]
    drawn = collections.Counter(tasks)
    # a quarter is still hard, three quarters are still normal; weights 0.5, 1, 0.25 and five unknown ones: 6.75
    shares = [drawn[task] / len(tasks) for task in range(8)]
    assert shares == pytest.approx([0.5 / 6.75, 1 / 6.75, 0.25 / 6.75, *[1 / 6.75] * 5], abs=0.03)
    assert {draw.task: draw.level for draw in map(pools.draw, range(99))} == {
        **dict.fromkeys(range(3, 8)),
        0: 0.75,
        1: 0.25,
        2: 0.0,
    }


def test_the_latest_group_alone_decides() -> None:
    pools = Pools(range(50), seed=1, **RUNGS)
    pools.learn([heard(2, *[True] * 8), heard(2, True, False, False)])
    assert pools.latest == {2: pytest.approx(1 / 3)}
    assert pools.state() == {"latest": [[2, pytest.approx(1 / 3)]]}


def test_reviews_go_through_the_levels_in_turn() -> None:
    pools = Pools(range(50), seed=1, option="rung", levels=(3, 5, 9))
    assert [pools.draw(n).options["rung"] for n in range(3, 24, 4)] == [3, 5, 9, 3, 5, 9]
    assert [pools.draw(n).level for n in range(3, 12, 4)] == [0, 1, 2]
    assert [pools.draw(n).task for n in range(20)] == [pools.order[n] for n in range(20)]


@given(st.sampled_from([{}, RUNGS]), GROUPS, st.integers(0, 14))
def test_it_goes_on_from_a_checkpoint_at_any_moment(settings: Any, groups: list[list[bool]], at: int) -> None:
    goes_on_alike(lambda: Pools(range(10), seed=3, **settings), groups, at)


@pytest.mark.parametrize("forgets", [False, True])
def test_it_needs_as_many_episodes_as_uniform(forgets: bool) -> None:
    ratio = versus_uniform(lambda seed: Pools(range(60), seed=seed, **RUNGS), forgets=forgets)
    assert ratio == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(("settings", "bound"), [(RUNGS, 4 * 6), ({}, 2 * 4 * 6)], ids=["levels", "tasks"])
def test_it_starves_nothing(settings: Any, bound: int) -> None:
    assert longest_absence(rungs_drawn(Pools(range(6), seed=2, **settings)), 6) <= bound


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"option": "rung"}, "curriculum.option has no effect without curriculum.levels"),
        ({"low": 0.75, "high": 0.75}, "curriculum.low must be below curriculum.high, found 0.75 and 0.75"),
        ({"hard": 0}, "curriculum.hard"),
        ({"easy": 1, "hard": 1}, "are all 1: pools of equal weight have no effect; type such as"),
    ],
)
def test_bad_settings_are_told(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        agentgym.plugins("curricula").build("pools", options, range(5), seed=0)
