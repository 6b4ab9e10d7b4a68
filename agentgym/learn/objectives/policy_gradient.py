"""Policy gradients: from the plain one to the clipped ones."""

from __future__ import annotations

import torch

from agentgym.learn.objectives.estimator import Metrics

__all__ = ["clipped_policy_gradient"]


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
