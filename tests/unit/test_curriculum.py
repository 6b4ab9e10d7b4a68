"""The order of tasks is a function of the seed, and fair."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym import curriculum
from agentgym.curriculum import TaskOrder
from agentgym.errors import UserError


@given(st.integers(1, 40), st.integers(0, 2**40), st.integers(0, 5))
def test_every_task_comes_once_an_epoch(count: int, seed: int, epoch: int) -> None:
    order = TaskOrder(range(count), seed=seed)
    assert sorted(order[epoch * count + i] for i in range(count)) == list(range(count))


def test_an_ordinal_names_the_same_task_however_it_is_reached() -> None:
    order = TaskOrder("abcdefghij", seed=1)
    forth = [order[i] for i in range(40)]
    assert [TaskOrder("abcdefghij", seed=1)[i] for i in reversed(range(40))][::-1] == forth
    assert forth[:10] != forth[10:20]
    assert forth != [TaskOrder("abcdefghij", seed=2)[i] for i in range(40)]


def test_long_lists_are_shuffled_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curriculum, "_BLOCK", 4)
    order = TaskOrder(range(10), seed=0)
    for epoch in range(3):
        tasks = [order[epoch * 10 + i] for i in range(10)]
        assert [set(tasks[:4]), set(tasks[4:8]), set(tasks[8:])] == [{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9}]


def test_no_tasks_are_refused() -> None:
    with pytest.raises(UserError, match="no tasks in this split"):
        TaskOrder([], seed=0)
