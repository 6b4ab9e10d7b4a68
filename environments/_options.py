"""What environments whose tasks are draws of a split share: the split of a task."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from agentgym.env import SPLITS
from agentgym.errors import UserError

__all__ = ["Split", "task_and_split"]

Split: TypeAlias = Literal["train", "validation", "test"]


def task_and_split(given: Any, rng: np.random.Generator) -> tuple[int, Split]:
    """A task's number and split; a random train task for None. Raises UserError for what is no task."""
    task = int(rng.integers(len(SPLITS["train"]))) if given is None else given
    for split in get_args(Split):
        if isinstance(task, int | np.integer) and task in SPLITS[split]:
            return int(task), split
    raise UserError(f"task {task!r} does not exist: tasks are the numbers 0 to {SPLITS['test'][-1]}")
