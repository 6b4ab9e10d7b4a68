"""The bandit: arms are drawn by what their groups paid of late, and a group pays where its episodes differ."""

from __future__ import annotations

import collections
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agentgym
from agentgym.curricula.bandit import Bandit, payment
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


@given(st.lists(st.booleans(), min_size=1, max_size=16))
def test_a_group_pays_its_mean_absolute_advantage(successes: list[bool]) -> None:
    mean = sum(successes) / len(successes)
    deviation = math.sqrt(sum((success - mean) ** 2 for success in successes) / len(successes))
    advantages = [(success - mean) / deviation if deviation else 0 for success in successes]
    assert payment(successes) == pytest.approx(sum(map(abs, advantages)) / len(advantages))


def test_the_worth_of_an_arm_follows_what_it_pays() -> None:
    bandit = Bandit(range(50), seed=1, **RUNGS, rate=0.25)
    bandit.learn([heard(2, *[True] * 4)])
    assert bandit.worth == {2: 0.75}  # from 1, what was never played is worth
    bandit.learn([heard(2, *[True] * 4), heard(2, True, False)])
    assert bandit.worth == {2: 0.75 * 0.75 * 0.75 + 0.25}


def test_arms_are_drawn_by_the_exponential_of_their_worth() -> None:
    bandit = Bandit(range(5), seed=1, temperature=0.5, rate=1)
    bandit.learn([of_task(0, True, True), of_task(1, True, *[False] * 4), of_task(2, True, False)])
    assert bandit.worth == {0: 0, 1: pytest.approx(0.8), 2: 1}
    tasks = [bandit.draw(n).task for n in range(5000) if n % 4 != 3]
    weights = [math.exp(worth / 0.5) for worth in (0, 0.8, 1, 1, 1)]
    drawn = collections.Counter(tasks)
    shares = [drawn[task] / len(tasks) for task in range(5)]
    assert shares == pytest.approx([weight / sum(weights) for weight in weights], abs=0.03)


def test_where_nothing_pays_all_are_drawn_alike_however_cold_it_is() -> None:
    bandit = Bandit(range(3), seed=1, temperature=0.01, rate=1)
    bandit.learn([of_task(task, True) for task in range(3)])
    drawn = collections.Counter(bandit.draw(n).task for n in range(0, 4000, 4))
    assert [drawn[task] / 1000 for task in range(3)] == pytest.approx([1 / 3] * 3, abs=0.08)


@given(st.sampled_from([{}, RUNGS]), GROUPS, st.integers(0, 14))
def test_it_goes_on_from_a_checkpoint_at_any_moment(settings: Any, groups: list[list[bool]], at: int) -> None:
    goes_on_alike(lambda: Bandit(range(10), seed=3, **settings), groups, at)


@pytest.mark.parametrize("forgets", [False, True])
def test_over_levels_it_beats_uniform(forgets: bool) -> None:
    assert versus_uniform(lambda seed: Bandit(range(60), seed=seed, **RUNGS), forgets=forgets) < 0.92


@pytest.mark.parametrize(("settings", "bound"), [(RUNGS, 4 * 6), ({}, 2 * 4 * 6)], ids=["levels", "tasks"])
def test_it_starves_nothing(settings: Any, bound: int) -> None:
    assert longest_absence(rungs_drawn(Bandit(range(6), seed=2, **settings)), 6) <= bound


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"levels": [1, 2]}, "curriculum.levels has no effect without curriculum.option"),
        ({"temperature": 0}, "curriculum.temperature"),
        ({"rate": 0}, "curriculum.rate"),
    ],
)
def test_bad_settings_are_told(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        agentgym.plugins("curricula").build("bandit", options, range(5), seed=0)
