"""Imitation of demonstrations: supervised fine-tuning, and weights and bounds on its tokens.

All of them keep the likelihood gradient of supervised fine-tuning and change one of the estimator's other parts.
A demonstration token is a sample of nobody's policy, so no ratio here corrects for who chose it: the ratios say how
far the policy has moved since it was last looked at.

Shape legend: N trained tokens of a microbatch (flat); a sequence index [N] says which sequence each belongs to.
"""

from __future__ import annotations

import torch

from agentgym.learn.objectives.estimator import Metrics, over_old, sequence_mean

__all__ = ["dft", "imitation", "iw_sft", "iw_sft_token", "psft"]


def imitation(logprobs_N: torch.Tensor) -> tuple[torch.Tensor, Metrics]:
    """−log π(a): supervised fine-tuning.

    Stability: always. Denominator: the policy itself, ∇π / π = ∇ log π. Advantage: 1.
    """
    return -logprobs_N, {}


def dft(logprobs_N: torch.Tensor) -> tuple[torch.Tensor, Metrics]:
    """−sg(π(a)) log π(a): dynamic fine-tuning (arXiv 2508.05629).

    The gradient is −π ∇ log π = −∇π: tokens that the policy finds unlikely are learned slowly instead of first.
    Stability: always. Denominator: 1. Advantage: 1.
    """
    weights_N = logprobs_N.detach().exp()
    return -weights_N * logprobs_N, {"imitation_weight": weights_N}


def iw_sft(
    logprobs_N: torch.Tensor,
    reference_logprobs_N: torch.Tensor,
    sequences_N: torch.Tensor,
    *,
    temperature: float = 2.0,
    max_weight: float = 16.0,
) -> tuple[torch.Tensor, Metrics]:
    """−w log π(a), w = sg(min(exp(temperature · mean over the sequence of log π − log π_ref), max_weight)).

    Importance-weighted supervised fine-tuning (arXiv 2507.12856), with the weight of whole sequences as in the
    authors' code; ``temperature`` multiplies the mean log-ratio there too, so a higher one makes weights more unequal.
    Stability: always. Denominator: the policy itself. Advantage: w, shared by a sequence's tokens.
    """
    log_ratio_N = over_old(logprobs_N, reference_logprobs_N).detach()
    weights_N = (temperature * sequence_mean(log_ratio_N, sequences_N)).exp().clamp(max=max_weight)
    return -weights_N * logprobs_N, {"imitation_weight": weights_N}


def iw_sft_token(
    logprobs_N: torch.Tensor, reference_logprobs_N: torch.Tensor, *, clip: float = 0.8
) -> tuple[torch.Tensor, Metrics]:
    """−w log π(a), w = sg(clip(π / π_ref, 1 − clip, 1 + clip)): the same token by token (arXiv 2507.12856).

    Stability: always; a clipped weight keeps its gradient. Denominator: the policy itself. Advantage: w.
    """
    ratio_N = over_old(logprobs_N, reference_logprobs_N).detach().exp()
    weights_N = ratio_N.clamp(1 - clip, 1 + clip)
    return -weights_N * logprobs_N, {"imitation_weight": weights_N}


def psft(logprobs_N: torch.Tensor, old_logprobs_N: torch.Tensor, *, clip_high: float) -> tuple[torch.Tensor, Metrics]:
    """−min(r, 1 + clip_high) with r = π / π_old: proximal supervised fine-tuning (arXiv 2508.17784).

    The paper's min(r, clip(r, 1 − ε, 1 + ε)): with an advantage of 1 only the upper bound can act. At r = 1 the
    gradient is that of supervised fine-tuning, so the bound matters from the second optimizer step on the same
    ``old_logprobs_N``.
    Stability: r ≤ 1 + clip_high. Denominator: the old policy. Advantage: 1.
    """
    ratio_N = over_old(logprobs_N, old_logprobs_N).exp()
    metrics = {"clip_fraction": (ratio_N > 1 + clip_high).to(ratio_N), "ratio": ratio_N}
    return -ratio_N.clamp(max=1 + clip_high), {name: value.detach() for name, value in metrics.items()}
