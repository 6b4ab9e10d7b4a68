"""The one loop all trainers share: publish the weights, play, turn into rows, update.

An update is a pure function of the weights, the optimizer and its own number, so the loop's whole position is that
number. An update with nothing to learn from, or a refused one, is counted and changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from agentgym.curriculum import TaskOrder
from agentgym.engine import Engine
from agentgym.errors import NonFiniteError
from agentgym.learn.learner import Learner
from agentgym.learn.trainer import Trainer
from agentgym.rollout import Actor, Limits, Rollout
from agentgym.types import Trajectory

__all__ = ["Loop", "summary"]

MAX_REFUSED = 3
"""Refused updates in a row after which training stops."""


class Loop:
    """Runs updates of one trainer."""

    def __init__(
        self,
        trainer: Trainer[Any],
        learner: Learner,
        rollout: Rollout,
        engine: Engine,
        actor: Actor,
        tasks: TaskOrder,
        limits: Limits,
    ) -> None:
        self.trainer, self.learner, self.rollout, self.engine = trainer, learner, rollout, engine
        self.actor, self.tasks, self.limits = actor, tasks, limits
        self.num_refused = 0
        self.is_whole = True
        """False from when an update begins to change the weights until its caller has counted it."""

    async def update(
        self, number: int, on_episode: Callable[[Trajectory], None] = lambda trajectory: None
    ) -> tuple[dict[str, float], list[Trajectory]]:
        """Update ``number``, from 0. Returns its metrics and episodes.

        Raises NonFiniteError after several refused updates in a row.
        """
        began = time.perf_counter()
        await self.engine.update_weights(self.learner.num_updates)
        trajectories = await self.rollout.run(
            self.trainer.specs(number, self.tasks),
            self.actor,
            release=self.engine.release,
            on_episode=on_episode,
            limits=self.limits,
        )
        played = time.perf_counter()
        rows, metrics = self.trainer.rows(trajectories)
        metrics |= summary(trajectories)
        if rows:
            metrics |= self._learn(rows)  # nothing is awaited from here on: an interruption finds the update counted
        return metrics | {"play_seconds": played - began, "learn_seconds": time.perf_counter() - played}, trajectories

    def _learn(self, rows: Sequence[Any]) -> dict[str, float]:
        self.is_whole = False
        try:
            metrics = self.learner.update(rows, self.trainer.objective)
        except NonFiniteError:
            self.num_refused += 1
            if self.num_refused >= MAX_REFUSED:
                raise
            return {"refused": 1.0}
        self.num_refused = 0
        return metrics


def summary(trajectories: Sequence[Trajectory]) -> dict[str, float]:
    """Mean success, reward, turns and tokens of the episodes that count, and how many do not."""
    counted = [trajectory for trajectory in trajectories if not trajectory.stop_reason.is_void]
    num = max(1, len(counted))
    return {
        "success": sum(t.success for t in counted) / num,
        "reward": sum(t.environment_reward for t in counted) / num,
        "turns": sum(len(t.turns) for t in counted) / num,
        "tokens": sum(t.num_tokens for t in counted) / num,
        "truncated": sum(t.truncated for t in counted) / num,
        "invalid": sum(any(turn.error for turn in t.turns) for t in counted) / num,
        "void": float(len(trajectories) - len(counted)),
    }
