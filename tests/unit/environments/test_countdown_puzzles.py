"""Puzzles can be solved, splits share none, and the solver finds what a search without shortcuts finds."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgym.env import SPLITS
from agentgym.environments.countdown.puzzles import Puzzle, draw_puzzle, puzzle_of_task, split_of
from agentgym.environments.countdown.solver import solution


def reachable(numbers: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Everything that can be left, by all operations on all ordered pairs, with floats for quotients."""
    yield numbers
    for i, j in itertools.permutations(range(len(numbers)), 2):
        a, b = numbers[i], numbers[j]
        rest = [number for k, number in enumerate(numbers) if k not in (i, j)]
        results = [a + b, a * b, a - b, a / b if b else -1]
        for result in results:
            if result >= 0 and result == int(result):
                yield from reachable((*rest, int(result)))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 20), min_size=2, max_size=4), st.integers(1, 60))
def test_the_solver_finds_what_there_is(numbers: list[int], target: int) -> None:
    given_numbers = tuple(numbers)
    left = set(reachable(given_numbers))
    plan = solution(given_numbers, target, use_all=True)
    assert (plan is not None) == ((target,) in left)
    fewest = min((len(numbers) - len(state) for state in left if target in state), default=None)
    short = solution(given_numbers, target, use_all=False)
    assert (len(short) if short is not None else None) == fewest
    for found in filter(None, (plan, short)):
        state: tuple[int, ...] | None = given_numbers
        for operation in found:
            assert operation.problem is None
            assert state is not None
            state = operation.applied(state)
        assert state is not None
        assert target in state


@pytest.mark.parametrize("num_numbers", [3, 4, 5, 6])
def test_puzzles_lie_in_range_and_can_be_solved(num_numbers: int) -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        numbers, target = draw_puzzle(num_numbers, rng)
        assert len(numbers) == num_numbers
        assert all(1 <= number <= 99 for number in numbers)
        assert 10 <= target <= 100
        assert solution(numbers, target, use_all=True)


def test_splits_share_no_puzzle_in_any_order() -> None:
    found: dict[str, set[tuple[tuple[int, ...], int]]] = {}
    for split, tasks in SPLITS.items():
        puzzles = [puzzle_of_task(task, split, 3, 0) for task in tasks[:300]]  # type: ignore[arg-type]
        found[split] = {(tuple(sorted(puzzle.numbers)), puzzle.target) for puzzle in puzzles}
    for one, other in itertools.combinations(found.values(), 2):
        assert not one & other
    assert {split_of(Puzzle(order, 24)) for order in itertools.permutations((1, 2, 3, 4))} == {
        split_of(Puzzle((1, 2, 3, 4), 24))
    }


def test_a_task_is_the_same_puzzle_every_time_and_another_with_another_seed() -> None:
    assert puzzle_of_task(7, "train", 4, 0) == puzzle_of_task(7, "train", 4, 0) != puzzle_of_task(7, "train", 4, 1)
