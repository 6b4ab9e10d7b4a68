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
    assert puzzle_of_task(7, "train", 4, 0) != puzzle_of_task(8, "train", 4, 0)


def test_tasks_lie_in_the_split_that_they_are_asked_for() -> None:
    """Whatever the number, so that a split never has another's puzzle."""
    for split in ("train", "validation", "test"):
        assert {split_of(puzzle_of_task(task, split, 3, 0)) for task in range(30)} == {split}


def test_eight_of_ten_puzzles_are_for_training() -> None:
    """1000 puzzles: 800 ± 12.6 and 100 ± 9.5 of each; five of these are 63 and 48."""
    found = [split_of(Puzzle((1, 2, number), target)) for number in range(1, 51) for target in range(10, 30)]
    assert abs(found.count("train") - 800) <= 63
    assert abs(found.count("validation") - 100) <= 48
    assert abs(found.count("test") - 100) <= 48


class Chosen:
    """Draws these numbers, and then always the operation of that place from the end."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = numbers
        self.bounds: list[tuple[int, int]] = []
        self.choices: list[int] = []

    def integers(self, low: int, high: int = 0, size: int = 0) -> object:
        if size:
            self.bounds.append((low, high))
            assert len(self.numbers) >= 2 * len(self.bounds), "another pair is drawn"
            return np.array([self.numbers[2 * len(self.bounds) - 2 : 2 * len(self.bounds)]]).ravel()
        self.choices.append(low)
        return 0


@pytest.mark.parametrize(("pair", "target"), [((5, 5), 10), ((50, 50), 100), ((1, 9), 10)])
def test_targets_are_10_to_100(pair: tuple[int, int], target: int) -> None:
    rng = Chosen(*pair)
    assert draw_puzzle(2, rng) == (pair, target)  # type: ignore[arg-type]
    assert rng.bounds == [(1, 100)], "numbers are 1 to 99"


@pytest.mark.parametrize("pair", [(4, 5), (50, 51)])
def test_a_target_beyond_is_drawn_again(pair: tuple[int, int]) -> None:
    rng = Chosen(*pair, 7, 8)
    assert draw_puzzle(2, rng) == ((7, 8), 15)  # type: ignore[arg-type]


@pytest.mark.parametrize(("pair", "choices"), [((20, 50), 3), ((91, 11), 2), ((7, 7), 3), ((40, 25), 3)])
def test_results_on_the_way_are_above_0_and_1000_at_most(pair: tuple[int, int], choices: int) -> None:
    """20 and 50: +, - and * 1000. 91 and 11: * is 1001. 7 and 7: - is 0. No quotient but 7 / 7 is whole."""
    rng = Chosen(*pair, 7, 8)
    draw_puzzle(2, rng)  # type: ignore[arg-type]
    assert rng.choices[0] == choices


@pytest.mark.parametrize(
    ("numbers", "use_all", "plan"),
    [
        ((24, 3, 1), False, []),
        ((8, 3, 1), False, ["8 * 3"]),
        ((8, 3, 1), True, ["8 * 3", "24 * 1"]),
        ((24,), True, []),
        ((23,), True, None),
        ((2, 2), False, None),
    ],
)
def test_the_shortest_way_to_24(numbers: tuple[int, ...], use_all: bool, plan: list[str] | None) -> None:
    found = solution(numbers, 24, use_all=use_all)
    assert (None if found is None else [str(operation) for operation in found]) == plan
