"""Corrections for tokens that the sampler gave another probability than the learner does.

The sampler's π_behavior and the learner's π_prox, the policy as it was when the update began, differ by precision,
by kernels, and by age where sampling runs ahead. The weights here carry the loss over from one to the other; they
are detached, and a trainer multiplies a loss [N] with them. What moves during the update is left to the ratio of the
objective itself, which is taken to π_prox: with PPO's clip that is decoupled PPO (arXiv 2505.24298), which holds π
near a recent policy, however old the one that sampled. The paper has no cap.

All ratios are formed as sums of logarithms and bounded there, so that a long sequence neither overflows nor rounds
to 0. Shape legend: N trained tokens of a microbatch (flat).
"""

from __future__ import annotations

import math

import torch

from agentgym.learn.objectives.estimator import Metrics, sequence_sum
from agentgym.learn.objectives.kl import kl

__all__ = ["masked_weights", "truncated_weights"]


def truncated_weights(
    proximal_logprobs_N: torch.Tensor,
    behavior_logprobs_N: torch.Tensor,
    *,
    cap: float,
    sequences_N: torch.Tensor | None = None,
) -> tuple[torch.Tensor, Metrics]:
    """min(π_prox / π_behavior, cap) for each token, or with ``sequences_N`` for the product over its sequence.

    Truncated importance sampling (Ionides, 2008), between trainer and sampler as in arXiv 2511.05951. Per token the
    correction is biased in the states it reaches; per sequence only the cap biases it, at a higher variance.
    ``cap`` ∞ leaves the truncation out. Raises ValueError for a ``cap`` of 0 or less.
    """
    if cap <= 0:
        raise ValueError(f"cap must be above 0, found {cap}")
    log_weights_N = _log_weights(proximal_logprobs_N, behavior_logprobs_N, sequences_N)
    weights_N = log_weights_N.clamp(max=math.log(cap)).exp()
    truncated_N = log_weights_N > math.log(cap)
    return weights_N, _metrics(weights_N, truncated_N, proximal_logprobs_N, behavior_logprobs_N)


def masked_weights(
    proximal_logprobs_N: torch.Tensor,
    behavior_logprobs_N: torch.Tensor,
    *,
    low: float,
    high: float,
    sequences_N: torch.Tensor | None = None,
) -> tuple[torch.Tensor, Metrics]:
    """π_prox / π_behavior where it lies in [low, high] and 0 elsewhere: what disagrees too much is not learned from.

    For each token, or with ``sequences_N`` for the product over its sequence, which then counts whole or not at all.
    Raises ValueError unless 0 ≤ low ≤ high and high is above 0.
    """
    if not 0 <= low <= high or high == 0:
        raise ValueError(f"bounds must satisfy 0 <= low <= high and 0 < high, found [{low}, {high}]")
    log_weights_N = _log_weights(proximal_logprobs_N, behavior_logprobs_N, sequences_N)
    outside_N = (log_weights_N < (math.log(low) if low else -math.inf)) | (log_weights_N > math.log(high))
    weights_N = log_weights_N.masked_fill(outside_N, -math.inf).exp()
    return weights_N, _metrics(weights_N, outside_N, proximal_logprobs_N, behavior_logprobs_N)


def _log_weights(
    proximal_logprobs_N: torch.Tensor, behavior_logprobs_N: torch.Tensor, sequences_N: torch.Tensor | None
) -> torch.Tensor:
    log_weights_N = (proximal_logprobs_N - behavior_logprobs_N).detach()
    return log_weights_N if sequences_N is None else sequence_sum(log_weights_N, sequences_N)


def _metrics(
    weights_N: torch.Tensor,
    bounded_N: torch.Tensor,
    proximal_logprobs_N: torch.Tensor,
    behavior_logprobs_N: torch.Tensor,
) -> Metrics:
    """Mean weight, share of tokens at a bound, and the k3 estimate of KL(behavior ‖ proximal)."""
    return {
        "mismatch_weight": weights_N,
        "mismatch_bounded": bounded_N.float(),
        "mismatch_kl": kl(behavior_logprobs_N, proximal_logprobs_N, "k3").detach(),
    }
