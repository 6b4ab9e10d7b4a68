"""Group relative policy optimization (arXiv 2402.03300) over whole episodes.

Several episodes of each task are compared with each other: an episode's advantage is its reward's z-score in the
group, the same for all its tokens. Groups whose rewards do not differ are dropped before any forward pass. Departs
from the paper in having no KL term, and by default in one optimizer step a rollout, which is strictly on-policy:
the ratio is then 1 and the clip idle.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field

from agentgym.curriculum import TaskOrder
from agentgym.learn.advantages import group_zscore
from agentgym.learn.batch import Microbatch, Row
from agentgym.learn.forward import Predictions
from agentgym.learn.groups import group_specs, grouped
from agentgym.learn.objectives.estimator import Metrics
from agentgym.learn.objectives.policy_gradient import clipped_policy_gradient
from agentgym.learn.trainer import Lesson, Trainer, TrainerSettings
from agentgym.registry import register
from agentgym.rollout import EpisodeSpec
from agentgym.types import Trajectory

__all__ = ["GRPO", "GRPOSettings"]


class GRPOSettings(TrainerSettings):
    """Settings of ``grpo``."""

    groups: int = Field(16, ge=1)
    """Tasks an update."""
    group_size: int = Field(8, ge=2)
    """Episodes of each task."""
    scale_by_std: bool = True
    """Divide advantages by the group's standard deviation; off is Dr. GRPO (arXiv 2503.20783)."""
    clip_low: float = Field(0.2, ge=0)
    """The ratio to the behavior policy has no gradient below 1 - clip_low where it would fall further."""
    clip_high: float = Field(0.28, ge=0)
    """The same above 1 + clip_high (DAPO's "clip higher", arXiv 2503.14476)."""


@register
class GRPO(Trainer[GRPOSettings]):
    """Learn from how episodes of the same task differ."""

    Settings = GRPOSettings

    def specs(self, update: int, tasks: TaskOrder) -> list[EpisodeSpec]:
        return group_specs(tasks, update, groups=self.settings.groups, group_size=self.settings.group_size)

    def lesson(self, trajectories: Sequence[Trajectory]) -> Lesson:
        groups = grouped(trajectories)
        fit = [group for group in groups if not group.unfit]
        rows: list[Row] = []
        for group in fit:
            advantages = group_zscore(group.rewards, scale=self.settings.scale_by_std)
            for trajectory, advantage in zip(group.members, advantages, strict=True):
                rows += [Row.of(sample, advantage) for sample in trajectory.samples]
        return Lesson(
            rows,
            {"informative_groups": len(fit) / max(1, len(groups))},
            {group.ordinal: group.unfit for group in groups if group.ordinal is not None and group.unfit},
        )

    def objective(self, predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        return clipped_policy_gradient(
            predictions.logprobs_N,
            batch.behavior_logprobs_N,
            batch.advantages_N,
            clip_low=self.settings.clip_low,
            clip_high=self.settings.clip_high,
        )
