"""The likelihood of right and of wrong sequences.

Shape legend: N trained tokens of a microbatch (flat).
"""

from __future__ import annotations

import torch

from agentgym.learn.objectives.estimator import Metrics

__all__ = ["nft"]


def nft(
    log_ratio_N: torch.Tensor, is_correct_N: torch.Tensor, accuracies_N: torch.Tensor, *, epsilon: float
) -> tuple[torch.Tensor, Metrics]:
    """Negative-aware fine-tuning (arXiv 2505.18116): the likelihood of right *and* wrong sequences.

    −log ρ where ``is_correct_N``, and elsewhere −log max((1 − r ρ) / (1 − r), ε), the likelihood ratio of the
    implicit negative policy (π_old − r π) / (1 − r), with ρ = π / π_old token by token and r the accuracy of π_old
    on the task (0 to 1, both [N]). The bound keeps the value away from log 0 but lets the gradient through.

    Stability: always; denominator: the policy itself for a right token, (1 − r ρ) π_old bounded by ε (1 − r) π_old
    for a wrong one; advantage: 1, and −r. At ρ = 1 the gradient is −∇ log π and r / (1 − r) ∇ log π (for ε ≤ 1): in
    proportion to 1 − r and −r, the centered rewards. So on-policy each task's gradient points exactly where that of
    Dr. GRPO does, and equals it with task weight 1 − r, and GRPO's with √((1 − r) / r) and the population's
    deviation. Off-policy they differ. The weight of a task is left to the caller.
    """
    # The gradient of a right token through the ratio of a wrong one ends here, as 0 even where that is NaN (r = 1).
    ratio_N = log_ratio_N.masked_fill(is_correct_N, 0.0).exp()
    negative_N = (1 - accuracies_N * ratio_N) / (1 - accuracies_N)
    bounded_N = negative_N + (negative_N.clamp(min=epsilon) - negative_N).detach()
    loss_N = -torch.where(is_correct_N, log_ratio_N, bounded_N.log())
    return loss_N, {"clip_fraction": (~is_correct_N & (negative_N < epsilon)).float().detach()}
