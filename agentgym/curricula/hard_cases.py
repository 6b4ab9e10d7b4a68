"""Phases, in which what was hard in earlier ones is played again.

A phase plays its level of an option (once the levels are through, the last) or, where none is named, whatever is next
in the order of tasks. A part of its ordinals plays cases of earlier phases again, each as probably as it was hard: as
the inverse of how often it succeeds (difficulty-aware retrospective sampling, QwenLong-L1, arXiv 2505.17667, whose
phases take ever longer inputs). A case is a task at a level; one that is played again waits for the next phase.

Two departures: success is guessed from the latest group by the rule of succession, so that what never succeeded is not
infinitely hard, and levels are reviewed in turn, so that none starves once its cases are solved.

With the simulated learner of the tests it masters six levels in three fifths of the episodes that ``uniform`` takes
where a phase is long enough to master its level, and in about as many where it is too short. What is forgotten after
the last phase it recovers in one and a half times as many: half of the ordinals go on with the last level. Over tasks
it wins a tenth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple, TypeAlias

import numpy as np
from pydantic import Field

from agentgym.curricula._arms import Level, check_levels, level_index, mean_of, review
from agentgym.curriculum import Curriculum, Outcome
from agentgym.draw import Draw
from agentgym.errors import ConfigError
from agentgym.registry import register
from agentgym.rollout import seed_of
from agentgym.types import TaskId

__all__ = ["HardCases"]

_EVERY = 4

Case: TypeAlias = tuple[TaskId, int]
"""A task and the place of the level at which it was played; 0 without levels."""


class Known(NamedTuple):
    """Of a case: the phase that played it last, and how hard it was then."""

    phase: int
    hardness: float


@register
class HardCases(Curriculum):
    """Phase after phase, a level of an option each if one is named, and again what was hard in earlier phases."""

    def __init__(
        self,
        tasks: Sequence[TaskId],
        *,
        seed: int,
        option: str = "",
        levels: tuple[Level, ...] = (),
        phase: Annotated[int, Field(ge=1)] = 256,
        replay: Annotated[float, Field(gt=0, lt=1)] = 0.5,
        capacity: Annotated[int, Field(ge=1)] = 256,
        every: Annotated[int, Field(ge=2)] | None = None,
    ) -> None:
        """
        Args:
            option: Option of the environment's reset that sets the level; none: phases differ in their tasks alone.
            levels: Its values, from easy to hard: those of the phases.
            phase: Ordinals of a phase.
            replay: Share of the ordinals that play a hard case of an earlier phase, once there is one.
            capacity: Cases that are remembered, the hardest.
            every: Of so many ordinals, one reviews the levels in turn; none given: 4 where there are some.
        """
        super().__init__(tasks, seed=seed)
        check_levels(option, levels)
        if every is not None and not levels:
            raise ConfigError(
                f"curriculum.every has no effect without curriculum.levels, found {every}: the order of tasks comes "
                "to each of them; leave out --curriculum.every"
            )
        self.option, self.levels = option, levels
        self.phase, self.replay, self.capacity, self.every = phase, replay, capacity, every or _EVERY
        self.cases: dict[Case, Known] = {}

    def draw(self, ordinal: int) -> Draw:
        turn, now = review(ordinal, self.every), ordinal // self.phase
        task, place = self.order[ordinal], min(now, max(0, len(self.levels) - 1))
        if self.levels and turn is not None:
            place = turn % len(self.levels)
        else:
            rng = np.random.default_rng(seed_of(self.seed, "hard-cases", ordinal))
            earlier = [case for case, known in self.cases.items() if known.phase < now]
            if earlier and rng.random() < self.replay:
                bounds = np.cumsum([self.cases[case].hardness for case in earlier])
                at = int(np.searchsorted(bounds, rng.random() * bounds[-1], side="right"))
                task, place = earlier[min(at, len(earlier) - 1)]
        if not self.levels:
            return Draw(task=task, level=self.cases[task, 0].hardness if (task, 0) in self.cases else None)
        return Draw(task=task, options={self.option: self.levels[place]}, level=place)

    def learn(self, outcomes: Sequence[Outcome]) -> None:
        cases = dict(self.cases)
        for case, outcome in [(self._case(outcome.draw), outcome) for outcome in outcomes]:
            if outcome.successes:
                cases.pop(case, None)  # the newest stand last
                hardness = 1 / mean_of((sum(outcome.successes), len(outcome.successes)))
                cases[case] = Known(outcome.ordinal // self.phase, hardness)
        kept = {*sorted(cases, key=lambda case: cases[case].hardness)[-self.capacity :]}
        self.cases = {case: known for case, known in cases.items() if case in kept}

    def _case(self, draw: Draw) -> Case:
        return draw.task, level_index(draw, self.option, self.levels) if self.levels else 0

    def state(self) -> dict[str, Any]:
        return {
            "cases": [
                [task, self.levels[place] if self.levels else None, *known]
                for (task, place), known in self.cases.items()
            ]
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.cases = {
            self._case(Draw(task=task, options={self.option: level})): Known(phase, hardness)
            for task, level, phase, hardness in state["cases"]
        }
