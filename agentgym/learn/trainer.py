"""What a trainer is: settings, which episodes it wants, what it learns from them, its objective.

Trainers live in the top-level ``trainers`` folder, one file each; the loop around them is ``learn/loop.py``.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import ClassVar, Generic, Literal, TypeVar

import torch
from pydantic import Field

from agentgym.config import Settings
from agentgym.curriculum import TaskOrder
from agentgym.learn.batch import Aggregation, Microbatch, Row
from agentgym.learn.forward import Predictions
from agentgym.learn.learner import Precision, Schedule
from agentgym.learn.objectives.estimator import Metrics
from agentgym.rollout import EpisodeSpec
from agentgym.types import Trajectory

__all__ = ["Trainer", "TrainerSettings"]


class TrainerSettings(Settings):
    """What every trainer has."""

    learning_rate: float = Field(1e-5, gt=0)
    """AdamW's step size after warm-up."""
    warmup_updates: int = Field(0, ge=0)
    """Updates over which the learning rate rises to its value."""
    weight_decay: float = Field(0.0, ge=0)
    """AdamW's weight decay."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradients are scaled down to this norm."""
    aggregation: Aggregation = "token"
    """Mean over all trained tokens of an update, or over its sequences ("sequence")."""
    max_microbatch_tokens: int = Field(8192, ge=1)
    """Tokens that one forward and backward may hold; lower it when memory runs out."""
    schedule: Schedule = "constant"
    """Learning rate after warm-up: constant, or falling to 0 at the last update ("cosine", "linear")."""
    precision: Precision = "float32"
    """Arithmetic of the learner's forward pass; weights and optimizer stay as they were loaded."""
    gradient_checkpointing: bool = False
    """Keep no activations inside layers and compute them again for the backward pass: less memory, more time."""


S = TypeVar("S", bound=TrainerSettings)


class Trainer(abc.ABC, Generic[S]):
    """One way to learn from episodes."""

    plugin_kind: ClassVar[str] = "trainers"
    Settings: ClassVar[type[TrainerSettings]]
    plays: ClassVar[Literal["policy", "expert"]] = "policy"
    """Who acts in the episodes it learns from."""

    def __init__(self, settings: S) -> None:
        self.settings = settings

    @abc.abstractmethod
    def specs(self, update: int, tasks: TaskOrder) -> list[EpisodeSpec]:
        """The episodes of an update: a pure function of its number."""

    @abc.abstractmethod
    def rows(self, trajectories: Sequence[Trajectory]) -> tuple[list[Row], dict[str, float]]:
        """What to train on, and metrics. No rows: nothing to learn from, the update is skipped and counted."""

    @abc.abstractmethod
    def objective(self, predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        """The loss of each trained token."""
