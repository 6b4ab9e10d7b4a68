"""The puzzles: numbers and a target that they reach, drawn by task.

A puzzle is made backwards from nothing: random operations join random numbers until one is left, and that is the
target, if it lies in range. So every puzzle can be solved with all its numbers. Numbers and targets lie where Stream of
Search (arXiv 2404.03683) has them: numbers of 1 to 99, targets of 10 to 100.

Two puzzles are the same when they have the same numbers, in any order, and the same target; a hash of that decides the
split, so that no test puzzle is a training puzzle in another order. Which of two draws are the same is left to chance.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

from agentgym.environments._options import Split
from agentgym.environments.countdown.arithmetic import operations

__all__ = ["Puzzle", "draw_puzzle", "puzzle_of_task", "split_of"]

_LARGEST = 1000
"""Of the results on the way: larger ones rarely lead back to a target of two digits."""


class Puzzle(NamedTuple):
    """What is given and what shall be reached."""

    numbers: tuple[int, ...]
    target: int


def puzzle_of_task(task: int, split: Split, num_numbers: int, seed: int) -> Puzzle:
    """The puzzle of a task: the first of the task's own draws that belongs to ``split``."""
    rng = np.random.default_rng([seed, num_numbers, task])
    while True:
        puzzle = draw_puzzle(num_numbers, rng)
        if split_of(puzzle) == split:
            return puzzle


def draw_puzzle(num_numbers: int, rng: np.random.Generator) -> Puzzle:
    """Numbers drawn uniformly, with a target that random operations on all of them lead to."""
    while True:
        numbers = left = tuple(int(number) for number in rng.integers(1, 100, size=num_numbers))
        while len(left) > 1:
            choices = [found for found in operations(left) if 0 < found.result <= _LARGEST]
            if not choices:
                break
            applied = choices[int(rng.integers(len(choices)))].applied(left)
            assert applied is not None
            left = applied
        if len(left) == 1 and 10 <= left[0] <= 100:
            return Puzzle(numbers, left[0])


def split_of(puzzle: Puzzle) -> Split:
    """Eight tenths of all puzzles are for training, one tenth each for validation and test."""
    told = f"{sorted(puzzle.numbers)} {puzzle.target}"
    share = int.from_bytes(hashlib.blake2b(told.encode(), digest_size=8).digest(), "big") % 10
    return "train" if share < 8 else "validation" if share == 8 else "test"
