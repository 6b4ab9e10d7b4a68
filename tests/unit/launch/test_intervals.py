"""Intervals against published and hand-made values, and how often they hold the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agentgym.launch.intervals import clustered, gain, paired, wilson
from agentgym.launch.score import outcomes, score
from agentgym.types import StopReason
from tests.kit import episode


def limits(found: Any) -> list[float]:
    return [round(float(limit), 4) for limit in found]


# -- shares ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("won", "num", "expected"),
    [
        (8, 10, [0.4902, 0.9433]),
        (0, 5, [0.0, 0.4345]),  # z² / (5 + z²)
        (5, 5, [0.5655, 1.0]),
        (37, 200, [0.1373, 0.2446]),
    ],
)
def test_one_episode_a_task_has_wilsons_interval(won: int, num: int, expected: list[float]) -> None:
    assert limits(wilson(won / num, num)) == expected
    assert limits(clustered([1] * won + [0] * (num - won), 1)) == expected


def test_equal_episodes_of_a_task_count_as_one() -> None:
    """Wilson's of 3 among 6, 6 among 6 and 0 among 6, with eight copies of each."""
    assert limits(clustered([8, 8, 8, 0, 0, 0], 8)) == limits(clustered([1, 1, 1, 0, 0, 0], 1)) == [0.1876, 0.8124]
    assert limits(clustered([8] * 6, 8)) == [0.6097, 1.0]
    assert limits(clustered([0] * 6, 8)) == [0.0, 0.3903]


def test_tasks_that_differ_are_worth_fewer_episodes() -> None:
    """4, 4, 0 and 2 of four: a share of 5/8, deviations 1.5, 1.5, -2.5 and -.5 with squares that sum to 11.

    The variance between tasks is 11 / 16² · 4/3, that of an episode 15/64: worth 4.0909 episodes.
    """
    assert limits(clustered([4, 4, 0, 2], 4)) == limits(wilson(0.625, 4.0909090909)) == [0.2222, 0.9068]


def test_episodes_are_never_worth_more_than_their_number_nor_less_than_the_tasks() -> None:
    assert limits(clustered([1, 2, 1, 2], 4)) == limits(wilson(0.375, 16)) == [0.1848, 0.6136]
    assert limits(clustered([3], 4)) == limits(wilson(0.75, 1))
    assert limits(clustered([6, 2], [6, 2])) == limits(wilson(1, 1.6))  # 8² / (6² + 2²)


@pytest.mark.parametrize(
    ("tasks", "samples", "easy", "hard"),
    [(20, 8, 0.3, 0.3), (25, 8, 0.5, 0.5), (50, 8, 0.2, 0.2), (50, 4, 1.0, 3.0), (200, 8, 0.3, 0.7), (60, 4, 1e6, 2e6)],
)
def test_nineteen_of_twenty_hold_the_truth(tasks: int, samples: int, easy: float, hard: float) -> None:
    """Chances of tasks from a beta distribution: all or nothing, in between, and, the last, the same for all."""
    rng = np.random.default_rng(7)
    won = rng.binomial(samples, rng.beta(easy, hard, (4000, tasks)))
    low, high = clustered(won, samples)
    truth = easy / (easy + hard)
    assert 0.93 < ((low <= truth) & (truth <= high)).mean() < 0.97


def test_the_samples_of_a_task_go_together_in_a_score() -> None:
    def played(task: int | str | None, success: bool, **more: Any) -> Any:
        return episode(1.0, task=task, success=success, **more)

    copies = [played(task, task < 3) for task in range(6) for _ in range(8)]
    seen = score(copies)
    assert (seen.success, seen.ci95, seen.episodes, seen.tasks) == (0.5, (0.1876, 0.8124), 48, 6)
    seeds = [played(None, seed < 8, seed=seed) for seed in range(10)]
    assert (score(seeds).ci95, score(seeds).tasks) == ((0.4902, 0.9433), 10)
    apart = [played(7, True), played("7", True), played(7, True, env="other"), played(7, True, seed=5)]
    assert score(apart).tasks == 3
    assert score([*copies, played(9, True, stop=StopReason.ENV_ERROR)]).tasks == 6


# -- gains -----------------------------------------------------------------------------------------------


def tasks(both: int, won: int, lost: int, neither: int) -> tuple[list[bool], list[bool]]:
    """Before and after: solved both times, only after, only before, never."""
    before = [True] * both + [False] * won + [True] * lost + [False] * neither
    return before, [True] * both + [True] * won + [False] * lost + [False] * neither


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((36, 12, 2, 0), [0.0569, 0.3404]),  # Newcombe's table II, method 10
        ((36, 14, 0, 0), [0.1528, 0.4167]),
        ((2, 30, 0, 22), [0.4007, 0.6775]),
        ((36, 2, 12, 0), [-0.3404, -0.0569]),
        ((54, 0, 0, 0), [-0.0664, 0.0664]),
    ],
)
def test_the_interval_of_paired_shares(counts: tuple[int, int, int, int], expected: list[float]) -> None:
    assert limits(paired(*tasks(*counts))) == expected


@pytest.mark.parametrize(
    ("num", "chances"),
    [
        (50, (0.3, 0.2, 0.1, 0.4)),
        (50, (0.1, 0.3, 0.02, 0.58)),
        (200, (0.4, 0.05, 0.05, 0.5)),
        (100, (0.0, 0.6, 0.02, 0.38)),
    ],
)
def test_nineteen_of_twenty_hold_the_gain(num: int, chances: tuple[float, float, float, float]) -> None:
    rng = np.random.default_rng(7)
    drawn = rng.choice(4, (4000, num), p=chances)
    low, high = paired((drawn == 0) | (drawn == 2), drawn < 2)
    truth = chances[1] - chances[2]
    assert 0.93 < ((low <= truth) & (truth <= high)).mean() < 0.97


def test_a_gain_is_of_the_tasks_that_count_both_times() -> None:
    """Of six pairs a void one is left out, and what has no partner: 1 and 4 of 5."""
    before, after = [True, False, None, False, False, False], [True, True, True, True, True, False, True]
    found = gain(before, after)
    assert found is not None
    assert found.tasks == 5
    assert found.success == pytest.approx(0.6)
    assert list(found.ci95) == limits(paired(*tasks(1, 3, 0, 1)))
    assert gain([None], [True]) is None
    assert gain([], []) is None


def test_void_episodes_have_no_outcome() -> None:
    void = episode(1.0, success=True, stop=StopReason.DEADLINE)
    assert outcomes([episode(1.0, success=True), void, episode(0.0)]) == [True, None, False]
