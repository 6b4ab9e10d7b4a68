"""Supervised fine-tuning on the environment's own expert.

The loss is on the expert's tokens. ``observation_weight`` adds a smaller one on what the environment says: for a
policy made from nothing, predicting the page is where most of the signal for learning to copy is. Leave it at 0
for a pretrained model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field

from agentgym.curriculum import TaskOrder
from agentgym.learn.batch import Microbatch, Row
from agentgym.learn.forward import Predictions
from agentgym.learn.objectives.estimator import Metrics
from agentgym.learn.objectives.imitation import imitation
from agentgym.learn.trainer import Trainer, TrainerSettings
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
    plays: ClassVar[Literal["policy", "expert"]] = "expert"

    def specs(self, update: int, tasks: TaskOrder) -> list[EpisodeSpec]:
        size, limit = self.settings.batch_size, self.settings.demonstrations
        if limit is not None:
            again = TaskOrder(range(limit), seed=tasks.seed)
            ordinals = [int(again[update * size + i]) for i in range(size)]
        else:
            ordinals = [update * size + i for i in range(size)]
        return [
            EpisodeSpec(task=tasks[n], seed=seed_of(tasks.seed, "sft", n), episode_id=f"sft-{update}-{n}-{i}")
            for i, n in enumerate(ordinals)
        ]

    def rows(self, trajectories: Sequence[Trajectory]) -> tuple[list[Row], dict[str, float]]:
        samples = [
            sample for trajectory in trajectories if not trajectory.stop_reason.is_void for sample in trajectory.samples
        ]
        return [self._row(sample) for sample in samples], {}

    def _row(self, sample: Sample) -> Row:
        row, weight = Row.of(sample, 1.0), self.settings.observation_weight
        if weight:
            row.advantages = [1.0 if spoken else weight for spoken in sample.loss_mask]
            row.loss_mask = [True] * len(sample.loss_mask)
        return row

    def objective(self, predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        loss_N, metrics = imitation(predictions.logprobs_N)
        return batch.advantages_N * loss_N, metrics
