"""Streams of search: a search for the target, written down as text with its dead ends (arXiv 2404.03683).

``trace`` searches a puzzle by one of the strategies and writes what it does in the words of the paper's data::

    Current State: 24:[8, 3, 1], Operations: []
    Exploring Operation: 8*3=24, Resulting Numbers: [1, 24]
    Generated Node #0,0: 24:[1, 24] Operation: 8*3=24
    Moving to Node #0,0
    Current State: 24:[1, 24], Operations: ['8*3=24']
    Exploring Operation: 24*1=24, Resulting Numbers: [24]
    24,24 equal: Goal Reached

Depth first goes to the better children first and backtracks ("Moving to Node #0"); a state that is worse than the
target is not gone to. Breadth first keeps the best 1 to 5 children of each state. Which is better is told by the mean
distance to the target ("sum") or to its nearest factors ("multiply"). "optimal" writes the way to the target alone, as
the paper's baseline learns it.

Departs from the paper's generator in that the children of breadth first are explored best first, not shuffled, in that
a state's equal children come once, and in that zero has no quotient. ``judge`` reads a stream back without running it.
From the command line, as text for training elsewhere, one JSON object a puzzle::

    python -m agentgym.environments.countdown.streams --level n4 --strategy mixed --tasks 1000 --output streams.jsonl

Here, ``agentgym train --env countdown --env.mode stream --trainer sft`` learns from the same streams.
"""

from __future__ import annotations

import argparse
import dataclasses
import heapq
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np

from agentgym.env import SPLITS
from agentgym.environments._options import Split
from agentgym.environments.countdown.arithmetic import Operation, operations, parse_operation
from agentgym.environments.countdown.puzzles import Puzzle, puzzle_of_task
from agentgym.environments.countdown.solver import solution

__all__ = ["STRATEGIES", "Strategy", "Stream", "judge", "main", "mixed", "opening", "trace"]

Heuristic: TypeAlias = Callable[[Sequence[int], int], float]


def _mean_distance(numbers: Sequence[int], target: int) -> float:
    return sum(abs(number - target) for number in numbers) / len(numbers)


def _distance_to_factors(numbers: Sequence[int], target: int) -> float:
    factors = [factor for factor in range(2, target + 1) if target % factor == 0]
    return float(sum(min(abs(number - factor) for factor in factors) for number in numbers))


_HEURISTICS: dict[str, Heuristic] = {"sum": _mean_distance, "multiply": _distance_to_factors}

Strategy: TypeAlias = Literal[
    "dfs-sum", "dfs-multiply",
    "bfs-1-sum", "bfs-1-multiply", "bfs-2-sum", "bfs-2-multiply", "bfs-3-sum", "bfs-3-multiply",
    "bfs-4-sum", "bfs-4-multiply", "bfs-5-sum", "bfs-5-multiply",
    "optimal",
]  # fmt: skip
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
"""What ``trace`` can follow: the twelve of the paper and its baseline."""


@dataclasses.dataclass(frozen=True, slots=True)
class Stream:
    """A search as text."""

    text: str
    """Lines, the first of which tells the puzzle."""
    solved: bool
    num_explored: int
    """Operations that were tried."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Node:
    numbers: tuple[int, ...]
    path: tuple[Operation, ...] = ()
    name: str = "0"

    def state(self, target: int) -> str:
        told = [_told(operation) for operation in self.path]
        return f"Current State: {target}:{list(self.numbers)}, Operations: {told}"

    def children(self, rank: Callable[[Sequence[int]], float]) -> list[_Node]:
        """Best first, named by their place."""
        found = []
        for operation in operations(self.numbers):
            left = operation.applied(self.numbers)
            assert left is not None
            found.append(_Node(left, (*self.path, operation)))
        found.sort(key=lambda node: rank(node.numbers))
        return found

    def named(self, name: str) -> _Node:
        return dataclasses.replace(self, name=name)


def _told(operation: Operation) -> str:
    return f"{operation.left}{operation.operator}{operation.right}={operation.result}"


def opening(puzzle: Puzzle) -> str:
    """The first line of every stream of a puzzle."""
    return _Node(puzzle.numbers).state(puzzle.target)


def trace(puzzle: Puzzle, strategy: Strategy, *, threshold: float | None = None) -> Stream:
    """Search ``puzzle`` by one of ``STRATEGIES``.

    ``threshold`` is the worst rank that depth first goes to; by default it is the target, as in the paper, and with
    ``math.inf`` depth first always arrives.
    """
    kind, *rest = strategy.split("-")
    if kind == "optimal":
        lines = list(_optimal(puzzle))
    else:
        heuristic = _HEURISTICS[rest[-1]]

        def rank(numbers: Sequence[int]) -> float:
            return heuristic(numbers, puzzle.target)

        root, limit = _Node(puzzle.numbers), puzzle.target if threshold is None else threshold
        search = (
            _depth_first(root, puzzle.target, rank, limit)
            if kind == "dfs"
            else _breadth_first(root, puzzle.target, rank, int(rest[0]))
        )
        lines = list(search)
    explored = sum(line.startswith("Exploring") for line in lines)
    return Stream("\n".join(lines), lines[-1].endswith("Goal Reached"), explored)


def _explored(node: _Node, target: int) -> Iterator[str]:
    yield f"Exploring Operation: {_told(node.path[-1])}, Resulting Numbers: {list(node.numbers)}"
    if len(node.numbers) > 1:
        yield f"Generated Node #{node.name}: {target}:{list(node.numbers)} Operation: {_told(node.path[-1])}"
    elif node.numbers[0] == target:
        yield f"{target},{target} equal: Goal Reached"
    else:
        yield f"{node.numbers[0]},{target} unequal: No Solution"


def _depth_first(node: _Node, target: int, rank: Callable[[Sequence[int]], float], limit: float) -> Iterator[str]:
    """Lines, up to the goal if it is below ``node``."""
    yield node.state(target)
    children = [child for child in node.children(rank) if rank(child.numbers) <= limit]
    for place, child in enumerate(children):
        child = child.named(f"{node.name},{place}")
        if place:
            yield f"Moving to Node #{node.name}"
            yield node.state(target)
        line = ""
        for line in _explored(child, target):
            yield line
        if len(child.numbers) > 1:
            yield f"Moving to Node #{child.name}"
            for line in _depth_first(child, target, rank, limit):
                yield line
        if line.endswith("Goal Reached"):
            return


def _breadth_first(root: _Node, target: int, rank: Callable[[Sequence[int]], float], width: int) -> Iterator[str]:
    """Lines; the frontier is a heap by rank, and ``width`` nodes are taken from it at a time."""
    frontier: list[tuple[float, int, _Node]] = [(rank(root.numbers), 0, root)]
    num_pushed = 1
    while frontier:
        batch = [heapq.heappop(frontier)[2] for _ in range(min(width, len(frontier)))]
        for node in batch:
            if node is not root:
                yield f"Moving to Node #{node.name}"
            yield node.state(target)
            for place, child in enumerate(node.children(rank)[:width]):
                child = child.named(f"{node.name},{place}")
                line = ""
                for line in _explored(child, target):
                    yield line
                if line.endswith("Goal Reached"):
                    return
                if len(child.numbers) > 1:
                    heapq.heappush(frontier, (rank(child.numbers), num_pushed, child))
                    num_pushed += 1
    yield "No solution found."


def _optimal(puzzle: Puzzle) -> Iterator[str]:
    node = _Node(puzzle.numbers)
    plan = solution(puzzle.numbers, puzzle.target, use_all=True)
    assert plan is not None, "puzzles are made solvable"
    for operation in plan:
        yield node.state(puzzle.target)
        left = operation.applied(node.numbers)
        assert left is not None
        node = _Node(left, (*node.path, operation), f"{node.name},0")
        yield from _explored(node, puzzle.target)


def mixed(puzzle: Puzzle, rng: np.random.Generator, *, longest: int | None = None) -> Stream:
    """By a strategy drawn at random, another one if that does not arrive or takes more than ``longest`` characters.

    The paper draws one strategy a puzzle and keeps also what fails; a policy that must succeed before it is trained by
    reinforcement is better served by what arrives. Where none does, the optimal way is told.
    """
    for place in rng.permutation(len(STRATEGIES) - 1):
        stream = trace(puzzle, STRATEGIES[int(place)])
        if stream.solved and (longest is None or len(stream.text) <= longest):
            return stream
    return trace(puzzle, "optimal")


_GOAL = re.compile(r"^(\d+),(\d+) equal: Goal Reached", re.MULTILINE | re.ASCII)
_STATE = re.compile(r"^Current State: \d+:\[[\d, ]*\], Operations: \[([^\]\n]*)\]", re.MULTILINE | re.ASCII)
_EXPLORED = re.compile(r"^Exploring Operation: ([^,\n]*), Resulting Numbers", re.MULTILINE)


def judge(text: str, puzzle: Puzzle) -> str | None:
    """What is wrong with the way that a stream claims to have found, or None when it leads to the target.

    The way is what the last "Current State" before "Goal Reached" has behind it, and the operation explored last.
    Detours need not be right, as in the paper; the way must be, number by number.
    """
    goal = _GOAL.search(text)
    if goal is None:
        return 'the search does not say "Goal Reached"'
    states = _STATE.findall(text, 0, goal.start())
    explored = _EXPLORED.findall(text, 0, goal.start())
    if not states or not explored:
        return "the search reaches the goal from nowhere"
    told = [part.strip(" '\"") for part in states[-1].split(",") if part.strip()]
    numbers = puzzle.numbers
    for step in (*told, explored[-1]):
        operation = parse_operation(step)
        if isinstance(operation, str):
            return operation
        left = operation.applied(numbers)
        if left is None:
            return f"{operation} is of numbers that are not there: {', '.join(map(str, numbers))}"
        numbers = left
    return None if numbers == (puzzle.target,) else f"the way ends with {', '.join(map(str, numbers))}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Write streams to a file; the module's docstring has an example."""
    parser = argparse.ArgumentParser(description="Streams of search, one JSON object a puzzle.")
    parser.add_argument("--level", choices=["n3", "n4", "n5", "n6"], default="n4")
    parser.add_argument("--split", choices=get_args(Split), default="train")
    parser.add_argument("--strategy", choices=[*STRATEGIES, "mixed"], default="mixed")
    parser.add_argument("--tasks", type=int, default=100, help="how many puzzles")
    parser.add_argument("--seed", type=int, default=0, help="of the puzzles and of what is mixed")
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args(arguments)
    solved = 0
    with given.output.open("w", encoding="utf-8") as file:
        for task in SPLITS[given.split][: given.tasks]:
            puzzle = puzzle_of_task(task, given.split, int(given.level[1:]), given.seed)
            rng = np.random.default_rng([given.seed, task])
            stream = mixed(puzzle, rng) if given.strategy == "mixed" else trace(puzzle, given.strategy)
            solved += stream.solved
            prompt, completion = stream.text.split("\n", 1)
            record = {"task": task, "prompt": prompt, "completion": completion, "solved": stream.solved}
            file.write(json.dumps(record) + "\n")
    print(f"{given.tasks} streams in {given.output}, {solved} of them reach the target")


if __name__ == "__main__":
    main()
