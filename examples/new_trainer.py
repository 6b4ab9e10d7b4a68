"""A whole trainer: one class in one file. It imitates the better half of its own episodes of each task.

agentgym train --env webshop --trainer examples/new_trainer.py
"""

from collections.abc import Sequence

import torch

import agentgym
from agentgym.curriculum import Curriculum
from agentgym.groups import GroupSettings, grouped
from agentgym.learn.batch import Microbatch
from agentgym.learn.forward import Predictions
from agentgym.learn.objectives.estimator import Metrics
from agentgym.learn.objectives.imitation import imitation
from agentgym.learn.rows import rows_of
from agentgym.learn.trainer import Lesson, Trainer, TrainerSettings
from agentgym.rollout import EpisodeSpec
from agentgym.types import Trajectory


class BetterHalfSettings(GroupSettings, TrainerSettings):
    """Tasks an update, episodes of each, learning rate, …"""


@agentgym.register
class BetterHalf(Trainer[BetterHalfSettings]):
    """Imitate what went better than usual."""

    Settings = BetterHalfSettings

    def specs(self, update: int, draws: Curriculum) -> list[EpisodeSpec]:
        return self.settings.group_specs(draws, update)

    def lesson(self, update: int, trajectories: Sequence[Trajectory]) -> Lesson:
        rows, rejected = [], {}
        for group in grouped(trajectories):
            if group.unfit and group.ordinal is not None:  # "equal rewards": nothing is better than anything
                rejected[group.ordinal] = group.unfit
                continue
            middle = sorted(group.rewards)[len(group.rewards) // 2]
            better = [member for member in group.members if member.reward >= middle]
            rows += [row for member in better for row in rows_of(member, 1.0)]
        return Lesson(rows, rejected=rejected)

    def objective(self, predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        return imitation(predictions.logprobs_N)
