"""A trainer whose next update depends on everything that a checkpoint must hold.

A critic with an optimizer of its own, a reference policy, a memory, and every global random number generator.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field

import agentgym
from agentgym.learn.trainer import Lesson
from agentgym.trainers.ppo import PPO, PPOSettings
from agentgym.types import Trajectory


class EverythingSettings(PPOSettings):
    """Those of ``ppo``, small."""

    learning_rate: float = 0.01
    episodes: int = Field(8, ge=1)
    max_microbatch_tokens: int = 128
    kl_coefficient: float = 0.05
    schedule: Any = "cosine"


@agentgym.register
class Everything(PPO):
    """PPO with noise on its advantages, which remembers its noise."""

    Settings = EverythingSettings
    nano: ClassVar[dict[str, Any]] = {}  # small as it is

    def prepare(self, equipment: Any) -> None:
        super().prepare(equipment)
        self.memory: list[float] = []

    def lesson(self, update: int, trajectories: Sequence[Trajectory]) -> Lesson:
        lesson = super().lesson(update, trajectories)
        self.memory.append(random.random() + float(np.random.rand()) + float(torch.rand(())))
        for row in lesson.rows:
            row.advantages = row.advantages + 0.1 * sum(self.memory[-3:])
        lesson.metrics["noise"] = self.memory[-1]
        return lesson

    def state(self) -> dict[str, Any]:
        return {"memory": self.memory}

    def load_state(self, state: dict[str, Any]) -> None:
        self.memory = state["memory"]
