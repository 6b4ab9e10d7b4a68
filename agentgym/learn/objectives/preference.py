"""Preference losses over pairs: what of two completions was better, with or without a reference policy.

A pair loss takes one number for each side, the sum over the side's trained tokens of log π / π_ref (its log-ratio) or
of log π, and returns ``(loss_P, metrics)``: "margin", "accuracy" (1 where the chosen side has the higher reward),
"chosen_reward" and "rejected_reward", each [P] and detached, where a side's reward is what the loss compares. With
D = β (chosen log-ratio − rejected log-ratio):

    sigmoid   −log σ(D)          DPO; SPIN and RSO's sigmoid-norm are the same function of other pairs
    robust    unbiased under labels flipped with a known probability
    IPO       squared distance of the margin from 1 / 2β
    BFPO      squared distance of the margin from a label of two factors / β
    hinge     max(0, 1 − D)      RSO's hinge-norm
    CoPG      squared distance of the margin from the difference in reward
    SLiC, SimPO                  without a reference
    RPO       sigmoid + NLL of the chosen side

``per_side`` and ``spread`` go from tokens to pairs and back. Nash-MD learns from preferences as well, but from one
sample of the policy at a time: it is a token objective. HyPO (arXiv 2406.01462) is ``dpo`` plus the KL of kl.py on
the policy's own samples.

Shape legend: P pairs; N trained tokens of a microbatch (flat).
"""

from __future__ import annotations

import torch
from torch.nn.functional import logsigmoid

from agentgym.learn.objectives.estimator import Metrics

__all__ = [
    "bfpo",
    "copg",
    "dpo",
    "hinge",
    "ipo",
    "nash_md",
    "numbered",
    "per_side",
    "robust_dpo",
    "rpo",
    "simpo",
    "slic",
    "spread",
]


def numbered(units_B: torch.Tensor, sequences_N: torch.Tensor) -> tuple[torch.Tensor, int]:
    """The pair of each token [N], from 0, and the number of pairs, where the sequences of a pair have one unit."""
    units, units_B = torch.unique(units_B, return_inverse=True)
    return units_B[sequences_N], len(units)


def per_side(
    values_N: torch.Tensor, pairs_N: torch.Tensor, chosen_N: torch.Tensor, num: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """(chosen_P, rejected_P): sums of the tokens' values on either side of ``num`` pairs.

    ``pairs_N`` is the pair of each token, from 0, and ``chosen_N`` is True on the chosen side. Of ones, the sums are
    the lengths of the sides.
    """
    sides_N = 2 * pairs_N + (~chosen_N).long()
    sides_P2 = values_N.new_zeros(2 * num).index_add(0, sides_N, values_N).view(num, 2)
    return sides_P2[:, 0], sides_P2[:, 1]


def spread(values_P: torch.Tensor, pairs_N: torch.Tensor) -> torch.Tensor:
    """Every token carries its pair's value [N].

    Under aggregation "sequence" a row's tokens have weights that sum to 1 / rows, and a pair is two rows: the
    learner's weighted sum of the spread loss is then the mean over the pairs of the update, and its gradient too.
    """
    return values_P[pairs_N]


def _metrics(chosen_reward_P: torch.Tensor, rejected_reward_P: torch.Tensor) -> Metrics:
    chosen_P, rejected_P = chosen_reward_P.detach(), rejected_reward_P.detach()
    return {
        "margin": chosen_P - rejected_P,
        "accuracy": (chosen_P > rejected_P).to(chosen_P),
        "chosen_reward": chosen_P,
        "rejected_reward": rejected_P,
    }


def dpo(
    chosen_logratio_P: torch.Tensor, rejected_logratio_P: torch.Tensor, *, beta: float, label_smoothing: float = 0.0
) -> tuple[torch.Tensor, Metrics]:
    """−(1 − ε) log σ(D) − ε log σ(−D), with ε = ``label_smoothing``: direct preference optimization.

    arXiv 2305.18290, eq. 7, for ε = 0; conservative DPO otherwise. The same function is SPIN (arXiv 2401.01335), with
    a demonstration chosen and the previous iterate's sample rejected, and RSO's sigmoid-norm (arXiv 2309.06657, eq. 8),
    with pairs from rejection sampling and its γ for β.
    """
    margin_P = beta * (chosen_logratio_P - rejected_logratio_P)
    loss_P = -(1 - label_smoothing) * logsigmoid(margin_P) - label_smoothing * logsigmoid(-margin_P)
    return loss_P, _metrics(beta * chosen_logratio_P, beta * rejected_logratio_P)


def robust_dpo(
    chosen_logratio_P: torch.Tensor, rejected_logratio_P: torch.Tensor, *, beta: float, label_smoothing: float
) -> tuple[torch.Tensor, Metrics]:
    """(−(1 − ε) log σ(D) + ε log σ(−D)) / (1 − 2 ε): robust DPO (arXiv 2403.00409).

    Its mean over labels that were flipped with probability ε = ``label_smoothing`` is the DPO loss of the true ones.
    It is not bounded below in D. Raises ValueError unless 0 ≤ ε < 1/2.
    """
    if not 0 <= label_smoothing < 0.5:
        raise ValueError(f"label_smoothing is {label_smoothing}, expected at least 0 and less than 0.5")
    margin_P = beta * (chosen_logratio_P - rejected_logratio_P)
    kept_P, flipped_P = -logsigmoid(margin_P), -logsigmoid(-margin_P)
    loss_P = ((1 - label_smoothing) * kept_P - label_smoothing * flipped_P) / (1 - 2 * label_smoothing)
    return loss_P, _metrics(beta * chosen_logratio_P, beta * rejected_logratio_P)


def ipo(
    chosen_logratio_P: torch.Tensor, rejected_logratio_P: torch.Tensor, *, beta: float
) -> tuple[torch.Tensor, Metrics]:
    """(chosen log-ratio − rejected log-ratio − 1 / (2 β))²: identity preference optimization.

    arXiv 2310.12036, eq. 17, whose τ is ``beta``. TRL's log-ratios are means over tokens.
    """
    loss_P = (chosen_logratio_P - rejected_logratio_P - 1 / (2 * beta)).square()
    return loss_P, _metrics(beta * chosen_logratio_P, beta * rejected_logratio_P)


def bfpo(
    chosen_logratio_P: torch.Tensor, rejected_logratio_P: torch.Tensor, labels_P: torch.Tensor, *, beta: float
) -> tuple[torch.Tensor, Metrics]:
    """(chosen log-ratio − rejected log-ratio − label / β)²: bi-factorial preference optimization (arXiv 2408.15313).

    ``labels_P`` are ``agentgym.pairs.bi_factorial_label``'s, of the more helpful side as the chosen one, or their
    opposites with the sides exchanged, which is the same. With a label of 1/2 it is IPO.
    """
    loss_P = (chosen_logratio_P - rejected_logratio_P - labels_P / beta).square()
    return loss_P, _metrics(beta * chosen_logratio_P, beta * rejected_logratio_P)


def copg(
    chosen_logratio_P: torch.Tensor, rejected_logratio_P: torch.Tensor, differences_P: torch.Tensor, *, beta: float
) -> tuple[torch.Tensor, Metrics]:
    """(Δ − D)², with Δ = R(chosen) − R(rejected) = ``differences_P``: contrastive policy gradient (arXiv 2406.19185).

    0 where rewards differ as the log-ratios do, times β: at the optimum π_ref exp(R / β) of the regularized reward
    R_β = R − β log π / π_ref. Over all pairs of a group of k sequences the gradient of the sum over k − 1 is
    −2 β Σ A_i ∇ log π_i, with A the leave-one-out advantage of R_β, whoever sampled the sequences.
    """
    margin_P = beta * (chosen_logratio_P - rejected_logratio_P)
    return (differences_P - margin_P).square(), _metrics(beta * chosen_logratio_P, beta * rejected_logratio_P)


def hinge(
    chosen_logratio_P: torch.Tensor, rejected_logratio_P: torch.Tensor, *, beta: float
) -> tuple[torch.Tensor, Metrics]:
    """max(0, 1 − D): RSO's hinge-norm (arXiv 2309.06657, eq. 10), whose γ is ``beta``."""
    margin_P = beta * (chosen_logratio_P - rejected_logratio_P)
    return (1 - margin_P).relu(), _metrics(beta * chosen_logratio_P, beta * rejected_logratio_P)


def slic(
    chosen_logprob_P: torch.Tensor,
    rejected_logprob_P: torch.Tensor,
    *,
    margin: float = 1.0,
    imitation: float = 0.0,
) -> tuple[torch.Tensor, Metrics]:
    """max(0, δ − log π(chosen) + log π(rejected)) − λ log π(chosen): SLiC-HF (arXiv 2305.10425), without a reference.

    δ is ``margin`` and λ ``imitation``.
    """
    loss_P = (margin - chosen_logprob_P + rejected_logprob_P).relu() - imitation * chosen_logprob_P
    return loss_P, _metrics(chosen_logprob_P, rejected_logprob_P)


def simpo(
    chosen_logprob_P: torch.Tensor,
    rejected_logprob_P: torch.Tensor,
    *,
    lengths: tuple[torch.Tensor, torch.Tensor],
    beta: float,
    margin: float,
) -> tuple[torch.Tensor, Metrics]:
    """−log σ(β (mean log π(chosen) − mean log π(rejected)) − γ): SimPO (arXiv 2405.14734), without a reference.

    Means are over the tokens of a side: ``lengths`` are (chosen_P, rejected_P). γ is ``margin``.
    """
    chosen_P, rejected_P = beta * chosen_logprob_P / lengths[0], beta * rejected_logprob_P / lengths[1]
    return -logsigmoid(chosen_P - rejected_P - margin), _metrics(chosen_P, rejected_P)


def rpo(
    chosen_logratio_P: torch.Tensor,
    rejected_logratio_P: torch.Tensor,
    chosen_logprob_P: torch.Tensor,
    *,
    beta: float,
    eta: float,
    lengths_P: torch.Tensor | None = None,
) -> tuple[torch.Tensor, Metrics]:
    """−log σ(D) − η log π(chosen): DPO and imitation of the chosen side.

    With ``lengths_P`` the second term is the mean over the chosen side's tokens, otherwise their sum. The form of
    arXiv 2404.19733 with the mean and of arXiv 2405.16436 with the sum, up to their names for the coefficient.
    """
    loss_P, metrics = dpo(chosen_logratio_P, rejected_logratio_P, beta=beta)
    imitated_P = chosen_logprob_P if lengths_P is None else chosen_logprob_P / lengths_P
    return loss_P - eta * imitated_P, metrics


def nash_md(
    logprobs_N: torch.Tensor, reference_logprobs_N: torch.Tensor, preference_N: torch.Tensor, *, beta: float
) -> tuple[torch.Tensor, Metrics]:
    """−sg(P(y ≻ y′) − 1/2 − β log π / π_ref) log π(y), on the tokens of the policy's own samples y.

    Nash-MD (arXiv 2312.00886) in self-play: the paper's opponent y′ is drawn from a mixture of policy and reference,
    here it is another sample of the policy, and no gradient goes through it. ``preference_N`` is the probability that
    a token's sample is preferred to it; from rewards, P = σ(r(y) − r(y′)). As in TRL a token's log-ratio counts for
    that token alone.
    Stability: always. Denominator: the policy itself. Advantage: P − 1/2 − β log π / π_ref.
    """
    log_ratio_N, preference_N = (logprobs_N - reference_logprobs_N).detach(), preference_N.detach()
    loss_N = -(preference_N - 0.5 - beta * log_ratio_N) * logprobs_N
    return loss_N, {"preference": preference_N, "reference_log_ratio": log_ratio_N}
