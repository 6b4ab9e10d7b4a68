"""Imitation of demonstrations: supervised fine-tuning and what was made of it."""

from __future__ import annotations

import torch

from agentgym.learn.objectives.estimator import Metrics

__all__ = ["imitation"]


def imitation(logprobs_N: torch.Tensor) -> tuple[torch.Tensor, Metrics]:
    """−log π(a): supervised fine-tuning.

    Denominator the policy itself, advantage 1, always stable: ∇π / π = ∇ log π.
    """
    return -logprobs_N, {}
