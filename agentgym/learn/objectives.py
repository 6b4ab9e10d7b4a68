"""Objectives: pure functions of flat tensors over trained tokens to a loss for each token, and metrics.

All follow the unified policy-gradient estimator (arXiv 2509.04419): the gradient of a token is

    stabilization mask × 1 / reference-policy denominator × advantage × ∇ likelihood

An objective is a choice of these four. The learner multiplies by the token weights of the update and sums.
"""

from __future__ import annotations

from typing import TypeAlias

import torch

__all__ = ["Metrics", "clipped_policy_gradient", "imitation"]

Metrics: TypeAlias = dict[str, torch.Tensor]
"""Per-token values [N] by name; the learner averages them with the token weights."""


def imitation(logprobs_N: torch.Tensor) -> tuple[torch.Tensor, Metrics]:
    """−log π(a): supervised fine-tuning.

    Mask 1, denominator the policy itself (∇π / π = ∇ log π), advantage 1.
    """
    return -logprobs_N, {}


def clipped_policy_gradient(
    logprobs_N: torch.Tensor,
    behavior_logprobs_N: torch.Tensor,
    advantages_N: torch.Tensor,
    *,
    clip_low: float,
    clip_high: float,
) -> tuple[torch.Tensor, Metrics]:
    """−min(ρ A, clip(ρ, 1 − clip_low, 1 + clip_high) A) with ρ = π / π_behavior.

    PPO (arXiv 1707.06347, eq. 7), with unequal bounds as in DAPO (arXiv 2503.14476, §3.1). Mask: 0 where the
    clip is active; denominator: the behavior policy; at ρ = 1 the gradient is A ∇ log π.
    """
    ratio_N = (logprobs_N - behavior_logprobs_N).exp()
    clipped_N = ratio_N.clamp(1 - clip_low, 1 + clip_high)
    loss_N = -torch.minimum(ratio_N * advantages_N, clipped_N * advantages_N)
    with torch.no_grad():
        log_ratio_N = logprobs_N - behavior_logprobs_N
        metrics = {
            "clip_fraction": (clipped_N * advantages_N < ratio_N * advantages_N).float(),
            "behavior_kl": ratio_N - 1 - log_ratio_N,  # k3 estimate of KL(behavior ‖ policy)
            "mismatch": log_ratio_N.abs(),
        }
    return loss_N, metrics
