"""New tasks, and again those at the frontier: which the policy solves at times.

How much the episodes of a task differ is how much can be learned from it: p (1 - p), where p is the share of them that
succeeds (learnability, arXiv 2408.15099). A part of the ordinals plays tasks of the memory again, each as probably as
its learnability says (replay by priority, arXiv 2010.03934); the others play whatever is next in the order of tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from agentgym.curriculum import Curriculum, Outcome
from agentgym.draw import Draw
from agentgym.registry import register
from agentgym.rollout import seed_of
from agentgym.types import TaskId

__all__ = ["Frontier"]

_KEPT = 0.5
"""What is left of a task's older episodes when newer ones are counted: the policy has changed since."""


@register
class Frontier(Curriculum):
    """New tasks, and again those that the policy solves at times; the level is the share of failures so far."""

    def __init__(
        self,
        tasks: Sequence[TaskId],
        *,
        seed: int,
        replay: Annotated[float, Field(ge=0, le=1)] = 0.5,
        capacity: Annotated[int, Field(ge=1)] = 256,
    ) -> None:
        """
        Args:
            replay: Share of the ordinals that play a task of the memory again.
            capacity: Tasks that are remembered, those with most to learn from.
        """
        super().__init__(tasks, seed=seed)
        self.replay, self.capacity = replay, capacity
        self._take({})

    def _take(self, memory: dict[TaskId, tuple[float, float]]) -> None:
        """Remember ``memory``: task → (successes, episodes), newer ones counted more."""
        self.memory, self._known = memory, list(memory)
        worths = np.array([_worth(*counts) for counts in memory.values()])
        self._bounds = np.cumsum(worths)

    def draw(self, ordinal: int) -> Draw:
        rng = np.random.default_rng(seed_of(self.seed, "frontier", ordinal))
        task = self.order[ordinal]
        if self.memory and rng.random() < self.replay:
            place = np.searchsorted(self._bounds, rng.random() * self._bounds[-1], side="right")
            task = self._known[min(int(place), len(self._known) - 1)]
        return Draw(task=task, level=1 - _share(*self.memory[task]) if task in self.memory else None)

    def learn(self, outcomes: Sequence[Outcome]) -> None:
        memory = dict(self.memory)
        for outcome in outcomes:
            if outcome.successes:
                old = memory.pop(outcome.draw.task, (0.0, 0.0))  # the newest stand last
                new = sum(outcome.successes), len(outcome.successes)
                memory[outcome.draw.task] = (_KEPT * old[0] + new[0], _KEPT * old[1] + new[1])
        kept = {*sorted(memory, key=lambda task: _worth(*memory[task]))[-self.capacity :]}
        self._take({task: counts for task, counts in memory.items() if task in kept})

    def state(self) -> dict[str, Any]:
        return {"memory": [[task, *counts] for task, counts in self.memory.items()]}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self._take({task: (successes, episodes) for task, successes, episodes in state["memory"]})


def _share(successes: float, episodes: float) -> float:
    """How many of a task's episodes succeed, guessed from a few of them (the rule of succession)."""
    return (successes + 1) / (episodes + 2)


def _worth(successes: float, episodes: float) -> float:
    share = _share(successes, episodes)
    return share * (1 - share)
