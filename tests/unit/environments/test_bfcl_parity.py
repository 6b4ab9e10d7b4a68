"""Our verdict is that of the package's own checker: on ground truths, and on runs that are nearly right."""

from __future__ import annotations

import collections

import pytest

from agentgym.environments.bfcl import BFCL
from agentgym.environments.bfcl.data import CATEGORIES
from tests.unit.environments.bfcl_kit import checker_says, environment_says, mutated_runs, truth

SIZES = [pytest.param(8, 240, id="sample"), pytest.param(1, 2000, id="all", marks=pytest.mark.slow)]
"""Every how many-th task, and how many mutated runs."""


@pytest.fixture(scope="module")
def env() -> BFCL:
    return BFCL(level="all")


@pytest.mark.parametrize(("every", "_count"), SIZES)
def test_ground_truths_are_right_for_both(env: BFCL, every: int, _count: int) -> None:
    tasks = list(env.benchmark.tasks.values())[::every]
    assert len(tasks) == 800 // every
    assert {task.category for task in tasks} == set(CATEGORIES)
    assert [task.id for task in tasks if not environment_says(env, task, truth(task))] == []
    assert [task.id for task in tasks if not checker_says(task, truth(task))] == []


@pytest.mark.parametrize(("_every", "count"), SIZES)
def test_mutated_runs_get_the_same_verdict(env: BFCL, _every: int, count: int) -> None:
    verdicts: collections.Counter[bool] = collections.Counter()
    for number, (task, run) in enumerate(mutated_runs(env.benchmark, count, seed=20)):
        ours, theirs = environment_says(env, task, run), checker_says(task, run)
        assert ours == theirs, f"run {number} of {task.id}: {run}"
        verdicts[ours] += 1
    assert min(verdicts[True], verdicts[False]) > count / 5  # neither verdict is the rule
