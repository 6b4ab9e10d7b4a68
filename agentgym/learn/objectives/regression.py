"""Objectives that fit a consistency of the optimal policy instead of following a policy gradient.

The KL-regularized optimum π* ∝ π_ref exp(R / β) makes certain quantities equal; these losses are squares of their
differences, or likelihoods of what they imply, and hold for tokens of any policy without importance weights.

Shape legend: N trained tokens of a microbatch (flat), those of a sequence together and in order; B sequences.
"""

from __future__ import annotations

import torch

from agentgym.learn.objectives.estimator import Metrics, sequence_mean, sequence_sum, sums_to_go

__all__ = ["contrastive_policy_gradient", "nft", "shiq"]


def contrastive_policy_gradient(
    logprobs_B: torch.Tensor,
    reference_logprobs_B: torch.Tensor,
    rewards_B: torch.Tensor,
    groups_B: torch.Tensor,
    *,
    beta: float,
) -> tuple[torch.Tensor, Metrics]:
    """CoPG (arXiv 2406.19185): Σ over the pairs of a group of (R_β,i − R_β,j)² / (k − 1), with

    R_β = R − β (log π − log π_ref) of the whole sequence, log-probabilities summed over its tokens, for a group of k
    sequences of one task, numbered by ``groups_B`` from 0. Returned as each sequence's share
    k / (k − 1) · (R_β,i − mean R_β)², which has the same sum and the same gradient and costs no pairs; the mean of
    a group's shares is half the mean over its pairs. All sequences of a group must be in one call; a group of one
    has no pair and loss 0.

    Stability: always; denominator: the policy itself; advantage: 2 β A_i, with A the leave-one-out advantage of R_β:
    the gradient of a group's sum is exactly −2 β Σ A_i ∇ log π_i, whoever sampled the sequences.
    """
    regularized_B = rewards_B - beta * (logprobs_B - reference_logprobs_B)
    counts_B = sequence_sum(torch.ones_like(regularized_B), groups_B)
    distances_B = regularized_B - sequence_mean(regularized_B, groups_B)
    loss_B = counts_B / (counts_B - 1).clamp(min=1) * distances_B**2
    return loss_B, {"regularized_reward": regularized_B.detach()}


def shiq(
    logprobs_N: torch.Tensor,
    reference_logprobs_N: torch.Tensor,
    logsumexps_N: torch.Tensor,
    reference_logsumexps_N: torch.Tensor,
    rewards_N: torch.Tensor,
    sequences_N: torch.Tensor,
    *,
    beta: float,
) -> tuple[torch.Tensor, Metrics]:
    """ShiQ (arXiv 2505.11081): the squared residual of each token t of

    Σ_{k ≥ t} [r_k − β (log π − log π_ref)_k] = V_t = β (LSE l_t − LSE l_ref,t),

    where LSE is over the vocabulary of the *unnormalized* logits l that token t was drawn from, and k runs to the
    end of the sequence. Derived by us from V = β log Σ π_ref exp(q / β) with q = β (l − LSE l_ref − log π_ref): then
    the policy softmax(l) is optimal where all residuals are 0. The paper's own normalization was not compared.

    A turn's reward stands on its last trained token, and an episode must be one sequence: the sum does not cross to
    another. In a stochastic environment the square of a sum over steps is biased by what the environment draws.

    Stability: always; denominator: the policy itself; advantage of token k: 2 β Σ_{t ≤ k} residual_t, besides the
    gradient 2 β residual_t ∇ LSE l_t of the values.
    """
    rewards_to_go_N = sums_to_go(rewards_N - beta * (logprobs_N - reference_logprobs_N), sequences_N)
    residuals_N = rewards_to_go_N - beta * (logsumexps_N - reference_logsumexps_N)
    return residuals_N**2, {"residual": residuals_N.detach().abs()}


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
