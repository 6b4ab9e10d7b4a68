"""The task of a number, split and level.

A hash of what a task is about (its kind, names and words) decides its split, so no topic is in two splits.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np

from agentgym.environments._options import Split
from agentgym.environments.terminal import combining, filing, packing, running, writing
from agentgym.environments.terminal.task import Task

__all__ = ["LEVELS", "Level", "split_of", "task_of"]

Level: TypeAlias = Literal["t1", "t2", "t3", "t4"]

_Kind: TypeAlias = Callable[[np.random.Generator], Task]

LEVELS: dict[Level, tuple[_Kind, ...]] = {
    "t1": (filing.made, filing.noted, filing.copied, filing.renamed, filing.moved, filing.deleted),
    "t2": (
        *(filing.locked, writing.counted, writing.chosen, writing.first, writing.distinct, writing.column),
        *(writing.replaced, packing.compressed, running.ran),
    ),
    "t3": (filing.gathered, writing.summed, packing.packed, packing.unpacked, running.made_executable, running.stopped),
    "t4": (combining.reported, combining.ranked, combining.cleaned, combining.sorted_out),
}
"""Level → kinds of tasks: one plain command; one with an option or a pipe; one of a tool, or two; several."""


@functools.lru_cache(maxsize=256)  # snapshots come back to the same task again and again
def task_of(number: int, split: Split, level: Level, seed: int) -> Task:
    """The task of that number: the first of its own draws that belongs to ``split``."""
    rng = np.random.default_rng([seed, int(level[1:]), number])
    while True:
        task = LEVELS[level][rng.integers(len(LEVELS[level]))](rng)
        if split_of(task.topic) == split:
            return task


def split_of(topic: tuple[str, ...]) -> Split:
    """The split that a topic belongs to: 8 of 10 train."""
    bucket = hashlib.blake2b(repr(topic).encode(), digest_size=2).digest()[0] % 10
    return "train" if bucket < 8 else "validation" if bucket == 8 else "test"
