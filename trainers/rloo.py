"""REINFORCE with a leave-one-out baseline (RLOO, arXiv 2402.14740) over whole episodes.

The baseline of an episode is the mean reward of the *others* of its group, so it does not depend on the episode and
the gradient is unbiased; nothing is divided by a deviation. With one optimizer step a rollout the ratio is 1 and the
loss is plain REINFORCE; with more, ratio and clip are those of the whole sequence. The paper's KL penalty, in the
reward, is off by default (``--trainer.kl_coefficient``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from agentgym.groups import Group
from agentgym.learn.advantages import leave_one_out
from agentgym.learn.aggregation import Aggregation
from agentgym.learn.group_trainer import GroupTrainer, GroupTrainerSettings
from agentgym.learn.trainer import Trainer
from agentgym.registry import register

__all__ = ["RLOO", "RLOOSettings"]


class RLOOSettings(GroupTrainerSettings):
    """Settings of ``rloo``."""

    ratio: Literal["token", "sequence", "product"] = "product"
    """The ratio to the old policy: of the whole sequence, of each token, or to the power 1 / length."""
    aggregation: Aggregation = "sequence"
    """Which with ratio "product" divides nothing by the length."""
    clip_high: float = Field(0.2, ge=0)
    """As ``clip_low``, upward."""
    kl_in: Literal["loss", "reward"] = "reward"
    """Where the divergence is subtracted."""


@register
class RLOO(GroupTrainer[RLOOSettings]):
    """Learn from how an episode differs from the others of its task."""

    Settings = RLOOSettings
    nano = Trainer.nano

    def compare(self, group: Group, rewards: Sequence[float]) -> list[float]:
        return leave_one_out(rewards)
