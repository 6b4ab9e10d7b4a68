"""The parts of the estimator: their values and gradients by hand, and sums over sequences against loops."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agentgym.learn.objectives.estimator import (
    log_bounds,
    over_clipped,
    over_itself,
    over_old,
    over_old_sequence,
    sequence_mean,
    sequence_sum,
    surrogate,
)

SEQUENCES = st.lists(st.lists(st.floats(-5, 5), min_size=1, max_size=4), min_size=1, max_size=4)


def tensor(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def gradient_of(function: Callable[[torch.Tensor], torch.Tensor], at: list[float]) -> tuple[list[float], list[float]]:
    """Values of a function of log-probs, and the gradient of their sum."""
    logprobs = tensor(at).requires_grad_()
    found = function(logprobs)
    (gradient,) = torch.autograd.grad(found.sum(), logprobs)
    return found.tolist(), gradient.tolist()


def flat(sequences: list[list[float]]) -> tuple[torch.Tensor, torch.Tensor]:
    values = [value for sequence in sequences for value in sequence]
    numbers = [number for number, sequence in enumerate(sequences) for _ in sequence]
    return tensor(values), torch.tensor(numbers)


def test_the_surrogate_by_hand() -> None:
    """Ratios 2 and 0.5, advantages 3 and -1; the second, then the first, is not stable."""
    value, gradient = gradient_of(
        lambda x: surrogate(x, tensor([3.0, -1.0])), [math.log(2), math.log(0.5)]
    )  # -3 * 2 = -6 and 1 * 0.5; d exp(x) / dx = exp(x), so the gradient is the value
    assert value == pytest.approx([-6.0, 0.5])
    assert gradient == pytest.approx([-6.0, 0.5])
    for stable, expected in (([True, False], [-6.0, 0.0]), ([False, True], [0.0, 0.5])):
        value, gradient = gradient_of(
            lambda x, stable=stable: surrogate(x, tensor([3.0, -1.0]), torch.tensor(stable)),  # type: ignore[misc]
            [math.log(2), math.log(0.5)],
        )
        assert value == pytest.approx([-6.0, 0.5])
        assert gradient == pytest.approx(expected)


def test_an_unstable_ratio_that_overflows_leaves_the_gradient_finite() -> None:
    logprobs = torch.tensor([0.0, 1000.0], requires_grad=True)
    loss = surrogate(logprobs, torch.ones(2), torch.tensor([True, False]))
    (gradient,) = torch.autograd.grad(loss[0] + loss[1], logprobs)
    assert gradient.tolist() == [-1.0, 0.0]


def test_denominators_by_hand() -> None:
    """log π = log 0.5 everywhere; π_old 0.25, 0.5, 1: ratios 2, 1, 0.5."""
    new, old = [math.log(0.5)] * 3, tensor([math.log(0.25), math.log(0.5), 0.0])
    assert gradient_of(over_itself, new) == ([0.0] * 3, [1.0] * 3)
    value, gradient = gradient_of(lambda x: over_old(x, old), new)
    assert value == pytest.approx([math.log(2), 0.0, math.log(0.5)])
    assert gradient == [1.0] * 3
    # clipped to [0.8, 1.28]: the value is the clipped ratio's logarithm, the gradient that of log π
    value, gradient = gradient_of(lambda x: over_clipped(x, old, 0.2, 0.28), new)
    assert value == pytest.approx([math.log(1.28), 0.0, math.log(0.8)])
    assert gradient == [1.0] * 3
    # two sequences: tokens 0 and 1, token 2: (log 2 + 0) / 2 and log 0.5
    value, gradient = gradient_of(lambda x: over_old_sequence(x, old, torch.tensor([0, 0, 1])), new)
    assert value == pytest.approx([math.log(2) / 2, math.log(2) / 2, math.log(0.5)])
    # token 0 counts a half in each of the two means of its sequence
    assert gradient == pytest.approx([1.0, 1.0, 1.0])


def test_a_sequence_ratio_depends_on_all_its_tokens() -> None:
    logprobs = tensor([-1.0, -2.0, -3.0]).requires_grad_()
    ratio = over_old_sequence(logprobs, tensor([0.0, 0.0, 0.0]), torch.tensor([0, 0, 1]))
    (gradient,) = torch.autograd.grad(ratio[0], logprobs)
    assert gradient.tolist() == [0.5, 0.5, 0.0]


def test_bounds_of_the_logarithm() -> None:
    assert log_bounds(0.2, 0.28) == pytest.approx((math.log(0.8), math.log(1.28)))
    assert log_bounds(0.0, 0.0) == (0.0, 0.0)
    assert log_bounds(1.0, math.inf) == log_bounds(2.0, math.inf) == (-math.inf, math.inf)


def test_sums_by_hand() -> None:
    values, numbers = flat([[1.0, 2.0, 3.0], [10.0, 20.0]])
    assert sequence_sum(values, numbers).tolist() == [6.0, 6.0, 6.0, 30.0, 30.0]
    assert sequence_mean(values, numbers).tolist() == [2.0, 2.0, 2.0, 15.0, 15.0]


@given(SEQUENCES)
def test_sums_against_loops(sequences: list[list[float]]) -> None:
    values, numbers = flat(sequences)
    total = [sum(s) for s in sequences for _ in s]
    assert sequence_sum(values, numbers).tolist() == pytest.approx(total)
    mean = [sum(s) / len(s) for s in sequences for _ in s]
    assert sequence_mean(values, numbers).tolist() == pytest.approx(mean)


def test_no_tokens() -> None:
    none, numbers = tensor([]), torch.tensor([], dtype=torch.long)
    assert [len(f(none, numbers)) for f in (sequence_sum, sequence_mean)] == [0, 0]
