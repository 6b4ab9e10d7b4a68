"""What all policy objectives have in common, and where two of them must be one.

Every importance-weighted objective is the plain policy gradient where the policies agree; no objective moves a token
without advantage; a value that is unstable has no gradient; neither the order of the tokens nor the cut matters.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgym.groups import is_informative
from agentgym.learn.advantages import group_zscore, leave_one_out, whiten
from agentgym.learn.objectives.corrections import masked_weights, truncated_weights
from agentgym.learn.objectives.estimator import Metrics, over_old, over_old_sequence
from agentgym.learn.objectives.policy_gradient import cispo, clipped_policy_gradient, reinforce

TokenObjective: TypeAlias = Callable[
    [torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], tuple[torch.Tensor, Metrics]
]
"""(log π [N], log π_old [N], advantages [N], sequences [N]) → (loss [N], metrics [N])."""


def ppo(
    new: torch.Tensor, old: torch.Tensor, advantages: torch.Tensor, _: torch.Tensor
) -> tuple[torch.Tensor, Metrics]:
    return clipped_policy_gradient(over_old(new, old), advantages, clip_low=0.2, clip_high=0.28)


def dual(
    new: torch.Tensor, old: torch.Tensor, advantages: torch.Tensor, _: torch.Tensor
) -> tuple[torch.Tensor, Metrics]:
    return clipped_policy_gradient(over_old(new, old), advantages, clip_low=0.2, clip_high=0.28, dual_clip=3.0)


def gspo(
    new: torch.Tensor, old: torch.Tensor, advantages: torch.Tensor, numbers: torch.Tensor
) -> tuple[torch.Tensor, Metrics]:
    return clipped_policy_gradient(over_old_sequence(new, old, numbers), advantages, clip_low=0.01, clip_high=0.01)


def bounded(
    new: torch.Tensor, old: torch.Tensor, advantages: torch.Tensor, _: torch.Tensor
) -> tuple[torch.Tensor, Metrics]:
    return cispo(new, old, advantages, clip_low=0.2, clip_high=0.28)


def truncated(
    new: torch.Tensor, old: torch.Tensor, advantages: torch.Tensor, numbers: torch.Tensor
) -> tuple[torch.Tensor, Metrics]:
    weights, metrics = truncated_weights(new, old, cap=2.0, sequences_N=numbers)
    return weights * reinforce(new, advantages)[0], metrics


def masked(
    new: torch.Tensor, old: torch.Tensor, advantages: torch.Tensor, numbers: torch.Tensor
) -> tuple[torch.Tensor, Metrics]:
    weights, metrics = masked_weights(new, old, low=0.5, high=2.0, sequences_N=numbers)
    return weights * reinforce(new, advantages)[0], metrics


WEIGHTED = [ppo, dual, gspo, bounded, truncated, masked]
SEQUENCES = st.lists(
    st.tuples(
        st.lists(st.tuples(st.floats(-5, 0), st.floats(-5, 0)), min_size=1, max_size=3),
        st.floats(-3, 3).map(lambda a: round(a, 3)),
    ),
    min_size=1,
    max_size=4,
)


def flat(
    sequences: list[tuple[list[tuple[float, float]], float]],
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """(log π with a gradient, log π_old, advantages, sequence numbers), each [N]; one advantage a sequence."""
    new = [n for tokens, _ in sequences for n, _ in tokens]
    old = [o for tokens, _ in sequences for _, o in tokens]
    advantages = [a for tokens, a in sequences for _ in tokens]
    numbers = [i for i, (tokens, _) in enumerate(sequences) for _ in tokens]
    as_tensor = [torch.tensor(column, dtype=torch.float64) for column in (new, old, advantages)]
    return as_tensor[0].requires_grad_(), as_tensor[1], as_tensor[2], torch.tensor(numbers)


def gradient_of(loss_N: torch.Tensor, logprobs_N: torch.Tensor) -> list[float]:
    """Of the sum; for all the losses here that is token by token, since a sequence has one advantage."""
    (gradient,) = torch.autograd.grad(loss_N.sum(), logprobs_N)
    numbers: list[float] = gradient.tolist()
    return numbers


@pytest.mark.parametrize("objective", WEIGHTED)
@settings(max_examples=30)
@given(SEQUENCES)
def test_where_the_policies_agree_it_is_the_plain_policy_gradient(
    objective: TokenObjective, sequences: list[tuple[list[tuple[float, float]], float]]
) -> None:
    new, _, advantages, numbers = flat(sequences)
    loss, metrics = objective(new, new.detach(), advantages, numbers)
    assert gradient_of(loss, new) == pytest.approx((-advantages).tolist())
    assert gradient_of(reinforce(new, advantages)[0], new) == (-advantages).tolist()
    for name in (
        "clip_fraction",
        "clip_fraction_low",
        "clip_fraction_high",
        "mismatch_bounded",
        "old_kl",
        "mismatch_kl",
    ):
        if name in metrics:
            assert metrics[name].tolist() == [0.0] * len(new)
    for name in ("ratio", "mismatch_weight"):
        if name in metrics:
            assert metrics[name].tolist() == [1.0] * len(new)


@pytest.mark.parametrize("objective", WEIGHTED)
@settings(max_examples=30)
@given(SEQUENCES)
def test_without_advantage_no_token_moves(
    objective: TokenObjective, sequences: list[tuple[list[tuple[float, float]], float]]
) -> None:
    new, old, advantages, numbers = flat(sequences)
    loss, _ = objective(new, old, 0 * advantages, numbers)
    assert [abs(g) for g in gradient_of(loss, new)] == [0.0] * len(new)


@pytest.mark.parametrize("objective", WEIGHTED)
@settings(max_examples=30)
@given(SEQUENCES)
def test_no_gradient_points_against_the_advantage(
    objective: TokenObjective, sequences: list[tuple[list[tuple[float, float]], float]]
) -> None:
    new, old, advantages, numbers = flat(sequences)
    loss, _ = objective(new, old, advantages, numbers)
    for slope, advantage in zip(gradient_of(loss, new), advantages.tolist(), strict=True):
        assert slope * advantage <= 0


@pytest.mark.parametrize("objective", [ppo, dual, gspo])
@given(SEQUENCES)
def test_what_is_clipped_does_not_move(
    objective: TokenObjective, sequences: list[tuple[list[tuple[float, float]], float]]
) -> None:
    new, old, advantages, numbers = flat(sequences)
    loss, metrics = objective(new, old, advantages, numbers)
    for slope, clipped, advantage in zip(
        gradient_of(loss, new), metrics["clip_fraction"].tolist(), advantages.tolist(), strict=True
    ):
        assert (slope == 0) == (clipped == 1 or advantage == 0)


@pytest.mark.parametrize("objective", WEIGHTED)
@settings(max_examples=30)
@given(SEQUENCES)
def test_the_gradient_is_the_same_however_the_sequences_are_cut(
    objective: TokenObjective, sequences: list[tuple[list[tuple[float, float]], float]]
) -> None:
    new, old, advantages, numbers = flat(sequences)
    loss, _ = objective(new, old, advantages, numbers)
    apart: list[float] = []
    for sequence in sequences:
        one = flat([sequence])
        apart += gradient_of(objective(*one)[0], one[0])
    assert gradient_of(loss, new) == pytest.approx(apart)


@given(SEQUENCES)
def test_cispo_is_ppo_within_its_bounds(sequences: list[tuple[list[tuple[float, float]], float]]) -> None:
    """With bounds that are never reached both give the importance-weighted gradient."""
    new, old, advantages, _ = flat(sequences)
    wide = {"clip_low": 1.0, "clip_high": math.inf}
    ours = gradient_of(cispo(new, old, advantages, **wide)[0], new)
    assert ours == pytest.approx(gradient_of(clipped_policy_gradient(over_old(new, old), advantages, **wide)[0], new))


@given(
    st.lists(st.floats(-5, 5).map(lambda x: round(x, 2)), min_size=2, max_size=6).filter(is_informative),
    st.floats(-50, 50),
)
def test_baselines_rank_alike_and_ignore_a_shift(rewards: list[float], shift: float) -> None:
    """Group z-score, leave-one-out and whitening of one group are the same vector at three lengths."""
    vectors = [group_zscore(rewards), group_zscore(rewards, scale=False), leave_one_out(rewards)]
    vectors.append(whiten(rewards).tolist())
    norms = [math.sqrt(math.fsum(a * a for a in vector)) for vector in vectors]
    unit = [[a / norm for a in vector] for vector, norm in zip(vectors, norms, strict=True)]
    for other in unit[1:]:
        assert other == pytest.approx(unit[0], abs=1e-9)
    shifted = [reward + shift for reward in rewards]
    assert leave_one_out(shifted) == pytest.approx(leave_one_out(rewards), abs=1e-9)
    assert [math.fsum(vector) for vector in vectors] == pytest.approx([0.0] * 4, abs=1e-6)
