"""The split of a task: its bounds to the number, and which task is drawn where none is given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agentgym.environments._options import task_and_split
from agentgym.errors import UserError


class Extreme:
    """Draws the smallest or the largest number there is to draw."""

    def __init__(self, *, largest: bool) -> None:
        self.largest = largest

    def integers(self, low: int, high: int | None = None) -> int:
        least, end = (0, low) if high is None else (low, high)
        return end - 1 if self.largest else least


def split_of(task: Any) -> tuple[int, str]:
    return task_and_split(task, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("task", "split"),
    [
        (0, "train"),
        (999_999, "train"),
        (1_000_000, "validation"),
        (1_000_999, "validation"),
        (1_001_000, "test"),
        (1_001_999, "test"),
        (np.int64(1_001_000), "test"),
    ],
)
def test_the_first_and_the_last_task_of_each_split(task: Any, split: str) -> None:
    found = split_of(task)
    assert found == (task, split)
    assert type(found[0]) is int


@pytest.mark.parametrize("task", [-1, 1_002_000, "0", 0.0])
def test_what_is_no_task(task: Any) -> None:
    with pytest.raises(UserError, match=rf"task {task!r} does not exist: tasks are the numbers 0 to 1001999"):
        split_of(task)


def test_without_a_task_every_training_task_may_come_and_no_other() -> None:
    rng: Any = Extreme(largest=False)
    assert task_and_split(None, rng) == (0, "train")
    rng = Extreme(largest=True)
    assert task_and_split(None, rng) == (999_999, "train")
    drawn = np.random.default_rng(3)
    assert len({task_and_split(None, drawn)[0] for _ in range(20)}) == 20


def test_a_task_that_is_given_costs_no_draw() -> None:
    rng = np.random.default_rng(5)
    task_and_split(7, rng)
    assert rng.integers(1_000) == np.random.default_rng(5).integers(1_000)
