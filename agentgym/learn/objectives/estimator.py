"""The unified policy-gradient estimator (arXiv 2509.04419, eq. 2): what all policy objectives are made of.

The gradient of a token is a product of four parts,

    stable? × 1 / denominator × advantage × ∇ π(token)

and an objective is a choice of the four. Here the likelihood and its denominator come together as a log-ratio,
log π − log denominator, whose functions are below; ``surrogate`` puts the parts together.

Shape legend: N trained tokens of a microbatch (flat), those of a sequence together and in order; a sequence index
[N] says which sequence each belongs to; B sequences, T tokens.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import torch

__all__ = [
    "Metrics",
    "log_bounds",
    "over_clipped",
    "over_itself",
    "over_old",
    "over_old_sequence",
    "sequence_mean",
    "sequence_sum",
    "surrogate",
]

Metrics: TypeAlias = dict[str, torch.Tensor]
"""Per-token values [N] by name; the learner averages them with the token weights."""


def surrogate(
    log_ratio_N: torch.Tensor, advantages_N: torch.Tensor, stable_N: torch.Tensor | None = None
) -> torch.Tensor:
    """−A · π / denominator, with no gradient where ``stable_N`` is False.

    The value is kept there; an objective that shows another one there (PPO its bound) says so itself.
    """
    if stable_N is not None:
        log_ratio_N = torch.where(stable_N, log_ratio_N, log_ratio_N.detach())
    return -advantages_N * log_ratio_N.exp()


def over_itself(logprobs_N: torch.Tensor) -> torch.Tensor:
    """log π − sg(log π): the denominator is the policy as it is now, so the gradient is A ∇ log π (REINFORCE, SFT)."""
    return logprobs_N - logprobs_N.detach()


def over_old(logprobs_N: torch.Tensor, old_logprobs_N: torch.Tensor) -> torch.Tensor:
    """log π − log π_old: importance sampling token by token (PPO, GRPO, PSFT)."""
    return logprobs_N - old_logprobs_N


def over_old_sequence(
    logprobs_N: torch.Tensor, old_logprobs_N: torch.Tensor, sequences_N: torch.Tensor
) -> torch.Tensor:
    """mean over the sequence of log π − log π_old, for each of its tokens (GSPO, arXiv 2507.18071, eq. 7).

    The ratio is that of whole sequences, to the power 1 / length, and its gradient flows through every token's
    likelihood. With aggregation "sequence" the loss is the paper's; with "token" a sequence counts by its length.
    """
    return sequence_mean(logprobs_N - old_logprobs_N, sequences_N)


def over_clipped(
    logprobs_N: torch.Tensor, old_logprobs_N: torch.Tensor, clip_low: float, clip_high: float
) -> torch.Tensor:
    """log π − sg(log π) + sg(log clip(π / π_old)): the ratio is a bounded weight (CISPO, arXiv 2506.13585, eq. 4).

    No token loses its gradient: the denominator is what is clipped, instead of the product.
    """
    log_ratio_N = (logprobs_N - old_logprobs_N).detach()
    return over_itself(logprobs_N) + log_ratio_N.clamp(*log_bounds(clip_low, clip_high))


def log_bounds(clip_low: float, clip_high: float) -> tuple[float, float]:
    """log(1 − clip_low) and log(1 + clip_high): bounds of a log-ratio; −∞ from ``clip_low`` 1 on.

    Bounding the logarithm instead of the ratio keeps the gradient finite where the ratio overflows.
    """
    return (math.log1p(-clip_low) if clip_low < 1 else -math.inf), math.log1p(clip_high)


def sequence_sum(values_N: torch.Tensor, sequences_N: torch.Tensor) -> torch.Tensor:
    """Each token's value replaced by the sum over its sequence; sequences are numbered from 0."""
    num = int(sequences_N.max()) + 1 if len(sequences_N) else 0
    return values_N.new_zeros(num).index_add(0, sequences_N, values_N)[sequences_N]


def sequence_mean(values_N: torch.Tensor, sequences_N: torch.Tensor) -> torch.Tensor:
    """Each token's value replaced by the mean over its sequence; sequences are numbered from 0."""
    return sequence_sum(values_N, sequences_N) / sequence_sum(torch.ones_like(values_N), sequences_N)
