"""Weights between sampler and learner: by hand, against slow references, and what they correct exactly."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agentgym.learn.objectives.corrections import masked_weights, truncated_weights

LOGPROB = st.floats(-4, 0)
SEQUENCES = st.lists(st.lists(st.tuples(LOGPROB, LOGPROB), min_size=1, max_size=4), min_size=1, max_size=4)


def tensor(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def flat(sequences: list[list[tuple[float, float]]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(proximal, behavior, sequence numbers), each [N]."""
    proximal = [p for tokens in sequences for p, _ in tokens]
    behavior = [b for tokens in sequences for _, b in tokens]
    return tensor(proximal), tensor(behavior), torch.tensor([i for i, s in enumerate(sequences) for _ in s])


PROXIMAL, BEHAVIOR = [math.log(0.6), math.log(0.4), math.log(0.1)], [math.log(0.2), math.log(0.5), math.log(0.4)]
"""Ratios 3, 0.8 and 0.25; tokens 0 and 1 are one sequence, whose product is 2.4."""
NUMBERS = torch.tensor([0, 0, 1])


def test_truncation_by_hand() -> None:
    weights, metrics = truncated_weights(tensor(PROXIMAL), tensor(BEHAVIOR), cap=2.0)
    assert weights.tolist() == pytest.approx([2.0, 0.8, 0.25])
    assert metrics["mismatch_weight"].tolist() == pytest.approx([2.0, 0.8, 0.25])
    assert metrics["mismatch_bounded"].tolist() == [1.0, 0.0, 0.0]
    # KL(behavior ‖ proximal) by k3, r - 1 - log r: 3 - 1 - 1.0986123, 0.8 - 1 + 0.2231436, 0.25 - 1 + 1.3862944
    assert metrics["mismatch_kl"].tolist() == pytest.approx([0.9013877, 0.0231436, 0.6362944], abs=1e-7)
    weights, metrics = truncated_weights(tensor(PROXIMAL), tensor(BEHAVIOR), cap=2.0, sequences_N=NUMBERS)
    assert weights.tolist() == pytest.approx([2.0, 2.0, 0.25])
    assert metrics["mismatch_bounded"].tolist() == [1.0, 1.0, 0.0]
    weights, _ = truncated_weights(tensor(PROXIMAL), tensor(BEHAVIOR), cap=math.inf, sequences_N=NUMBERS)
    assert weights.tolist() == pytest.approx([2.4, 2.4, 0.25])


def test_masking_by_hand() -> None:
    weights, metrics = masked_weights(tensor(PROXIMAL), tensor(BEHAVIOR), low=0.5, high=2.5)
    assert weights.tolist() == pytest.approx([0.0, 0.8, 0.0])
    assert metrics["mismatch_bounded"].tolist() == [1.0, 0.0, 1.0]
    weights, metrics = masked_weights(tensor(PROXIMAL), tensor(BEHAVIOR), low=0.5, high=2.5, sequences_N=NUMBERS)
    assert weights.tolist() == pytest.approx([2.4, 2.4, 0.0])
    assert metrics["mismatch_bounded"].tolist() == [0.0, 0.0, 1.0]
    weights, _ = masked_weights(tensor(PROXIMAL), tensor(BEHAVIOR), low=0.0, high=2.0, sequences_N=NUMBERS)
    assert weights.tolist() == pytest.approx([0.0, 0.0, 0.25])


@given(SEQUENCES, st.floats(0.1, 4), st.booleans())
def test_truncation_against_a_slow_reference(
    sequences: list[list[tuple[float, float]]], cap: float, whole: bool
) -> None:
    proximal, behavior, numbers = flat(sequences)
    weights, _ = truncated_weights(proximal, behavior, cap=cap, sequences_N=numbers if whole else None)
    expected = [min(r, cap) for r in slow_ratios(sequences, whole)]
    assert weights.tolist() == pytest.approx(expected)
    assert max(weights.tolist()) <= cap * (1 + 1e-12)


@given(SEQUENCES, st.floats(0, 1), st.floats(1, 4), st.booleans())
def test_masking_against_a_slow_reference(
    sequences: list[list[tuple[float, float]]], low: float, high: float, whole: bool
) -> None:
    proximal, behavior, numbers = flat(sequences)
    weights, _ = masked_weights(proximal, behavior, low=low, high=high, sequences_N=numbers if whole else None)
    for weight, ratio in zip(weights.tolist(), slow_ratios(sequences, whole), strict=True):
        if abs(ratio - low) > 1e-9 and abs(ratio - high) > 1e-9:  # at the bounds rounding decides
            assert weight == pytest.approx(ratio if low < ratio < high else 0.0)


def slow_ratios(sequences: list[list[tuple[float, float]]], whole: bool) -> list[float]:
    """Each token's ratio, or the product over its sequence, by plain division."""
    ratios = [[math.exp(p) / math.exp(b) for p, b in tokens] for tokens in sequences]
    return [math.prod(own) if whole else ratio for own in ratios for ratio in own]


@given(SEQUENCES)
def test_where_both_agree_every_weight_is_one(sequences: list[list[tuple[float, float]]]) -> None:
    proximal, _, numbers = flat(sequences)
    for own in (None, numbers):
        assert truncated_weights(proximal, proximal, cap=1.0, sequences_N=own)[0].tolist() == [1.0] * len(proximal)
        weights, metrics = masked_weights(proximal, proximal, low=1.0, high=1.0, sequences_N=own)
        assert weights.tolist() == [1.0] * len(proximal)
        assert metrics["mismatch_bounded"].tolist() == metrics["mismatch_kl"].tolist() == [0.0] * len(proximal)


@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=2, max_size=5))
def test_without_a_cap_the_expectation_is_that_of_the_learners_policy(logits: list[tuple[float, float]]) -> None:
    """Σ_a π_behavior(a) w(a) f(a) = Σ_a π_prox(a) f(a), exactly, for every f; here f = 1 and f = a."""
    proximal = tensor([p for p, _ in logits]).log_softmax(0)
    behavior = tensor([b for _, b in logits]).log_softmax(0)
    weights, _ = truncated_weights(proximal, behavior, cap=math.inf)
    action = torch.arange(len(logits), dtype=torch.float64)
    assert (behavior.exp() * weights).sum().item() == pytest.approx(1.0)
    assert (behavior.exp() * weights * action).sum().item() == pytest.approx((proximal.exp() * action).sum().item())


def test_a_long_sequence_neither_overflows_nor_vanishes() -> None:
    proximal, behavior = torch.full((4000,), -1.0), torch.full((4000,), -2.0)
    numbers = torch.zeros(4000, dtype=torch.long)  # the product is e^4000
    assert truncated_weights(proximal, behavior, cap=2.0, sequences_N=numbers)[0].tolist() == pytest.approx(
        [2.0] * 4000
    )
    assert masked_weights(proximal, behavior, low=0.5, high=2.0, sequences_N=numbers)[0].tolist() == [0.0] * 4000


def test_weights_and_metrics_carry_no_gradient() -> None:
    x, behavior = torch.tensor([-1.0], requires_grad=True), torch.tensor([-1.5], requires_grad=True)
    for weights, metrics in (
        truncated_weights(x, behavior, cap=2.0),
        masked_weights(x, behavior, low=0.5, high=2.0),
    ):
        assert not any(value.requires_grad for value in (weights, *metrics.values()))


def test_bounds_that_let_nothing_through_are_refused() -> None:
    nothing = torch.zeros(1)
    with pytest.raises(ValueError, match=r"above 0, found 0\.0"):
        truncated_weights(nothing, nothing, cap=0.0)
    for low, high in ((2.0, 1.0), (-1.0, 1.0), (0.0, 0.0)):
        with pytest.raises(ValueError, match=rf"found \[{low}, {high}\]"):
            masked_weights(nothing, nothing, low=low, high=high)
