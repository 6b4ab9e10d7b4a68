"""A taskset as the package wants them: sums of two numbers below 20, each of the 400 pairs once.

It is imported on use only, because its classes derive from those of ``verifiers``.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import verifiers.v1 as vf

__all__ = ["Sums"]

_BELOW = 20


class SumData(vf.TaskData):  # type: ignore[misc]
    """A sum and its value."""

    answer: str


class SumTask(vf.Task[SumData]):  # type: ignore[misc]
    """Right is the value and nothing else."""

    @vf.reward  # type: ignore[untyped-decorator]
    async def right(self, task: SumData, trace: vf.Trace) -> float:
        """1 for the value."""
        return float(trace.last_reply == task.answer)


class Sums(vf.Taskset[SumTask, vf.TasksetConfig]):  # type: ignore[misc]
    """All pairs, in an order that is always the same."""

    def load(self) -> Iterator[SumTask]:
        """Every sum once."""
        pairs = [(a, b) for a in range(_BELOW) for b in range(_BELOW)]
        random.Random(0).shuffle(pairs)
        for a, b in pairs:
            yield SumTask(SumData(prompt=f"{a} + {b} =", answer=str(a + b)), self.config.task)
