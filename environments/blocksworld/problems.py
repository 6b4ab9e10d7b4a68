"""Problems of a level: drawn by number, and kept apart by what they are rather than by what their blocks are called.

Two problems are the same *up to renaming* when new names for the blocks turn one into the other. ``fingerprint`` is the
same for exactly those, and its hash decides the split: no test problem is a training problem under other names.

There are ∑_k L(n, k) worlds of n blocks with an empty hand, with the Lah numbers L(n, k) = C(n-1, k-1) n!/k! of worlds
with k towers. A problem is an ordered pair of two different ones:

    blocks                  3       4         5            6             7               8
    worlds                 13      73       501         4051         37633          394353
    problems              156    5256    250500     16406550    1416205056    155513894256
    up to renaming         26     223      2104        22949        282235         3870320

Three blocks are for trying things out: 13 problems up to renaming are left to train on, 6 to validate, 7 to test.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import string
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from agentgym.environments._options import Split
from agentgym.environments.blocksworld.world import TABLE, World

__all__ = ["NAMES", "Problem", "Split", "draw_problem", "fingerprint", "problem_of_task", "split_of"]

NAMES = tuple(string.ascii_lowercase)
"""What blocks may be called."""


Fingerprint: TypeAlias = tuple[tuple[int, ...], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """Where the blocks are and where they shall be."""

    initial: World
    goal: World


def problem_of_task(task: int, split: Split, num_blocks: int, seed: int) -> Problem:
    """The problem of a task: the first of the task's own draws that belongs to ``split``."""
    rng = np.random.default_rng([seed, num_blocks, task])
    while True:
        problem = draw_problem(num_blocks, rng)
        if split_of(problem) == split:
            return problem


def draw_problem(num_blocks: int, rng: np.random.Generator) -> Problem:
    """Two different worlds of the same blocks, both uniform over all, under names drawn from ``NAMES``."""
    names = [NAMES[i] for i in rng.choice(len(NAMES), size=num_blocks, replace=False)]
    while True:
        initial, goal = _draw_world(names, rng), _draw_world(names, rng)
        if initial.support != goal.support:
            return Problem(initial, goal)


def _draw_world(names: list[str], rng: np.random.Generator) -> World:
    """Uniform over the worlds of these blocks with an empty hand.

    The number of towers k comes first, with probability proportional to L(n, k). The blocks in any order, cut in k
    non-empty pieces, then give each world k! times, once for every order of its towers.
    """
    n = len(names)
    weights = np.array([_lah(n, k) for k in range(1, n + 1)], dtype=np.float64)
    num_towers = 1 + int(rng.choice(n, p=weights / weights.sum()))
    order = [names[i] for i in rng.permutation(n)]
    cuts = sorted(1 + int(cut) for cut in rng.choice(n - 1, size=num_towers - 1, replace=False))
    return World.of([order[start:end] for start, end in zip([0, *cuts], [*cuts, n], strict=True)])


def _lah(n: int, k: int) -> int:
    return math.comb(n - 1, k - 1) * math.factorial(n) // math.factorial(k)


_SALT = b"8"
"""Decides which problems go where; chosen so that shortest plans are about as long in each split of the low levels."""


def split_of(problem: Problem) -> Split:
    """Of the problems up to renaming, six tenths are for training, two tenths each for validation and test."""
    digest = hashlib.blake2b(repr(fingerprint(problem)).encode(), digest_size=8, salt=_SALT).digest()
    share = int.from_bytes(digest, "big") % 10
    return "train" if share < 6 else "validation" if share < 8 else "test"


def fingerprint(problem: Problem) -> Fingerprint:
    """A form of the problem that is the same for exactly the problems that differ in names alone.

    A block has at most one block below it and one above, in the initial world and in the goal: four partial one-to-one
    maps. A walk along them from any one block numbers all that are connected with it, in an order that names play no
    part in. A connected part is told by the smallest of its walks, and the problem by its parts in order.
    """
    maps = [way for world in (problem.initial, problem.goal) for way in _ways(world)]
    walks: dict[frozenset[str], list[tuple[int, ...]]] = {}
    for start in problem.initial.blocks:
        found, walk = _walk(start, maps)
        walks.setdefault(found, []).append(walk)
    return tuple(sorted(map(min, walks.values())))


def _ways(world: World) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Block → the block below it, and block → the one above."""
    down = {block: below for block, below in world.support.items() if below != TABLE}
    return down, {below: block for block, below in down.items()}


def _walk(start: str, maps: Sequence[Mapping[str, str]]) -> tuple[frozenset[str], tuple[int, ...]]:
    """The blocks connected with ``start``, and where each map leads from each, as numbers; -1 for nowhere."""
    number, steps = {start: 0}, []
    queue = [start]
    for block in queue:  # grows while it is read
        for way in maps:
            there = way.get(block)
            if there is not None and there not in number:
                number[there] = len(number)
                queue.append(there)
            steps.append(-1 if there is None else number[there])
    return frozenset(queue), tuple(steps)
