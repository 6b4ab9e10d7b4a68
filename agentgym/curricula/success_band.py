"""What the policy solves neither rarely nor nearly always: the band of success.

The share of episodes that succeeds has a Beta posterior, from the prior Beta(1, 1), whose counts fade as newer episodes
come. Most can be learned where success lies in the middle (p (1 - p): learnability, arXiv 2408.15099; a band of it:
online difficulty filtering, arXiv 2504.03380). A task is played when a sample of its posterior lies in the band, so one
of which nothing is known has its chance, and one that failed a few times is not given up.

Over levels of an option it climbs as RLVE does (arXiv 2511.07317: up at 0.9 or more, never down) and reasoning-gym
(the last 20, up at 0.7, down at 0.1 to 0.3), with three departures: it goes down too, a level that it comes to must
show itself anew before the next step, and all levels are reviewed, so that what was forgotten is seen and played again.

With the simulated learner of the tests it masters six levels in about half of the episodes that ``uniform`` takes. Over
tasks it wins by some 15 % where each is a level of its own, and does not where there are many of each level: what is
known of a task is then old before it comes again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from agentgym.curricula._arms import Armed, Level, Share, check_band, mean_of, next_that, recent
from agentgym.curriculum import Outcome
from agentgym.errors import ConfigError
from agentgym.registry import register
from agentgym.types import TaskId

__all__ = ["SuccessBand"]

_FORGOTTEN = 0.1
"""Of a task with fewer recent episodes nothing is known any more."""

_EVIDENCE = 8
_ROUNDS = 8
"""How often all tasks are gone through for a sample in the band: that of an unknown task lies there by chance."""


@register
class SuccessBand(Armed):
    """What is solved neither rarely nor nearly always: such tasks, or the level of an option where it is so."""

    def __init__(
        self,
        tasks: Sequence[TaskId],
        *,
        seed: int,
        option: str = "",
        levels: tuple[Level, ...] = (),
        low: Share = 0.3,
        high: Share = 0.7,
        evidence: Annotated[float, Field(ge=1)] | None = None,
        half_life: Annotated[float, Field(ge=1)] = 8,
        every: Annotated[int, Field(ge=2)] = 4,
    ) -> None:
        """
        Args:
            option: Option of the environment's reset that sets the level; none: tasks are chosen.
            levels: Its values, from easy to hard.
            low: Success at or below this is too rare: a level down.
            high: Success at or above this is enough: a level up.
            evidence: Recent episodes that a level needs before it is left; none given: 8.
            half_life: Episodes of a task or level after which older ones count half.
            every: Of so many ordinals, one reviews tasks or levels in turn, whatever is known of them.
        """
        super().__init__(tasks, seed=seed, option=option, levels=levels, every=every)
        check_band(low, high)
        if evidence is not None and not levels:
            raise ConfigError(
                f"curriculum.evidence has no effect without curriculum.levels, found {evidence:g}: no level is left; "
                "leave out --curriculum.evidence"
            )
        evidence = _EVIDENCE if evidence is None else evidence
        if levels and evidence > half_life:
            raise ConfigError(
                f"curriculum.evidence is {evidence:g}, expected {half_life:g} at most: older episodes fade by "
                f"curriculum.half_life; type --curriculum.half_life {evidence:g}"
            )
        self.low, self.high, self.evidence, self.half_life = low, high, evidence, half_life
        self.at = 0
        """Place of the level that is played."""
        self.counts: dict[TaskId, tuple[float, float]] = {}
        """Task, or place of a level → (successes, episodes), newer ones counted more."""

    def choose(self, ordinal: int, rng: np.random.Generator) -> TaskId:
        """The level that it is at; or the next task, from a random one on, with a sample in the band."""
        if self.levels:
            return self.at
        start = int(rng.integers(len(self.tasks)))
        task = next_that(
            lambda task: self.low <= self._sample(task, rng) <= self.high, self.order, start, rounds=_ROUNDS
        )
        return self.order[start] if task is None else task

    def hardness(self, task: TaskId) -> float | None:
        return 1 - self.mean(task) if task in self.counts else None

    def _sample(self, task: TaskId, rng: np.random.Generator) -> float:
        successes, episodes = self.counts.get(task, (0.0, 0.0))
        return float(rng.beta(successes + 1, episodes - successes + 1))

    def mean(self, arm: TaskId) -> float:
        """Of the posterior of the success of a task, or of the level at a place."""
        return mean_of(self.counts.get(arm, (0.0, 0.0)))

    def learn(self, outcomes: Sequence[Outcome]) -> None:
        if not self.levels:
            self._fade(sum(len(outcome.successes) for outcome in outcomes))
        super().learn(outcomes)
        if self.levels:
            self._move()

    def hear(self, arm: TaskId, outcome: Outcome) -> None:
        self.counts[arm] = recent(self.counts.get(arm, (0.0, 0.0)), outcome.successes, self.half_life)

    def _fade(self, num_episodes: int) -> None:
        """What is known of tasks fades while others are played: what they teach changes the success of these too."""
        kept = 0.5 ** (num_episodes / (self.half_life * max(1, len(self.counts))))
        faded = {task: (kept * successes, kept * episodes) for task, (successes, episodes) in self.counts.items()}
        self.counts = {task: pair for task, pair in faded.items() if pair[1] >= _FORGOTTEN}

    def _move(self) -> None:
        """A level up or down, or down to the easiest that was forgotten."""
        shown = [at for at in range(self.at + 1) if self.counts.get(at, (0, 0))[1] >= self.evidence]
        rare = [at for at in shown if self.mean(at) <= self.low]
        goal = self.at
        if rare:
            goal = min(rare[0], max(0, self.at - 1))
        elif self.at in shown and self.mean(self.at) >= self.high:
            goal = min(self.at + 1, len(self.levels) - 1)
        if goal != self.at:
            self.at = goal
            self.counts.pop(goal, None)  # the hysteresis: what a level showed before does not move it at once

    def state(self) -> dict[str, Any]:
        counts = [[self.saved(arm), *pair] for arm, pair in self.counts.items()]
        return {"at": self.levels[self.at] if self.levels else None, "counts": counts}

    def load_state(self, state: Mapping[str, Any]) -> None:
        counts = [(self.restored(saved), (successes, episodes)) for saved, successes, episodes in state["counts"]]
        self.at = int(self.restored(state["at"])) if self.levels else 0
        self.counts = dict(counts)
