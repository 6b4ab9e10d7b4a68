"""Losses against numbers worked by hand, a second slow implementation, and the identities they must obey."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agentgym.learn.objectives.imitation import imitation
from agentgym.learn.objectives.policy_gradient import clipped_policy_gradient

LOGPROB = st.floats(-6, 0)
TOKENS = st.lists(st.tuples(LOGPROB, LOGPROB, st.floats(-3, 3)), min_size=1, max_size=8)


def clipped(
    new: list[float], old: list[float], advantages: list[float], low: float = 0.2, high: float = 0.28
) -> tuple[list[float], list[float], dict[str, list[float]]]:
    """(losses, their gradients with respect to the new log-probs, metrics)."""
    logprobs = torch.tensor(new, dtype=torch.float64, requires_grad=True)
    behavior, weights = torch.tensor(old, dtype=torch.float64), torch.tensor(advantages, dtype=torch.float64)
    loss, metrics = clipped_policy_gradient(logprobs, behavior, weights, clip_low=low, clip_high=high)
    loss.sum().backward()
    assert logprobs.grad is not None
    return loss.tolist(), logprobs.grad.tolist(), {name: value.tolist() for name, value in metrics.items()}


def test_clipping_by_hand() -> None:
    """Ratios 1, 1.5, 1.5, 0.5, 0.5; bounds 0.8 and 1.28."""
    ratios, advantages = [1.0, 1.5, 1.5, 0.5, 0.5], [2.0, 1.0, -1.0, 1.0, -1.0]
    loss, gradient, metrics = clipped([math.log(r) for r in ratios], [0.0] * 5, advantages)
    # 1.0: -(1 * 2) = -2                      d/dlogp = -ratio * A = -2
    # 1.5, A > 0: -min(1.5, 1.28) = -1.28     clipped: no gradient
    # 1.5, A < 0: -min(-1.5, -1.28) = 1.5     not clipped: -1.5 * -1 = 1.5
    # 0.5, A > 0: -min(0.5, 0.8) = -0.5       not clipped: -0.5
    # 0.5, A < 0: -min(-0.5, -0.8) = 0.8      clipped: no gradient
    assert loss == pytest.approx([-2.0, -1.28, 1.5, -0.5, 0.8])
    assert gradient == pytest.approx([-2.0, 0.0, 1.5, -0.5, 0.0])
    assert metrics["clip_fraction"] == [0.0, 1.0, 0.0, 0.0, 1.0]
    # k3: r - 1 - log r; 1.5 - 1 - 0.4054651 = 0.0945349, 0.5 - 1 + 0.6931472 = 0.1931472
    assert metrics["behavior_kl"] == pytest.approx([0.0, 0.0945349, 0.0945349, 0.1931472, 0.1931472], abs=1e-7)
    assert metrics["mismatch"] == pytest.approx([0.0, 0.4054651, 0.4054651, 0.6931472, 0.6931472])


def slow_clipped(new: float, old: float, advantage: float, low: float, high: float) -> float:
    """The same from the paper's case analysis, without min or clamp."""
    ratio = math.exp(new) / math.exp(old)
    if advantage >= 0:
        return -advantage * (1 + high if ratio > 1 + high else ratio)
    return -advantage * (1 - low if ratio < 1 - low else ratio)


@given(TOKENS, st.floats(0, 0.9), st.floats(0, 2))
def test_clipping_against_a_slow_reference(tokens: list[tuple[float, float, float]], low: float, high: float) -> None:
    new, old, advantages = map(list, zip(*tokens, strict=True))
    expected = [slow_clipped(*token, low, high) for token in tokens]
    assert clipped(new, old, advantages, low, high)[0] == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(TOKENS, st.floats(0.01, 0.9), st.floats(0.01, 2))
def test_at_ratio_one_it_is_the_plain_policy_gradient(
    tokens: list[tuple[float, float, float]], low: float, high: float
) -> None:
    """A ∇ log π, whatever the bounds: on-policy the clip is idle."""
    new, _, advantages = map(list, zip(*tokens, strict=True))
    _, gradient, metrics = clipped(new, new, advantages, low, high)
    assert gradient == pytest.approx([-a for a in advantages])
    assert metrics["clip_fraction"] == [0.0] * len(tokens)
    assert metrics["behavior_kl"] == metrics["mismatch"] == [0.0] * len(tokens)


@given(TOKENS)
def test_without_bounds_it_is_the_importance_weighted_gradient(tokens: list[tuple[float, float, float]]) -> None:
    new, old, advantages = map(list, zip(*tokens, strict=True))
    _, gradient, _ = clipped(new, old, advantages, 1.0, math.inf)
    expected = [-math.exp(n - o) * a for n, o, a in tokens]
    assert gradient == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_metrics_carry_no_gradient() -> None:
    logprobs = torch.tensor([-1.0], requires_grad=True)
    _, metrics = clipped_policy_gradient(logprobs, torch.tensor([-1.5]), torch.ones(1), clip_low=0.2, clip_high=0.2)
    assert not any(value.requires_grad for value in metrics.values())


def test_imitation_by_hand() -> None:
    logprobs = torch.tensor([math.log(0.5), math.log(0.25)], requires_grad=True)
    loss, metrics = imitation(logprobs)
    loss.sum().backward()
    assert loss.tolist() == pytest.approx([0.6931472, 1.3862944])
    assert logprobs.grad is not None
    assert logprobs.grad.tolist() == [-1.0, -1.0]
    assert metrics == {}
