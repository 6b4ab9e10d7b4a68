"""Problems: how many there are, that they are drawn evenly, and that no split has one of another's."""

from __future__ import annotations

import collections
import itertools
import math
import random

import numpy as np
import pytest

from agentgym.environments.blocksworld.planner import shortest_plan
from agentgym.environments.blocksworld.problems import (
    Problem,
    Split,
    draw_problem,
    fingerprint,
    problem_of_task,
    split_of,
)
from agentgym.environments.blocksworld.world import World
from tests.unit.environments.blocksworld_kit import worlds


def renamed(world: World, names: dict[str, str]) -> World:
    return World.of([[names[block] for block in tower] for tower in world.towers])


def problems(blocks: str) -> list[Problem]:
    """Every problem of these blocks."""
    return [Problem(*pair) for pair in itertools.permutations(worlds(blocks), 2)]


@pytest.mark.parametrize(("blocks", "num_worlds", "num_fingerprints"), [("abc", 13, 26), ("abcd", 73, 223)])
def test_a_fingerprint_tells_apart_what_renaming_cannot_make_the_same(
    blocks: str, num_worlds: int, num_fingerprints: int
) -> None:
    """As many as Burnside's lemma counts.

    Three blocks: of the 6 renamings one keeps all 13 worlds, three (swaps of two) and two (turns of three) keep 1 each,
    so there are (13² + 3·1 + 2·1)/6 = 29 pairs, less the 3 of a world with itself. Four blocks: 1 keeps 73, 6 swaps
    keep 3, 3 double swaps keep 3, 8 turns of three keep 1, 6 turns of four keep 1: (73² + 6·9 + 3·9 + 8 + 6)/24 = 226,
    less 5.
    """
    assert len(list(worlds(blocks))) == num_worlds
    every = problems(blocks)
    assert len(every) == num_worlds * (num_worlds - 1)
    assert len(set(map(fingerprint, every))) == num_fingerprints
    turn = dict(zip(blocks, blocks[1:] + blocks[:1], strict=True))
    swap = {**{block: block for block in blocks}, "a": "b", "b": "a"}
    for problem in every:
        for names in (turn, swap):  # these two make all renamings
            other = Problem(renamed(problem.initial, names), renamed(problem.goal, names))
            assert fingerprint(other) == fingerprint(problem)


def test_three_blocks_leave_few_problems_to_each_split() -> None:
    shares = collections.Counter(split_of(problem) for problem in {fingerprint(p): p for p in problems("abc")}.values())
    assert shares == {"train": 13, "validation": 6, "test": 7}


def test_splits_share_no_problem_and_have_plans_of_like_length() -> None:
    by_split: dict[Split, list[Problem]] = collections.defaultdict(list)
    for problem in problems("abcd"):
        by_split[split_of(problem)].append(problem)
    fingerprints = {split: set(map(fingerprint, members)) for split, members in by_split.items()}
    assert {split: len(found) for split, found in fingerprints.items()} == {"train": 132, "validation": 56, "test": 35}
    assert sum(map(len, fingerprints.values())) == len(set().union(*fingerprints.values())) == 223
    lengths = [np.mean([len(shortest_plan(p.initial, p.goal)) for p in members]) for members in by_split.values()]
    assert max(lengths) - min(lengths) < 1


@pytest.mark.parametrize("num_blocks", [3, 4, 6, 8])
def test_tasks_stand_for_problems_of_their_split(num_blocks: int) -> None:
    starts: dict[Split, int] = {"train": 0, "validation": 1_000_000, "test": 1_001_000}
    found = {
        split: [problem_of_task(task, split, num_blocks, 0) for task in range(start, start + 60)]
        for split, start in starts.items()
    }
    for split, members in found.items():
        for problem in members:
            assert split_of(problem) == split
            assert problem.initial.blocks == problem.goal.blocks
            assert len(problem.initial.blocks) == num_blocks
            assert problem.initial.support != problem.goal.support
            assert problem.initial.held is problem.goal.held is None
    prints = [set(map(fingerprint, members)) for members in found.values()]
    assert not any(one & other for one, other in itertools.combinations(prints, 2))


def test_a_task_is_the_same_problem_every_time_and_another_with_another_seed() -> None:
    assert problem_of_task(5, "train", 5, 0) == problem_of_task(5, "train", 5, 0)
    assert problem_of_task(5, "train", 5, 0) != problem_of_task(5, "train", 5, 1)
    assert problem_of_task(5, "train", 5, 0) != problem_of_task(6, "train", 5, 0)


def test_worlds_are_drawn_evenly() -> None:
    """13 worlds of three blocks: the goals, renamed to a, b and c by their alphabet, come equally often.

    Of N draws a world gets N/13 ± √(N · 1/13 · 12/13): 500 ± 21.5 of 6500. Five of these are 108.
    """
    rng = np.random.default_rng(0)
    seen: collections.Counter[object] = collections.Counter()
    for _ in range(6500):
        goal = draw_problem(3, rng).goal
        names = dict(zip(sorted(goal.blocks), "abc", strict=True))
        seen[tuple(sorted(renamed(goal, names).support.items()))] += 1
    assert len(seen) == 13
    assert all(math.isclose(count, 500, abs_tol=108) for count in seen.values())


def test_the_order_of_towers_is_no_part_of_a_problem() -> None:
    rng, shuffle = np.random.default_rng(3), random.Random(3)
    for _ in range(50):
        problem = draw_problem(6, rng)
        towers = [list(world.towers) for world in (problem.initial, problem.goal)]
        for order in towers:
            shuffle.shuffle(order)
        assert fingerprint(Problem(*map(World.of, towers))) == fingerprint(problem)
