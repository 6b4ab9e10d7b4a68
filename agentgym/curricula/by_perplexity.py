"""From what the policy is sure of to what it is not: easy to hard by the perplexity of its own replies.

The perplexity of a task or level is exp(-m), where m is the mean behavior log-probability of the tokens that the policy
sampled in it, newer groups counted more. All that is known stands in this order, and a window of it is played, which
moves from the lowest perplexity to the highest (iTool, arXiv 2501.09766: a warm start from low perplexity to high, and
after it what has a high one). Where the window stands is told by the reviews, which go through all in turn: at their
end by success of ``enough``, in proportion before, so that what is forgotten takes it back (a pace by competence: arXiv
1903.09848). What is unknown is played as often as there is of it.

With the simulated learner of the tests, which is the surer of its replies the more competent it is, it masters six
levels, or tasks, in two thirds of the episodes that ``uniform`` takes, and in four fifths where the learner forgets. It
rests on that: a policy that is sure of what it does wrong is not sent there again by its perplexity. That is told by
the sampling that was done: at a temperature other than 1 it compares tasks, and is not the policy's own.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from agentgym.curricula._arms import Armed, Level, recent, review
from agentgym.curriculum import Outcome
from agentgym.errors import ConfigError
from agentgym.registry import register
from agentgym.types import TaskId

__all__ = ["ByPerplexity"]

_KEPT = 0.5
"""What is left of an arm's earlier log-probability when a newer group tells its own."""

Portion = Annotated[float, Field(gt=0, le=1)]


@register
class ByPerplexity(Armed):
    """From what the policy is sure of to what it is not, as it succeeds: levels of an option, or tasks."""

    def __init__(
        self,
        tasks: Sequence[TaskId],
        *,
        seed: int,
        option: str = "",
        levels: tuple[Level, ...] = (),
        width: Portion = 0.3,
        enough: Portion = 0.7,
        half_life: Annotated[float, Field(ge=1)] = 16,
        every: Annotated[int, Field(ge=2)] = 4,
    ) -> None:
        """
        Args:
            option: Option of the environment's reset that sets the level; none: tasks are chosen.
            levels: Its values, in any order.
            width: Share of all tasks or levels that the window holds.
            enough: Success in the reviews at which it has come to what the policy is least sure of.
            half_life: Reviewed episodes after which older ones count half.
            every: Of so many ordinals, one reviews tasks or levels in turn, however sure the policy is.
        """
        super().__init__(tasks, seed=seed, option=option, levels=levels, every=every)
        if width == 1:
            raise ConfigError(
                "curriculum.width is 1: a window of everything never moves, and curriculum.enough has no effect; "
                "leave out --curriculum.width, or type --curriculum uniform"
            )
        self.width, self.enough = width, enough
        self.half_life = half_life
        self.logprobs: dict[TaskId, float] = {}
        """Task, or place of a level → the mean log-probability of a token."""
        self.counts = (0.0, 0.0)
        """Successes and episodes of the reviews of late."""

    def choose(self, ordinal: int, rng: np.random.Generator) -> TaskId:
        if rng.random() * len(self.arms) >= len(self.logprobs):
            return self.unknown(rng, self.logprobs)
        surest = sorted(self.logprobs, key=lambda arm: -self.logprobs[arm])
        place = self.begin + self.width * rng.random()
        return surest[min(int(place * len(surest)), len(surest) - 1)]

    @property
    def begin(self) -> float:
        """Which share of all that is known is left out, for the policy is surer of it."""
        successes, episodes = self.counts
        return (1 - self.width) * min(1.0, successes / (episodes + 1) / self.enough)

    def hardness(self, task: TaskId) -> float | None:
        """The perplexity."""
        return math.exp(-self.logprobs[task]) if task in self.logprobs else None

    def hear(self, arm: TaskId, outcome: Outcome) -> None:
        if review(outcome.ordinal, self.every) is not None:
            self.counts = recent(self.counts, outcome.successes, self.half_life)
        if told := [logprob for logprob in outcome.logprobs if logprob is not None]:
            new = statistics.fmean(told)
            self.logprobs[arm] = new + _KEPT * (self.logprobs.get(arm, new) - new)

    def state(self) -> dict[str, Any]:
        logprobs = [[self.saved(arm), logprob] for arm, logprob in self.logprobs.items()]
        return {"counts": [*self.counts], "logprobs": logprobs}

    def load_state(self, state: Mapping[str, Any]) -> None:
        successes, episodes = state["counts"]
        self.counts = (successes, episodes)
        self.logprobs = {self.restored(saved): logprob for saved, logprob in state["logprobs"]}
