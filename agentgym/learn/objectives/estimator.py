"""The unified policy-gradient estimator (arXiv 2509.04419, eq. 2): what all policy objectives are made of.

The gradient of a token is a product of four parts,

    stable? × 1 / denominator × advantage × ∇ π(token)

and an objective is a choice of the four. Here the likelihood and its denominator come together as a log-ratio,
log π − log denominator, whose functions are below; ``surrogate`` puts the parts together.

Shape legend: N trained tokens of a microbatch (flat); a sequence index [N] says which sequence each belongs to.
"""

from __future__ import annotations

from typing import TypeAlias

import torch

__all__ = ["Metrics", "over_clipped", "over_itself", "over_old", "over_old_sequence", "sequence_mean", "surrogate"]

Metrics: TypeAlias = dict[str, torch.Tensor]
"""Per-token values [N] by name; the learner averages them with the token weights."""


def surrogate(
    log_ratio_N: torch.Tensor, advantages_N: torch.Tensor, stable_N: torch.Tensor | None = None
) -> torch.Tensor:
    """−A · π / denominator, with no gradient where ``stable_N`` is False.

    The value is kept there; an objective that shows another one there (PPO its bound) says so itself.
    """
    ratio_N = log_ratio_N.exp()
    if stable_N is not None:
        ratio_N = torch.where(stable_N, ratio_N, ratio_N.detach())
    return -advantages_N * ratio_N


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

    The ratio is that of whole sequences, to the power 1 / length.
    """
    return sequence_mean(logprobs_N - old_logprobs_N, sequences_N)


def over_clipped(
    logprobs_N: torch.Tensor, old_logprobs_N: torch.Tensor, clip_low: float, clip_high: float
) -> torch.Tensor:
    """log π − sg(log π) + sg(log clip(π / π_old)): the ratio is a bounded weight (CISPO, arXiv 2506.13585, eq. 4).

    No token loses its gradient: the denominator is what is clipped, instead of the product.
    """
    ratio_N = (logprobs_N - old_logprobs_N).detach().exp()
    return over_itself(logprobs_N) + ratio_N.clamp(1 - clip_low, 1 + clip_high).log()


def sequence_mean(values_N: torch.Tensor, sequences_N: torch.Tensor) -> torch.Tensor:
    """Each token's value replaced by the mean over its sequence; sequences are numbered from 0."""
    num = int(sequences_N.max()) + 1 if len(sequences_N) else 0
    sums = values_N.new_zeros(num).index_add(0, sequences_N, values_N)
    counts = values_N.new_zeros(num).index_add(0, sequences_N, torch.ones_like(values_N))
    return (sums / counts.clamp(min=1))[sequences_N]
