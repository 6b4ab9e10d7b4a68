"""Which task comes next.

The order of tasks is a pure function of the seed: ordinal n names the same task in every run and after every
resume, so a data position is one integer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from agentgym.errors import UserError
from agentgym.types import TaskId

__all__ = ["Draw", "TaskOrder"]

_BLOCK = 65536
"""Very long task lists are shuffled within blocks of so many, which come in their own order."""


@dataclasses.dataclass(frozen=True, slots=True)
class Draw:
    """What an ordinal plays."""

    task: TaskId


class TaskOrder:
    """Every task once before any comes again, in a new order each epoch. Raises UserError for no tasks."""

    def __init__(self, tasks: Sequence[TaskId], *, seed: int) -> None:
        if not len(tasks):
            raise UserError("there are no tasks in this split; choose another split or more data")
        self.tasks, self.seed = tasks, seed
        self._block: tuple[tuple[int, int], np.ndarray[tuple[int], np.dtype[np.int64]]] | None = None

    def __getitem__(self, ordinal: int) -> Draw:
        epoch, position = divmod(ordinal, len(self.tasks))
        block, offset = divmod(position, _BLOCK)
        if self._block is None or self._block[0] != (epoch, block):
            size = min(_BLOCK, len(self.tasks) - block * _BLOCK)
            rng = np.random.default_rng([self.seed, epoch, block])
            self._block = ((epoch, block), rng.permutation(size))
        return Draw(self.tasks[block * _BLOCK + int(self._block[1][offset])])
