"""Estimates of KL(policy ‖ reference) from sampled tokens.

Shape legend: N trained tokens of a microbatch (flat).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch

__all__ = ["Estimator", "kl"]

Estimator: TypeAlias = Literal["k1", "k2", "k3"]


def kl(logprobs_N: torch.Tensor, reference_logprobs_N: torch.Tensor, estimator: Estimator) -> torch.Tensor:
    """The estimate of each token [N], differentiable in ``logprobs_N``; with d = log π − log π_ref,

    k1 = d,  k2 = d² / 2,  k3 = exp(−d) − 1 + d  (Schulman, "Approximating KL divergence", 2020).

    As a *number*, over tokens of π: k1 and k3 have the expectation KL(π ‖ π_ref), k3 is never negative and varies
    less; k2 is biased, and right to second order. As a *loss* over tokens of π, what counts is the expectation of
    the gradient: k2's is ∇ KL(π ‖ π_ref), which is what a penalty means; k1's is 0; k3's, which GRPO takes
    (arXiv 2402.03300, eq. 4), is ∇ KL(π_ref ‖ π), the other direction. As a *reward penalty*, subtracted from each
    token's reward and detached, k1 gives the gradient of KL(π ‖ π_ref) of the whole sequence.

    Over tokens of another policy none of this holds without importance weights. As objectives: stability: always;
    denominator: the policy itself; advantage: −1, −d and exp(−d) − 1. Raises ValueError for another estimator.
    """
    log_ratio_N = logprobs_N - reference_logprobs_N
    if estimator == "k1":
        return log_ratio_N
    if estimator == "k2":
        return 0.5 * log_ratio_N**2
    if estimator == "k3":
        return torch.expm1(-log_ratio_N) + log_ratio_N
    raise ValueError(f"estimator must be k1, k2 or k3, found {estimator!r}")
