"""Supervised fine-tuning on the environment's own expert.

The loss is on the expert's tokens. ``observation_weight`` adds a smaller one on what the environment says: for a
policy made from nothing, predicting the page is where most of the signal for learning to copy is. Leave it at 0
for a pretrained model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import Field

from agentgym.curriculum import TaskOrder
from agentgym.learn.batch import Microbatch, Row
from agentgym.learn.forward import Predictions
from agentgym.learn.objectives.estimator import Metrics
from agentgym.learn.objectives.imitation import imitation
from agentgym.learn.players import Players
from agentgym.learn.trainer import Lesson, Trainer, TrainerSettings
from agentgym.registry import register
from agentgym.rollout import EpisodeSpec, seed_of
from agentgym.types import Sample, Trajectory

__all__ = ["SFT", "SFTSettings"]


class SFTSettings(TrainerSettings):
    """Settings of ``sft``."""

    batch_size: int = Field(8, ge=1)
    """Expert episodes an update."""
    observation_weight: float = Field(0.0, ge=0, le=1)
    """Weight of the loss on observation tokens, relative to the expert's own."""
    demonstrations: int | None = Field(None, ge=1)
    """Distinct expert episodes; later updates see them again in another order. None: as many as there are tasks."""


@register
class SFT(Trainer[SFTSettings]):
    """Imitate the expert."""

    Settings = SFTSettings
    needs_expert: ClassVar[bool] = True

    def specs(self, update: int, tasks: TaskOrder) -> list[EpisodeSpec]:
        size, limit = self.settings.batch_size, self.settings.demonstrations
        if limit is not None:
            again = TaskOrder(range(limit), seed=tasks.seed)
            places = [int(again[update * size + i]) for i in range(size)]
        else:
            places = [update * size + i for i in range(size)]
        return [
            EpisodeSpec(
                task=tasks[n],
                seed=seed_of(tasks.seed, "sft", n),
                ordinal=update * size + i,
                episode_id=f"sft-{update}-{n}-{i}",
            )
            for i, n in enumerate(places)
        ]

    async def play(self, update: int, players: Players) -> list[Trajectory]:
        return await players.expert(self.specs(update, players.tasks))

    def lesson(self, trajectories: Sequence[Trajectory]) -> Lesson:
        counted = [trajectory for trajectory in trajectories if not trajectory.stop_reason.is_void]
        void = {t.ordinal: "void" for t in trajectories if t.stop_reason.is_void and t.ordinal is not None}
        return Lesson([self._row(sample) for trajectory in counted for sample in trajectory.samples], rejected=void)

    def _row(self, sample: Sample) -> Row:
        row, weight = Row.of(sample, 1.0), self.settings.observation_weight
        if weight:
            row.advantages = [1.0 if spoken else weight for spoken in sample.loss_mask]
            row.loss_mask = [True] * len(sample.loss_mask)
        return row

    def objective(self, predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        loss_N, metrics = imitation(predictions.logprobs_N)
        return batch.advantages_N * loss_N, metrics
