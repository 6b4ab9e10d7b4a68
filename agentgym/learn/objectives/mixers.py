"""Demonstrations and the policy's own episodes in one update: schedules, gates, token masks and their losses.

A mixed loss is a weighted sum of two means, each over its own tokens. The learner weighs all tokens of an update
alike, so ``mixture_weights`` gives the factor for either part that makes the sum come out exactly, however the
update is cut into microbatches.

Shape legend: N trained tokens of a microbatch (flat); demonstration [N] is True on tokens of demonstrations; a
sequence index [N] says which sequence each token belongs to.

Choices of ours: SRFT follows a digest of the paper, not its text, and leaves the level of the entropy (token,
sequence, update) to the caller; Prefix-RFT ranks entropies within each sequence, because a ranking over the batch
would depend on how the batch is cut.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

from agentgym.learn.objectives.estimator import Metrics

__all__ = [
    "MixtureWeights",
    "chord",
    "chord_mu",
    "chord_phi",
    "cosine",
    "hpt_imitates",
    "mix",
    "mixture_weights",
    "prefix_length",
    "prefix_low",
    "prefix_rft",
    "srft",
    "srft_weights",
    "sum_weights",
    "top_entropy",
]


class MixtureWeights(NamedTuple):
    """What the loss of a token is multiplied by, according to the part that it belongs to."""

    rl: float
    demonstration: float


def mixture_weights(num_rl: float, num_demonstration: float, mu: float) -> MixtureWeights:
    """Factors that make the learner's mean equal (1 − mu) · mean over RL + mu · mean over demonstrations.

    Counts are those of the whole update: trained tokens under aggregation "token", episodes with trained tokens
    otherwise. A part that is missing adds nothing, and the other keeps its coefficient. Raises ValueError unless
    0 ≤ mu ≤ 1.

    >>> mixture_weights(30, 10, 0.25)
    MixtureWeights(rl=1.0, demonstration=1.0)
    >>> mixture_weights(30, 10, 0.5)  # .5 * 40 / 30 and .5 * 40 / 10
    MixtureWeights(rl=0.6666666666666666, demonstration=2.0)
    """
    if not 0 <= mu <= 1:
        raise ValueError(f"mu is {mu}, expected a number from 0 to 1")
    total = num_rl + num_demonstration
    return MixtureWeights(
        rl=(1 - mu) * total / num_rl if num_rl else 0.0,
        demonstration=mu * total / num_demonstration if num_demonstration else 0.0,
    )


def sum_weights(num_rl: float, num_demonstration: float) -> MixtureWeights:
    """Factors that make the learner's mean equal mean over RL + mean over demonstrations, as SRFT adds its parts."""
    halves = mixture_weights(num_rl, num_demonstration, 0.5)
    return MixtureWeights(2 * halves.rl, 2 * halves.demonstration)


def mix(
    rl_loss_N: torch.Tensor,
    demonstration_loss_N: torch.Tensor,
    demonstration_N: torch.Tensor,
    weights: MixtureWeights,
) -> torch.Tensor:
    """Either loss on its own tokens, times its factor."""
    return torch.where(demonstration_N, weights.demonstration * demonstration_loss_N, weights.rl * rl_loss_N)


def cosine(step: int, steps: int, start: float, end: float) -> float:
    """From ``start`` at step 0 along half a cosine to ``end`` at ``steps``, and ``end`` from there on."""
    if step >= steps:
        return end
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * step / steps))


def chord_mu(update: int, *, warmup: int, decay: int, peak: float, valley: float) -> float:
    """CHORD's share of imitation: up from 0 in a line for ``warmup`` updates, then a cosine from peak to valley.

    arXiv 2508.11408, the global coefficient μ.

    >>> tuple(round(chord_mu(u, warmup=2, decay=4, peak=0.9, valley=0.1), 3) for u in (0, 1, 2, 4, 6, 99))
    (0.0, 0.45, 0.9, 0.5, 0.1, 0.1)
    """
    return peak * update / warmup if update < warmup else cosine(update - warmup, decay, peak, valley)


def chord_phi(logprobs_N: torch.Tensor) -> torch.Tensor:
    """φ = sg(π (1 − π)): what the policy knows already, and what is foreign to it, weighs little.

    CHORD's token weight (arXiv 2508.11408). At most 1/4, at π = 1/2.
    """
    return -logprobs_N.detach().exp() * torch.expm1(logprobs_N.detach())


def chord(
    rl_loss_N: torch.Tensor,
    logprobs_N: torch.Tensor,
    demonstration_N: torch.Tensor,
    weights: MixtureWeights,
    *,
    phi: bool,
) -> tuple[torch.Tensor, Metrics]:
    """(1 − μ) L_RL + μ L_SFT, with φ (−log π) for the tokens of demonstrations when ``phi`` (arXiv 2508.11408).

    ``weights`` are ``mixture_weights`` of the whole update with μ from ``chord_mu``. On demonstrations, stability:
    always; denominator: the policy itself; advantage: μ, or μ φ. Elsewhere those of ``rl_loss_N``.
    """
    phi_N = chord_phi(logprobs_N) if phi else torch.ones_like(logprobs_N)
    loss_N = mix(rl_loss_N, -phi_N * logprobs_N, demonstration_N, weights)
    return loss_N, {"imitation_weight": torch.where(demonstration_N, phi_N, 0.0)}


def srft_weights(entropies_N: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(w_sft, w_rl) = (sg(exp(−H)) / 2, sg(exp(H)) / 10) of SRFT (arXiv 2506.19767), each [N]."""
    entropies_N = entropies_N.detach()
    return 0.5 * (-entropies_N).exp(), 0.1 * entropies_N.exp()


def srft(
    logprobs_N: torch.Tensor,
    entropies_N: torch.Tensor,
    advantages_N: torch.Tensor,
    demonstration_N: torch.Tensor,
    weights: MixtureWeights,
    *,
    clip: float,
) -> tuple[torch.Tensor, Metrics]:
    """Supervised reinforcement fine-tuning (arXiv 2506.19767): both signals from both sources in one loss.

    Demonstrations: −w_sft log π − min(π A, clip(π, 1 − clip, 1 + clip) A), where A is the group's advantage with the
    demonstration as a member. Own rollouts, whose A is their reward: −w_rl log π for A = 1 and log π for A = −1.
    ``entropies_N`` is the policy's entropy H at the level wanted, ``weights`` are ``sum_weights`` of the update.

    Demonstrations are imitation (stability: always; denominator: the policy itself; advantage: w_sft) plus an
    off-policy member (stability: the clip; denominator: 1, a behavior probability of 1; advantage: A). Own rollouts
    are REINFORCE (stability: always; denominator: the policy itself; advantage: w_rl or −1).
    """
    imitation_N, praise_N = srft_weights(entropies_N)
    ratio_N = logprobs_N.exp()
    clipped_N = ratio_N.clamp(1 - clip, 1 + clip)
    member_N = -torch.minimum(ratio_N * advantages_N, clipped_N * advantages_N)
    own_N = -torch.where(advantages_N > 0, praise_N, 1.0) * advantages_N * logprobs_N
    loss_N = mix(own_N, member_N - imitation_N * logprobs_N, demonstration_N, weights)
    return loss_N, {"imitation_weight": torch.where(demonstration_N, imitation_N, 0.0)}


def hpt_imitates(successes: Sequence[float], *, gate: float) -> bool:
    """Whether a prompt is imitated rather than reinforced: its rollouts' mean success is at most ``gate``.

    Hybrid post-training (arXiv 2509.04419): then only the demonstration is trained on, otherwise only the rollouts.
    Raises ValueError for no rollouts.

    >>> hpt_imitates([0, 0, 0, 0], gate=0.0), hpt_imitates([1, 0, 0, 0], gate=0.0)
    (True, False)
    """
    if not successes:
        raise ValueError("the gate needs at least 1 rollout of the prompt, found 0")
    return sum(successes) / len(successes) <= gate


def prefix_low(update: int, *, updates: int, high: float, low: float = 0.0) -> float:
    """Prefix-RFT's lower end of the prefix share: a cosine from ``high`` to ``low`` (arXiv 2507.01679)."""
    return cosine(update, updates, high, low)


def prefix_length(length: int, *, low: float, high: float, uniform: float) -> int:
    """⌊l · length⌋ with l = low + uniform · (high − low): how much of a demonstration is given (arXiv 2507.01679).

    ``uniform`` is a draw from [0, 1); ``length`` counts tokens, or turns. Raises ValueError unless
    0 ≤ low ≤ high ≤ 1.

    >>> prefix_length(10, low=0.2, high=0.9, uniform=0.5)  # l = .55
    5
    """
    if not 0 <= low <= high <= 1:
        raise ValueError(f"low is {low} and high is {high}, expected 0 <= low <= high <= 1")
    return math.floor((low + uniform * (high - low)) * length)


def top_entropy(
    entropies_N: torch.Tensor, prefix_N: torch.Tensor, sequences_N: torch.Tensor, fraction: float
) -> torch.Tensor:
    """True on the ``fraction`` of every sequence's prefix tokens with the highest entropy [N].

    The number kept is rounded, and at least 1 of a prefix. Of equal entropies the earlier token is kept.
    """
    kept_N = torch.zeros_like(prefix_N)
    tokens = prefix_N.nonzero().squeeze(1)
    order = tokens[entropies_N[tokens].argsort(descending=True, stable=True)]
    order = order[sequences_N[order].argsort(stable=True)]
    counts = torch.bincount(sequences_N[order])
    first = counts.cumsum(0) - counts
    places = torch.arange(len(order), device=order.device) - first[sequences_N[order]]
    kept_N[order] = places < (fraction * counts).round().clamp(min=1)[sequences_N[order]]
    return kept_N


def prefix_rft(
    rl_loss_N: torch.Tensor,
    entropies_N: torch.Tensor,
    prefix_N: torch.Tensor,
    sequences_N: torch.Tensor,
    *,
    fraction: float,
) -> tuple[torch.Tensor, Metrics]:
    """The RL loss, without a gradient on the demonstrated tokens whose entropy is not among the highest.

    Prefix-RFT (arXiv 2507.01679): one member of a group goes on from a demonstration's beginning, and all members
    share the group's baseline. ``prefix_N`` is True on the demonstrated tokens. Stability: that of ``rl_loss_N``
    and ``top_entropy``; denominator and advantage: those of ``rl_loss_N``.
    """
    trained_N = ~prefix_N | top_entropy(entropies_N.detach(), prefix_N, sequences_N, fraction)
    loss_N = torch.where(trained_N, rl_loss_N, rl_loss_N.detach())
    return loss_N, {"prefix_trained": (trained_N & prefix_N).to(rl_loss_N)}
