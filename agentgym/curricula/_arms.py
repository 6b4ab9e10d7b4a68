"""What curricula share that choose among levels or tasks by what became of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from agentgym.curriculum import TaskOrder
from agentgym.errors import ConfigError, UserError
from agentgym.types import Draw, TaskId

__all__ = ["Level", "check_levels", "level_index", "next_that", "recent", "review"]

Level: TypeAlias = int | float | str
"""A value of an option of ``reset``."""


def check_levels(option: str, levels: Sequence[Level]) -> None:
    """Raises ConfigError where an option and its levels do not go together."""
    if bool(option) != bool(levels):
        have, lack = ("option", "levels") if option else ("levels", "option")
        raise ConfigError(
            f"curriculum.{have} has no effect without curriculum.{lack}, found {option or [*levels]!r} alone; give "
            "both, such as --curriculum.option size --curriculum.levels '[3, 4, 5]', or neither: the tasks are chosen"
        )
    if levels and len(set(levels)) < max(2, len(levels)):
        raise ConfigError(
            f"curriculum.levels: expected two or more that differ, from easy to hard, found {[*levels]}; "
            "type such as --curriculum.levels '[3, 4, 5]'"
        )


def level_index(draw: Draw, option: str, levels: Sequence[Level]) -> int:
    """Which of ``levels`` was drawn. Raises UserError for one that is none of them."""
    value = draw.options.get(option)
    if value not in levels:
        raise UserError(
            f"unknown level {value!r} of the option {option}, expected one of {[*levels]}; "
            "type --curriculum.levels with all that the run has played, or begin another run"
        )
    return levels.index(value)


def review(ordinal: int, every: int) -> int | None:
    """Which review ``ordinal`` is, where the last of each ``every`` is one; None where it is none."""
    number, place = divmod(ordinal, every)
    return number if place == every - 1 else None


def recent(old: tuple[float, float], successes: Sequence[bool], half_life: float) -> tuple[float, float]:
    """Successes and episodes, of which half count no more after ``half_life`` newer ones."""
    kept = 0.5 ** (len(successes) / half_life)
    return kept * old[0] + sum(successes), kept * old[1] + len(successes)


def next_that(fits: Callable[[TaskId], bool], order: TaskOrder, start: int, *, rounds: int = 1) -> TaskId | None:
    """The first task that fits, from place ``start`` of the first epoch on and around; None where none does."""
    size = len(order.tasks)
    tasks = (order[(start + place) % size] for place in range(size * rounds))
    return next((task for task in tasks if fits(task)), None)
