"""What every trainer can be told."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field

from agentgym.config import Settings
from agentgym.learn.aggregation import Aggregation

__all__ = ["Precision", "Schedule", "Sharing", "TrainerSettings"]

Precision: TypeAlias = Literal["float32", "bfloat16"]
Schedule: TypeAlias = Literal["constant", "cosine", "linear"]
Sharing: TypeAlias = Literal["auto", "on", "off"]


class TrainerSettings(Settings):
    """What every trainer has."""

    learning_rate: float = Field(1e-5, gt=0)
    """AdamW's step size after warm-up."""
    warmup_updates: int = Field(0, ge=0)
    """Optimizer steps over which the learning rate rises to its value."""
    schedule: Schedule = "constant"
    """Learning rate after warm-up: constant, or falling to 0 ("cosine", "linear") at the last update, or at the end of
    the seconds or environment steps that training may take."""
    weight_decay: float = Field(0.0, ge=0)
    """AdamW's weight decay."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradients are scaled down to this norm."""
    aggregation: Aggregation = "token"
    """Mean over all trained tokens of an update, or over its episodes ("sequence"), or a constant ("constant")."""
    aggregation_tokens: int = Field(256, ge=1)
    """Tokens that every episode counts as (aggregation "constant")."""
    max_microbatch_tokens: int = Field(8192, ge=1)
    """Tokens that one forward and backward may hold; lower it when memory runs out."""
    epochs: int = Field(1, ge=1)
    """Passes over the episodes of an update."""
    minibatches: int = Field(1, ge=1)
    """Optimizer steps a pass."""
    precision: Precision = "float32"
    """Arithmetic of the learner's forward pass; weights and optimizer stay as they were loaded."""
    gradient_checkpointing: bool = False
    """Keep no activations inside layers and compute them again for the backward pass: less memory, more time."""
    share_prefixes: Sharing = "auto"
    """Compute once what episodes begin with alike, as those of a group or a tree do: always ("on"), never ("off"), or
    where it saves more than it costs ("auto"). It changes rounding alone."""
