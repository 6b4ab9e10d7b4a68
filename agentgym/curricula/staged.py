"""Stages, one after the other: each has its tasks, its help and its rewards (Environment Tuning, arXiv 2510.10197).

The paper goes from form (rewarded for calls that can be read) to simple tasks, to all tasks with hints in the errors,
to all tasks as they will be measured, without hints. A stage ends when success on the validation tasks has converged
*and* the gradient's norm is stable; how these are told is not given there, so here:

- success: over the last ``window`` looks the slope of the straight line through them is below ``slope`` a look;
- gradient: over the last ``window`` updates its norm's standard deviation is below ``unsteady`` of its mean.

Or after so many updates in any case. Looks are at the environment without help, whatever the stage. There is no way
back, as there is none in the paper: whoever wants one takes ``success-band``. When the last stage has ended, training
has.

    [curriculum]
    id = "staged"
    [[curriculum.stages]]
    name = "form"
    rewards = { call-format = 1, progress = 0 }
    [[curriculum.stages]]
    name = "all, with hints"
    strength = 1
    rewards = { call-format = 0 }

"""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from agentgym.config import Settings
from agentgym.curriculum import Curriculum, Outcome, TaskOrder
from agentgym.draw import Draw
from agentgym.errors import ConfigError, UserError
from agentgym.registry import register
from agentgym.rollout import seed_of
from agentgym.types import TaskId

__all__ = ["StageSettings", "Staged"]

_MAX_SEARCHED = 10**6
"""Tasks that a pattern is looked for in."""


class StageSettings(Settings):
    """What is played in a stage."""

    name: str = Field(min_length=1)
    """What it is called in the report."""
    tasks: str = ""
    """A regular expression that is found in the ids of its tasks; none given: all tasks."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Given to the environment's reset beside the task."""
    strength: float | None = Field(None, ge=0, le=1)
    """How much the environment helps; none given: not at all."""
    rewards: dict[str, float] = Field(default_factory=dict)
    """Factors of the weights of the run's rewards; 1 for those that are not named."""
    max_updates: int | None = Field(None, ge=1)
    """End it after so many updates in any case; none given: the curriculum's own."""


@register
class Staged(Curriculum):
    """Stages with tasks, help and rewards of their own; one ends when success and gradient are stable."""

    def __init__(
        self,
        tasks: Sequence[TaskId],
        *,
        seed: int,
        stages: tuple[StageSettings, ...] = (),
        window: Annotated[int, Field(ge=2)] = 10,
        slope: Annotated[float, Field(ge=0)] = 0.005,
        unsteady: Annotated[float, Field(gt=0)] = 0.5,
        max_updates: Annotated[int, Field(ge=1)] = 200,
    ) -> None:
        """
        Args:
            stages: Tables with name, tasks, options, strength, rewards and max_updates, in their order.
            window: Looks at the validation tasks, and updates, that have to agree that a stage has done its work.
            slope: Success a look, below which it no longer rises.
            unsteady: Standard deviation of the gradient's norm, as a share of its mean, below which it is stable.
            max_updates: Updates after which a stage ends in any case.
        """
        super().__init__(tasks, seed=seed)
        _check(stages)
        self.stages, self.window, self.slope, self.unsteady = stages, window, slope, unsteady
        self.max_updates = max_updates
        self.orders = [self._order(stage) for stage in stages]
        self.at = 0
        """Place of the stage that is played; their number when all have ended."""
        self.updates = 0
        """Of this stage."""
        self.looks: list[float] = []
        """Success at the last looks of this stage."""
        self.norms: list[float] = []
        """Of the gradient in its last updates."""
        self.ended: list[dict[str, Any]] = []
        """What is reported of the stages before it."""

    def _order(self, stage: StageSettings) -> TaskOrder:
        if not stage.tasks:
            return self.order
        where = f'curriculum.stages: the tasks of "{stage.name}"'
        if len(self.tasks) > _MAX_SEARCHED:
            raise ConfigError(
                f"{where} are chosen among {len(self.tasks)}, expected {_MAX_SEARCHED} at most; use options"
            )
        try:
            found = [task for task in self.tasks if re.search(stage.tasks, str(task))]
        except re.error as error:
            raise ConfigError(f"{where}: {stage.tasks!r} is no regular expression: {error}") from None
        if not found:
            some = ", ".join(str(task) for task in self.tasks[:3])
            raise ConfigError(f"{where}: none has {stage.tasks!r} in its id; the first are {some}")
        return TaskOrder(found, seed=seed_of(self.seed, "staged", stage.name) % 2**31)

    @property
    def _now(self) -> int:
        """Place of the stage that is played, or was the last."""
        return min(self.at, len(self.stages) - 1)

    def draw(self, ordinal: int) -> Draw:
        stage = self.stages[self._now]
        return Draw(
            task=self.orders[self._now][ordinal],
            options=stage.options,
            level=self._now,
            strength=stage.strength or 0.0,
            rewards=stage.rewards,
        )

    def learn(self, outcomes: Sequence[Outcome]) -> None:
        self.updates += 1
        if not self.is_over and self.updates >= self._most:
            self._end(f"{self.updates} updates, the most it may have")

    @property
    def _most(self) -> int:
        return self.stages[self._now].max_updates or self.max_updates

    def stepped(self, grad_norm: float) -> None:
        self.norms = [*self.norms, grad_norm][-self.window :]

    def looked(self, success: float) -> None:
        self.looks = [*self.looks, success][-self.window :]
        if not self.is_over and self.updates and self._has_converged:
            self._end("success has converged, and the gradient is stable")

    @property
    def _has_converged(self) -> bool:
        if min(len(self.looks), len(self.norms)) < self.window:
            return False
        rise = statistics.linear_regression(range(self.window), self.looks).slope
        return rise < self.slope and statistics.pstdev(self.norms) < self.unsteady * statistics.fmean(self.norms)

    def _end(self, why: str) -> None:
        self.ended = [*self.ended, self._told(why)]  # what was saved stays as it is
        self.at, self.updates, self.norms = self.at + 1, 0, []
        self.looks = []

    def _told(self, why: str) -> dict[str, Any]:
        stage = self.stages[self._now]
        return {
            "name": stage.name,
            "updates": self.updates,
            "ended": why,
            "strength": stage.strength or 0.0,
            "success": self.looks[-1] if self.looks else None,
        }

    @property
    def is_over(self) -> bool:
        return self.at >= len(self.stages)

    def report(self) -> dict[str, Any]:
        """Of each stage that was played: name, updates, why it ended, strength, success at its last look."""
        begun = [] if self.is_over else [self._told("the run ended")]
        return {"stages": [*self.ended, *begun]}

    def state(self) -> dict[str, Any]:
        names = [stage.name for stage in self.stages]
        return {
            "stages": names,
            "at": self.at,
            "updates": self.updates,
            "looks": self.looks,
            "norms": self.norms,
            "ended": self.ended,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        names = [stage.name for stage in self.stages]
        at = int(state["at"])
        if list(state["stages"])[: at + 1] != names[: at + 1]:
            raise UserError(
                f"the run has played the stages {', '.join(state['stages'][: at + 1])}, and curriculum.stages begins "
                f"with {', '.join(names[: at + 1])}; leave those that were played as they were, or begin another run"
            )
        self.at, self.updates = at, int(state["updates"])
        self.looks, self.norms = list(state["looks"]), list(state["norms"])
        self.ended = [dict(each) for each in state["ended"]]


def _check(stages: Sequence[StageSettings]) -> None:
    """Raises ConfigError for no stages, and for two of one name."""
    if not stages:
        raise ConfigError(
            "curriculum.stages is empty, expected one or more; write such as [[curriculum.stages]] with a name in a "
            "file of settings, or take --config examples/recipes/environment-tuning-bfcl.toml"
        )
    names = [stage.name for stage in stages]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f'curriculum.stages: two have the name "{twice}"; give each a name of its own')
