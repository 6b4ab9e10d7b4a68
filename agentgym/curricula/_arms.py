"""What curricula share that choose among levels or tasks by what became of them."""

from __future__ import annotations

import abc
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Annotated, Any, TypeAlias

import numpy as np
from pydantic import Field

from agentgym.curriculum import Curriculum, Outcome, TaskOrder
from agentgym.draw import Draw
from agentgym.errors import ConfigError, UserError
from agentgym.rollout import seed_of
from agentgym.types import TaskId

__all__ = [
    "Armed",
    "Level",
    "Share",
    "check_band",
    "check_levels",
    "level_index",
    "mean_of",
    "next_that",
    "recent",
    "review",
]

Level: TypeAlias = int | float | str
"""A value of an option of ``reset``."""
Share = Annotated[float, Field(ge=0, le=1)]


class Armed(Curriculum):
    """Chooses among arms: the levels of an option or, where no option is named, the tasks.

    Of each ``every`` ordinals the last reviews the arms in turn, so that none starves and what was forgotten is seen.
    """

    def __init__(self, tasks: Sequence[TaskId], *, seed: int, option: str, levels: Sequence[Level], every: int) -> None:
        super().__init__(tasks, seed=seed)
        check_levels(option, levels)
        self.option, self.levels, self.every = option, levels, every
        self.arms: Sequence[TaskId] = range(len(levels)) if levels else tasks
        """Places of the levels, or the tasks."""

    @abc.abstractmethod
    def choose(self, ordinal: int, rng: np.random.Generator) -> TaskId:
        """The arm of an ordinal that reviews none; ``rng`` is of the ordinal alone."""

    @abc.abstractmethod
    def hear(self, arm: TaskId, outcome: Outcome) -> None:
        """What became of an ordinal of ``arm``; at least one episode counts."""

    def hardness(self, task: TaskId) -> float | None:
        """The level of a draw where tasks are the arms; None where nothing is known of the task."""
        return None

    def draw(self, ordinal: int) -> Draw:
        turn = review(ordinal, self.every)
        if turn is None:
            arm = self.choose(ordinal, np.random.default_rng(seed_of(self.seed, type(self).__name__, ordinal)))
        else:
            arm = turn % len(self.levels) if self.levels else self.order[turn]
        if not self.levels:
            return Draw(task=arm, level=self.hardness(arm))
        return Draw(task=self.order[ordinal], options={self.option: self.levels[int(arm)]}, level=float(arm))

    def learn(self, outcomes: Sequence[Outcome]) -> None:
        for arm, outcome in [(self.arm_of(outcome.draw), outcome) for outcome in outcomes]:
            if outcome.successes:
                self.hear(arm, outcome)

    def arm_of(self, draw: Draw) -> TaskId:
        """What was drawn. Raises UserError for an unknown level."""
        return level_index(draw, self.option, self.levels) if self.levels else draw.task

    def saved(self, arm: TaskId) -> Level:
        """``arm`` in a checkpoint: the level or the task itself."""
        return self.levels[int(arm)] if self.levels else arm

    def restored(self, saved: Any) -> TaskId:
        """The arm that was ``saved``. Raises UserError for an unknown level."""
        return self.arm_of(Draw(task=saved, options={self.option: saved}))

    def weighted(self, rng: np.random.Generator, weights: Mapping[TaskId, float], unknown: float = 0.0) -> TaskId:
        """An arm, as probably as its weight says; each that has none weighs ``unknown``. Some weight is above 0."""
        bounds = np.cumsum([0.0, *weights.values()])
        others = unknown * (len(self.arms) - len(weights))
        at = rng.random() * (bounds[-1] + others)
        if at < bounds[-1] or not others:
            return list(weights)[min(int(np.searchsorted(bounds, at, side="right")), len(weights)) - 1]
        return self.unknown(rng, weights)

    def unknown(self, rng: np.random.Generator, known: Collection[TaskId]) -> TaskId:
        """Any arm that is not ``known``. There is one."""
        while True:
            arms = self.arms if len(self.arms) > 2 * len(known) else [arm for arm in self.arms if arm not in known]
            arm = arms[int(rng.integers(len(arms)))]
            if arm not in known:
                return arm


def check_band(low: float, high: float) -> None:
    """Raises ConfigError for an empty band of success."""
    if not low < high:
        raise ConfigError(
            f"curriculum.low must be below curriculum.high, found {low} and {high}; "
            "type such as --curriculum.low 0.3 --curriculum.high 0.7"
        )


def check_levels(option: str, levels: Sequence[Level]) -> None:
    """Raises ConfigError where an option and its levels do not go together."""
    if bool(option) != bool(levels):
        have, lack = ("option", "levels") if option else ("levels", "option")
        raise ConfigError(
            f"curriculum.{have} has no effect without curriculum.{lack}, found {option or [*levels]!r} alone; give "
            "both, such as --curriculum.option size --curriculum.levels '[3, 4, 5]', or neither: the tasks are chosen"
        )
    if option == "task":
        raise ConfigError(
            "curriculum.option is task, which is what names the task to reset and has no effect as a level; type the "
            "option that sets the level, such as --curriculum.option size"
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


def mean_of(counts: tuple[float, float]) -> float:
    """The share of successes, guessed from (successes, episodes): the mean of its posterior from Beta(1, 1)."""
    return (counts[0] + 1) / (counts[1] + 2)


def next_that(fits: Callable[[TaskId], bool], order: TaskOrder, start: int, *, rounds: int = 1) -> TaskId | None:
    """The first task that fits, from place ``start`` of the first epoch on and around; None where none does."""
    size = len(order.tasks)
    tasks = (order[(start + place) % size] for place in range(size * rounds))
    return next((task for task in tasks if fits(task)), None)
