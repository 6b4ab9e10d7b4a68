"""Estimates of the divergence: by hand, and exact expectations over a small vocabulary, of values and gradients."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agentgym.learn.objectives.kl import Estimator, kl

LOGITS = st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=2, max_size=6)


def policies(logits: list[tuple[float, float]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(logits [V] with a gradient, log π [V], log π_ref [V])."""
    logits_V = torch.tensor([ours for ours, _ in logits], dtype=torch.float64, requires_grad=True)
    reference_V = torch.tensor([theirs for _, theirs in logits], dtype=torch.float64).log_softmax(0)
    return logits_V, logits_V.log_softmax(0), reference_V


def expected_gradient(logits: list[tuple[float, float]], estimator: Estimator) -> list[float]:
    """Σ_a π(a) ∇ estimate(a): what a loss over sampled tokens follows on average."""
    logits_V, logprobs_V, reference_V = policies(logits)
    loss = (logprobs_V.detach().exp() * kl(logprobs_V, reference_V, estimator)).sum()
    (gradient,) = torch.autograd.grad(loss, logits_V)
    numbers: list[float] = gradient.tolist()
    return numbers


def true_gradient(logits: list[tuple[float, float]], *, forward: bool) -> list[float]:
    """∇ KL(π ‖ π_ref), or with ``forward`` ∇ KL(π_ref ‖ π), by automatic differentiation of the exact sum."""
    logits_V, logprobs_V, reference_V = policies(logits)
    difference_V = logprobs_V - reference_V
    exact = -(reference_V.exp() * difference_V).sum() if forward else (logprobs_V.exp() * difference_V).sum()
    (gradient,) = torch.autograd.grad(exact, logits_V)
    numbers: list[float] = gradient.tolist()
    return numbers


@pytest.mark.parametrize(
    ("estimator", "values", "slopes"),
    [
        # π / π_ref = 2 and 0.5: d = ±0.6931472
        ("k1", [0.6931472, -0.6931472], [1.0, 1.0]),
        # d² / 2 = 0.2402265; slope d
        ("k2", [0.2402265, 0.2402265], [0.6931472, -0.6931472]),
        # 0.5 - 1 + 0.6931472 and 2 - 1 - 0.6931472; slope 1 - exp(-d) = 0.5 and -1
        ("k3", [0.1931472, 0.3068528], [0.5, -1.0]),
    ],
)
def test_by_hand(estimator: Estimator, values: list[float], slopes: list[float]) -> None:
    logprobs_N = torch.tensor([math.log(0.5), math.log(0.25)], dtype=torch.float64, requires_grad=True)
    reference_N = torch.tensor([math.log(0.25), math.log(0.5)], dtype=torch.float64)
    found = kl(logprobs_N, reference_N, estimator)
    (gradient,) = torch.autograd.grad(found.sum(), logprobs_N)
    assert found.tolist() == pytest.approx(values, abs=1e-7)
    assert gradient.tolist() == pytest.approx(slopes, abs=1e-7)


@given(LOGITS)
def test_k1_and_k3_have_the_divergence_as_expectation(logits: list[tuple[float, float]]) -> None:
    _, logprobs_V, reference_V = policies(logits)
    exact = torch.distributions.kl_divergence(
        torch.distributions.Categorical(logits=logprobs_V), torch.distributions.Categorical(logits=reference_V)
    ).item()
    for estimator in ("k1", "k3"):
        estimates_V = kl(logprobs_V, reference_V, estimator)
        assert (logprobs_V.exp() * estimates_V).sum().item() == pytest.approx(exact, abs=1e-9)


@given(LOGITS)
def test_as_a_loss_k1_pushes_nowhere_k2_back_and_k3_the_other_direction(logits: list[tuple[float, float]]) -> None:
    assert expected_gradient(logits, "k1") == pytest.approx([0.0] * len(logits), abs=1e-9)
    assert expected_gradient(logits, "k2") == pytest.approx(true_gradient(logits, forward=False), abs=1e-9)
    assert expected_gradient(logits, "k3") == pytest.approx(true_gradient(logits, forward=True), abs=1e-9)


@given(LOGITS)
def test_in_the_reward_k1_gives_the_gradient_of_the_divergence(logits: list[tuple[float, float]]) -> None:
    """The policy gradient of a reward of −k1 is that of −KL(π ‖ π_ref)."""
    logits_V, logprobs_V, reference_V = policies(logits)
    rewards_V = -kl(logprobs_V, reference_V, "k1").detach()
    (gradient,) = torch.autograd.grad((logprobs_V.detach().exp() * rewards_V * logprobs_V).sum(), logits_V)
    assert (-gradient).tolist() == pytest.approx(true_gradient(logits, forward=False), abs=1e-9)


@given(st.lists(st.floats(-6, 6), min_size=1, max_size=8))
def test_k2_and_k3_are_never_negative(log_ratios: list[float]) -> None:
    log_ratios_N = torch.tensor(log_ratios, dtype=torch.float64)
    nothing_N = torch.zeros_like(log_ratios_N)
    assert bool((kl(log_ratios_N, nothing_N, "k2") >= 0).all())
    assert bool((kl(log_ratios_N, nothing_N, "k3") >= 0).all())


@given(st.floats(-1, 1), st.floats(1e-4, 1e-2))
def test_near_the_reference_k2_and_k3_agree_to_second_order(direction: float, size: float) -> None:
    log_ratio_N = torch.tensor([direction * size], dtype=torch.float64)
    nothing_N = torch.zeros_like(log_ratio_N)
    gap = abs(kl(log_ratio_N, nothing_N, "k2").item() - kl(log_ratio_N, nothing_N, "k3").item())
    assert gap <= abs(direction * size) ** 3 / 6 * 1.01 + 1e-18


@given(LOGITS, st.floats(1e-4, 1e-2))
def test_near_the_reference_the_three_agree_in_expectation_to_second_order(
    logits: list[tuple[float, float]], size: float
) -> None:
    """All expectations are of order size²; they differ by order size³."""
    near = [(theirs + size * ours, theirs) for ours, theirs in logits]
    _, logprobs_V, reference_V = policies(near)
    k1, k2, k3 = [
        (logprobs_V.exp() * kl(logprobs_V, reference_V, estimator)).sum().item() for estimator in ("k1", "k2", "k3")
    ]
    spread = 6 * size  # no log-ratio is further from 0
    assert abs(k1 - k2) <= spread**3
    assert abs(k3 - k2) <= spread**3


def test_an_unknown_estimator_is_refused() -> None:
    unknown: Any = "k4"
    with pytest.raises(ValueError, match="k1, k2 or k3, found 'k4'"):
        kl(torch.zeros(1), torch.zeros(1), unknown)
