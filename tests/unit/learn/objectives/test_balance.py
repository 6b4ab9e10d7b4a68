"""Trajectory balance: by hand, against a slow reference, beside REINFORCE and CoPG, and where it ends."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agentgym.learn.objectives.balance import trajectory_balance
from agentgym.learn.objectives.policy_gradient import reinforce
from agentgym.learn.objectives.preference import copg


def tensor(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def balance_of(
    ratios: list[float], advantages: list[float], sequences: list[int], beta: float
) -> tuple[list[float], list[float], list[float]]:
    log_ratio = tensor(ratios).requires_grad_()
    loss, metrics = trajectory_balance(log_ratio, tensor(advantages), torch.tensor(sequences), beta=beta)
    assert not any(value.requires_grad for value in metrics.values())
    weights = tensor([1 / sequences.count(sequence) for sequence in sequences])  # of a mean over each one's tokens
    (gradient,) = torch.autograd.grad((weights * loss).sum(), log_ratio)
    return loss.tolist(), gradient.tolist(), metrics["imbalance"].tolist()


def test_trajectory_balance_by_hand() -> None:
    """β = .5: log-ratios 1 and 2 of one sequence leave .5 * 3 - .5 = 1, that of the other .5 * -2 - 1 = -2."""
    loss, gradient, imbalance = balance_of([1.0, 2.0, -2.0], [0.5, 0.5, 1.0], [0, 0, 1], 0.5)
    assert loss == pytest.approx([1.0, 1.0, 4.0])
    assert gradient == pytest.approx([1.0, 1.0, -2.0])  # of every token of a sequence its residual
    assert imbalance == pytest.approx([1.0, 1.0, 2.0])


TOKENS = st.lists(st.tuples(st.floats(-3, 3), st.integers(0, 2)), min_size=1, max_size=8)


@given(TOKENS, st.lists(st.floats(-2, 2), min_size=3, max_size=3), st.floats(0.05, 2))
def test_against_a_slow_reference(tokens: list[tuple[float, int]], advantages: list[float], beta: float) -> None:
    """The square of what is left of log Z + log π − log R, for each token by a look at all of its sequence."""
    ratios, sequences = [ratio for ratio, _ in tokens], [sequence for _, sequence in tokens]
    loss, gradient, _ = balance_of(ratios, [advantages[s] for s in sequences], sequences, beta)
    for value, slope, sequence in zip(loss, gradient, sequences, strict=True):
        left = math.fsum(ratio for ratio, own in tokens if own == sequence) - advantages[sequence] / beta
        assert value == pytest.approx(beta / 2 * left**2, rel=1e-9, abs=1e-12)
        assert slope == pytest.approx(beta * left, rel=1e-9, abs=1e-9)


def test_at_the_reference_it_is_reinforce() -> None:
    _, gradient, _ = balance_of([0.0, 0.0, 0.0], [0.7, 0.7, -0.7], [0, 0, 1], 0.1)
    logprobs = tensor([-1.0, -2.0, -3.0]).requires_grad_()
    loss, _ = reinforce(logprobs, tensor([0.7, 0.7, -0.7]))
    (expected,) = torch.autograd.grad(loss.sum(), logprobs)
    assert gradient == pytest.approx(expected.tolist())


def test_with_the_mean_of_a_group_it_is_copg_on_all_pairs() -> None:
    """Three sequences of a token: squares around the mean are those of all pairs over 3."""
    rewards, beta, ratios = [1.0, 0.5, -0.2], 0.4, tensor([0.3, -1.0, 0.8]).requires_grad_()
    left = tensor(rewards) - beta * ratios.detach()
    loss, _ = trajectory_balance(ratios, tensor(rewards) - left.mean(), torch.arange(3), beta=beta)
    (gradient,) = torch.autograd.grad(loss.sum(), ratios, retain_graph=True)
    pairs = [
        copg(ratios[i : i + 1], ratios[j : j + 1], tensor([rewards[i] - rewards[j]]), beta=beta)[0]
        for i, j in itertools.combinations(range(3), 2)
    ]
    assert loss.sum().item() == pytest.approx(torch.cat(pairs).sum().item() / (3 * 2 * beta))
    (expected,) = torch.autograd.grad(torch.cat(pairs).sum(), ratios)
    assert gradient.tolist() == pytest.approx((expected / (3 * 2 * beta)).tolist())


def test_it_ends_at_the_reference_times_the_exponential_of_the_reward() -> None:
    """A policy of three actions, of which all are looked at whatever it thinks of them: nobody's samples."""
    reference, rewards, beta = tensor([0.5, 0.3, 0.2]).log(), tensor([0.0, 1.0, 1.0]), 0.5
    logits = reference.clone().requires_grad_()
    for _ in range(2000):
        ratios = logits.log_softmax(0) - reference
        advantages = rewards - (rewards - beta * ratios.detach()).mean()
        loss, _ = trajectory_balance(ratios, advantages, torch.arange(3), beta=beta)
        (gradient,) = torch.autograd.grad(loss.sum(), logits)
        logits.data -= 0.5 * gradient
    target = (reference + rewards / beta).softmax(0)
    assert logits.softmax(0).tolist() == pytest.approx(target.tolist(), abs=1e-6)
    assert target[1] / target[2] == pytest.approx(1.5)  # the better two keep their odds; the best alone would take all
