"""The one loop all trainers share: publish the weights, play, turn into a lesson, learn, account for every task.

An update is a pure function of the weights, the trainer's state and its own number, so the loop's whole position is
that number. An update with nothing to learn from, or a refused one, is counted and changes nothing; where an update
takes several optimizer steps, those before the refused one stand.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from agentgym.engine import Engine
from agentgym.errors import NonFiniteError
from agentgym.learn.learner import Learner
from agentgym.learn.players import Players
from agentgym.learn.trainer import Lesson, Trainer
from agentgym.ledger import Entry
from agentgym.types import Trajectory

__all__ = ["Loop", "Outcome", "summary"]

MAX_REFUSED = 3
"""Refused updates in a row after which training stops."""


@dataclasses.dataclass(slots=True)
class Outcome:
    """What an update did."""

    metrics: dict[str, float]
    trajectories: list[Trajectory]
    entries: list[Entry]
    """For the ledger: one for each task."""


class Loop:
    """Runs updates of one trainer, which is prepared."""

    def __init__(self, trainer: Trainer[Any], learner: Learner, players: Players, engine: Engine) -> None:
        self.trainer, self.learner, self.players, self.engine = trainer, learner, players, engine
        self.num_refused = 0
        self.is_whole = True
        """False from when an update begins to change the weights until its caller has counted it."""

    async def update(self, number: int) -> Outcome:
        """Update ``number``, from 0. Raises NonFiniteError after several refused updates in a row."""
        began = time.perf_counter()
        await self.engine.update_weights(self.learner.num_updates)
        trajectories = await self.trainer.play(number, self.players)
        played = time.perf_counter()
        metrics = summary(trajectories, version=self.learner.num_updates)
        lesson = self.trainer.lesson(trajectories)  # nothing is awaited from here on: an interruption finds
        if lesson.rows:  # the update counted
            metrics |= self._learn(lesson, number)
        reason = "non-finite update" if "refused" in metrics else ""
        metrics |= lesson.metrics | {"play_seconds": played - began, "learn_seconds": time.perf_counter() - played}
        return Outcome(metrics, trajectories, _entries(trajectories, lesson.rejected, number + 1, reason))

    def _learn(self, lesson: Lesson, number: int) -> dict[str, float]:
        self.is_whole = False
        try:
            metrics = self.trainer.learn(lesson, number)
        except NonFiniteError:
            self.num_refused += 1
            if self.num_refused >= MAX_REFUSED:
                raise
            return {"refused": 1.0}
        self.num_refused = 0
        return metrics


def summary(trajectories: Sequence[Trajectory], *, version: int) -> dict[str, float]:
    """Means over the episodes that count, and how many do not. ``version`` is the learner's, for the staleness."""
    counted = [trajectory for trajectory in trajectories if not trajectory.stop_reason.is_void]
    num = max(1, len(counted))
    ages = [
        version - sampled for t in counted for sample in t.samples for sampled in sample.policy_versions if sampled >= 0
    ]
    return {
        "success": sum(t.success for t in counted) / num,
        "reward": sum(t.environment_reward for t in counted) / num,
        "turns": sum(len(t.turns) for t in counted) / num,
        "environment_steps": float(sum(len(t.turns) for t in trajectories)),
        "tokens": sum(t.num_tokens for t in counted) / num,
        "reply_tokens": sum(sample.num_trained for t in counted for sample in t.samples) / num,
        "truncated": sum(t.truncated for t in counted) / num,
        "invalid": sum(any(turn.error for turn in t.turns) for t in counted) / num,
        "void": float(len(trajectories) - len(counted)),
        "staleness": sum(ages) / max(1, len(ages)),
    }


def _entries(trajectories: Sequence[Trajectory], rejected: Mapping[int, str], update: int, refused: str) -> list[Entry]:
    """One for each task ordinal that was played, in order."""
    tasks = {t.ordinal: t.task for t in trajectories if t.ordinal is not None}
    entries = []
    for ordinal, task in sorted(tasks.items()):
        reason = rejected.get(ordinal, refused)
        fate: Literal["trained", "rejected"] = "rejected" if reason else "trained"
        entries.append(Entry(ordinal=ordinal, task=task, update=update, fate=fate, reason=reason))
    return entries
