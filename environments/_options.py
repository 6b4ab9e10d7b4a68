"""What environments whose tasks are draws of a split share: options with known values, and the split of a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, TypeVar, get_args

import numpy as np

from agentgym.env import SPLITS
from agentgym.errors import ConfigError, UserError, did_you_mean

__all__ = ["Split", "one_of", "task_and_split"]

Split: TypeAlias = Literal["train", "validation", "test"]
Choice = TypeVar("Choice", bound=str)


def one_of(option: str, value: Choice, known: Sequence[str]) -> Choice:
    """``value`` itself. Raises ConfigError when it is not among ``known``.

    >>> one_of("level", "n4", ["n3", "n4"])
    'n4'
    """
    if value not in known:
        raise ConfigError(f'{option} is "{value}".{did_you_mean(str(value), known)} Known: {", ".join(known)}')
    return value


def task_and_split(given: Any, rng: np.random.Generator) -> tuple[int, Split]:
    """A task's number and split; a random train task for None. Raises UserError for what is no task."""
    task = int(rng.integers(len(SPLITS["train"]))) if given is None else given
    for split in get_args(Split):
        if isinstance(task, int | np.integer) and task in SPLITS[split]:
            return int(task), split
    raise UserError(f"task {task!r} does not exist: tasks are the numbers 0 to {SPLITS['test'][-1]}")
