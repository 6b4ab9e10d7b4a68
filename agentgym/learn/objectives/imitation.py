"""Imitation of demonstrations: supervised fine-tuning, and weights and bounds on its tokens.

All of them keep the likelihood gradient of supervised fine-tuning and change one of the estimator's other parts.
A demonstration token is a sample of nobody's policy, so no ratio here corrects for who chose it: the ratios say how
far the policy has moved since it was last looked at.

Shape legend: N trained tokens of a microbatch (flat); a sequence index [N] says which sequence each belongs to.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch

from agentgym.learn.objectives.estimator import Metrics, over_old, sequence_mean

__all__ = ["Divergence", "dft", "f_divergence", "imitation", "iw_sft", "iw_sft_token", "psft"]

Divergence: TypeAlias = Literal["kl", "pearson"]


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


def f_divergence(
    logprobs_N: torch.Tensor, reference_logprobs_N: torch.Tensor, *, beta: float, divergence: Divergence
) -> tuple[torch.Tensor, Metrics]:
    """f*(−β d) / β with d = log π / π_ref, and f* = exp(·) − 1 for "kl", t + t² / 4 for "pearson".

    Imitation by an f-divergence from the expert, under a penalty of β KL(π ‖ π_ref). Of the rewards that tell π from
    the expert those count for which π is optimal under the penalty, which are β d, and what is left to minimize is
    E_expert[f*(−reward)]. So arXiv 2507.00018 sees it, and that f*(t) = t, the total variation, is supervised
    fine-tuning, in which the penalty has cancelled out. The formula here is derived, not the paper's: of the rewards of
    which π is optimal it takes those that leave no value behind, token by token. "kl" is KL(π ‖ expert): then it ends
    at π ∝ (expert · π_ref^β)^(1 / (1 + β)), which is where KL(π ‖ expert) + β KL(π ‖ π_ref) is least.

    The gradient is −f*′(−β d) ∇ log π: at the reference that of supervised fine-tuning, and less the likelier a token
    has become. With "kl" its weight is exp(−β d), always positive; with "pearson" 1 − β d / 2, which pulls a token back
    that is more than exp(2 / β) times as likely. Stability: always. Denominator: the policy itself. Advantage: f*′.
    """
    told_N = -beta * over_old(logprobs_N, reference_logprobs_N)
    if divergence == "kl":
        loss_N, weights_N = torch.expm1(told_N), told_N.exp()
    else:
        loss_N, weights_N = told_N + told_N.square() / 4, 1 + told_N / 2
    return loss_N / beta, {"imitation_weight": weights_N.detach()}
