"""Buckets: the mix stands where the policy has come to, and shifts as buckets are solved and forgotten."""

from __future__ import annotations

import collections
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agentgym
from agentgym.curricula.buckets import Buckets
from agentgym.errors import ConfigError, UserError
from agentgym.types import TaskId
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


def mix(buckets: Buckets, num: int = 3000) -> dict[TaskId, float]:
    """How often each level, or else task, is drawn outside of reviews."""
    draws = [buckets.draw(n) for n in range(num) if n % 4 != 3]
    counts = collections.Counter(draw.options["rung"] if draw.options else draw.task for draw in draws)
    return {arm: count / len(draws) for arm, count in counts.items()}


def test_the_place_is_how_many_buckets_are_solved() -> None:
    buckets = Buckets(range(50), seed=1, **RUNGS, enough=0.6, half_life=8)
    assert buckets.place == 0
    buckets.learn([heard(0, *[True] * 3, *[False])])
    assert buckets.place == pytest.approx(3 / 5 / 0.6)  # one more episode counts as failed: 3 of 5
    buckets.learn([heard(1, *[True, *[False] * 4])])
    assert buckets.place == pytest.approx(1 + 1 / 6 / 0.6)
    buckets.learn([heard(0, *[True] * 8)])
    assert buckets.place == pytest.approx(1 + 1 / 6 / 0.6), "none counts for more than one"
    buckets.learn([heard(0, *[False] * 8)])
    assert buckets.place == pytest.approx((3 / 4 + 8 / 2) / (1 + 8 + 5) / 0.6 + 1 / 6 / 0.6), "half after eight"


def test_a_bucket_is_played_by_how_near_it_is_to_the_place() -> None:
    buckets = Buckets(range(50), seed=1, option="rung", levels=(0, 1, 2), width=0.5)
    weights = [math.exp(-(((bucket + 0.5) / 0.5) ** 2) / 2) for bucket in range(3)]
    seen = mix(buckets)
    assert [seen.get(rung, 0) for rung in range(3)] == pytest.approx([w / sum(weights) for w in weights], abs=0.04)
    buckets.learn([heard(rung, *[True] * 8) for rung in (0, 1)])
    assert max(mix(buckets).items(), key=lambda pair: pair[1])[0] in (1, 2)  # at 2, between both
    buckets.learn([heard(rung, *[False] * 16) for rung in (0, 1)])
    assert mix(buckets)[0] > 0.6, "what was forgotten is played again"


def test_tasks_stay_in_the_bucket_of_their_first_group() -> None:
    buckets = Buckets(range(6), seed=1, buckets=4)
    first = [of_task(0, *[True] * 4), of_task(1, *[True] * 3, False), of_task(2, True, *[False] * 3)]
    buckets.learn([*first, of_task(3, *[False] * 4), of_task(3, *[True] * 4)])
    assert buckets.bucket_of == {0: 0, 1: 1, 2: 3, 3: 3}
    assert buckets.counts[3][0] == pytest.approx(1 / 2 + 4)
    levels = {draw.task: draw.level for draw in map(buckets.draw, range(200))}
    assert [levels[task] for task in range(6)] == [0, 1, 3, 3, None, None]


def test_buckets_without_tasks_do_not_count_and_tasks_share_what_their_bucket_has() -> None:
    buckets = Buckets(range(3), seed=1, buckets=10, width=0.2)
    buckets.learn([of_task(0, *[True] * 8), *[of_task(task, *[False] * 8) for task in (1, 2)]])
    assert buckets.place == 1  # of two buckets
    assert mix(buckets) == pytest.approx({0: 0.5, 1: 0.25, 2: 0.25}, abs=0.04)


def test_as_many_ordinals_play_unknown_tasks_as_there_are() -> None:
    buckets = Buckets(range(100), seed=1)
    buckets.learn([of_task(task, True, False) for task in range(25)])
    assert sum(share for task, share in mix(buckets).items() if int(task) < 25) == pytest.approx(0.25, abs=0.06)


@given(st.sampled_from([{}, RUNGS]), GROUPS, st.integers(0, 14))
def test_it_goes_on_from_a_checkpoint_at_any_moment(settings: Any, groups: list[list[bool]], at: int) -> None:
    goes_on_alike(lambda: Buckets(range(10), seed=3, **settings), groups, at)


@pytest.mark.parametrize("forgets", [False, True])
def test_over_levels_it_beats_uniform_by_far(forgets: bool) -> None:
    assert versus_uniform(lambda seed: Buckets(range(60), seed=seed, **RUNGS), forgets=forgets) < 0.75


@pytest.mark.parametrize("forgets", [False, True])
def test_over_tasks_it_is_not_far_behind(forgets: bool) -> None:
    assert versus_uniform(lambda seed: Buckets(range(6), seed=seed), forgets=forgets) < 1.25


@pytest.mark.parametrize(("settings", "bound"), [(RUNGS, 4 * 6), ({}, 2 * 4 * 6)], ids=["levels", "tasks"])
def test_it_starves_nothing(settings: Any, bound: int) -> None:
    assert longest_absence(rungs_drawn(Buckets(range(6), seed=2, **settings)), 6) <= bound


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"option": "rung", "levels": []}, "curriculum.option has no effect without curriculum.levels"),
        ({**RUNGS, "buckets": 3}, "curriculum.buckets has no effect beside curriculum.levels, found 3 and .*leave out"),
        ({"buckets": 1}, "curriculum.buckets"),
        ({"enough": 0}, "curriculum.enough"),
    ],
)
def test_bad_settings_are_told(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        agentgym.plugins("curricula").build("buckets", options, range(5), seed=0)


def test_an_unknown_level_is_told() -> None:
    buckets = Buckets(range(5), seed=0, **RUNGS)
    with pytest.raises(UserError, match="unknown level 7 of the option rung"):
        buckets.learn([heard(0, True), heard(7, True)])
    assert buckets.counts == {}
    with pytest.raises(UserError, match="unknown level 7"):
        buckets.load_state({"counts": [[7, 1.0, 2.0]], "buckets": []})
