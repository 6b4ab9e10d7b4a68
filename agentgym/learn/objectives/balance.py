"""Sampling in proportion to a reward, instead of making the most of it.

Shape legend: N trained tokens of a microbatch (flat); a sequence index [N] says which sequence each belongs to.
"""

from __future__ import annotations

import torch

from agentgym.learn.objectives.estimator import Metrics, sequence_sum

__all__ = ["trajectory_balance"]


def trajectory_balance(
    log_ratio_N: torch.Tensor, advantages_N: torch.Tensor, sequences_N: torch.Tensor, *, beta: float
) -> tuple[torch.Tensor, Metrics]:
    """(β Σ log π / π_ref − A)² / 2β for each token of its sequence, with the sum over the sequence: trajectory balance.

    The square of log Z + log π(y) − log R(y) (arXiv 2201.13259, where there is one way to make a sequence), by which
    GFlowNets teach a language model to sample from a posterior (arXiv 2310.04363). The target here is
    R = π_ref exp(r / β), so that A = r − β log Z, shared by the tokens of a sequence. log Z is not learned: it is the
    mean of r / β − log π / π_ref over the sequences of a task before the update (as in VarGrad, arXiv 2010.10436), and
    comes with A. The residual is 0 for all of them where their odds are those of the target, whoever sampled them.

    Departs from arXiv 2310.04363 in balancing whole sequences alone, not their parts: there every prefix has a reward.
    The factor of β / 2 makes the gradient −(A − β Σ log π / π_ref) ∇ log π, which where π sampled is that of REINFORCE
    with the divergence in the reward and the mean as a baseline. With log Z of π itself the mean over a group is
    that of CoPG (``preference.copg``) over all its pairs, up to a constant.

    Stability: always; denominator: the policy itself; advantage: A − β Σ log π / π_ref.
    """
    residual_N = beta * sequence_sum(log_ratio_N, sequences_N) - advantages_N
    return residual_N.square() / (2 * beta), {"imbalance": residual_N.detach().abs()}
