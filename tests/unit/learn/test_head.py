"""The output head in chunks: by hand, against autograd of the plain formula, and within its memory."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import linear

from agentgym.learn import head
from agentgym.learn.head import Outputs, linear_outputs, module_outputs


def plain(hidden: torch.Tensor, weight: torch.Tensor, bias: Any, targets: torch.Tensor, temperature: float) -> Outputs:
    """The three from their definitions, all logits at once."""
    p = (linear(hidden, weight, bias) / temperature).softmax(-1)
    rows = torch.arange(len(targets))
    unnormalized = (linear(hidden, weight, bias) / temperature).exp().sum(-1)
    return p[rows, targets].log(), -(p * p.log()).sum(-1), unnormalized.log()


def problem(tokens: int, width: int, vocabulary: int, *, bias: bool, seed: int = 0) -> list[Any]:
    """Hidden states, weight, bias and targets, in float64."""
    draw = torch.Generator().manual_seed(seed)
    made = [torch.randn(size, generator=draw, dtype=torch.double) for size in [(tokens, width), (vocabulary, width)]]
    offset = torch.randn(vocabulary, generator=draw, dtype=torch.double).requires_grad_() if bias else None
    return [*(x.requires_grad_() for x in made), offset, torch.randint(vocabulary, (tokens,), generator=draw)]


def test_by_hand() -> None:
    """Logits (0, 2 ln 3) at temperature 2 are (0, ln 3): p = (1/4, 3/4), normalizer ln(1 + 3)."""
    hidden, weight = torch.tensor([[1.0]]), torch.tensor([[0.0], [2 * math.log(3)]])
    logprobs, entropies, logsumexps = linear_outputs(hidden, weight, None, torch.tensor([0]), temperature=2.0)
    assert logprobs.item() == pytest.approx(math.log(1 / 4))
    assert entropies.item() == pytest.approx(0.25 * math.log(4) + 0.75 * math.log(4 / 3))
    assert logsumexps.item() == pytest.approx(math.log(4))


def test_gradients_by_hand() -> None:
    """At p = (1/4, 3/4), for the second logit, at temperature 2 (every gradient halves):

    log p[0]: -3/4.  normalizer: 3/4.  entropy: -p (log p + H) with H = ln 4 - 3/4 ln 3, so
    -3/4 (ln 3/4 + ln 4 - 3/4 ln 3) = -3/4 (1/4 ln 3) = -3/16 ln 3.
    """
    for output, expected in enumerate([-3 / 4, -3 / 16 * math.log(3), 3 / 4]):
        weight = torch.tensor([[0.0], [2 * math.log(3)]], requires_grad=True)
        outputs = linear_outputs(torch.tensor([[1.0]]), weight, None, torch.tensor([0]), temperature=2.0)
        (slope,) = torch.autograd.grad(outputs[output].sum(), weight)
        assert slope[1].item() == pytest.approx(expected / 2, abs=1e-6)


@pytest.mark.parametrize("max_logits", [1, 14, 10_000])
@pytest.mark.parametrize("bias", [False, True])
def test_gradients_are_those_of_finite_differences(bias: bool, max_logits: int) -> None:
    hidden, weight, offset, targets = problem(5, 3, 7, bias=bias)

    def all_three(hidden: torch.Tensor, weight: torch.Tensor, offset: Any) -> Outputs:
        return linear_outputs(hidden, weight, offset, targets, temperature=0.7, max_logits=max_logits)

    assert torch.autograd.gradcheck(all_three, (hidden, weight, offset), nondet_tol=1e-12)


@given(
    tokens=st.integers(1, 9),
    vocabulary=st.integers(2, 11),
    max_logits=st.integers(1, 120),
    bias=st.booleans(),
    through_module=st.booleans(),
    used=st.sets(st.integers(0, 2), min_size=1),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_in_chunks_as_all_at_once(
    tokens: int, vocabulary: int, max_logits: int, bias: bool, through_module: bool, used: set[int], seed: int
) -> None:
    """Values, and gradients through any of the three outputs."""
    hidden, weight, offset, targets = problem(tokens, 4, vocabulary, bias=bias, seed=seed)
    inputs = [x for x in (hidden, weight, offset) if x is not None]
    expected = plain(hidden, weight, offset, targets, 1.3)
    if through_module:
        found = module_outputs(
            lambda h: linear(h, weight, offset),
            hidden,
            targets,
            vocabulary=vocabulary,
            temperature=1.3,
            max_logits=max_logits,
        )
    else:
        found = linear_outputs(hidden, weight, offset, targets, temperature=1.3, max_logits=max_logits)
    scales = torch.randn(3, tokens, dtype=torch.double, generator=torch.Generator().manual_seed(seed))
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, atol=1e-10)
    losses = [torch.stack([(outputs[i] * scales[i]).sum() for i in used]).sum() for outputs in (found, expected)]
    slopes = [torch.autograd.grad(loss, inputs) for loss in losses]
    for one, other in zip(*slopes, strict=True):
        assert torch.allclose(one, other, atol=1e-10)


def test_a_second_backward_is_as_good_as_the_first() -> None:
    hidden, weight, _, targets = problem(5, 3, 7, bias=False)
    logprobs, _, _ = linear_outputs(hidden, weight, None, targets)
    first, second = (torch.autograd.grad(logprobs.sum(), [hidden, weight], retain_graph=True) for _ in range(2))
    assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(first, second, strict=True))


def test_a_frozen_head_gets_no_gradient() -> None:
    hidden, weight, _, targets = problem(5, 3, 7, bias=False)
    weight = weight.detach()
    linear_outputs(hidden, weight, None, targets)[0].sum().backward()
    assert weight.grad is None
    assert hidden.grad is not None


def test_extreme_logits_stay_finite() -> None:
    """exp(1000) does not exist; the token that has it has log-probability 0, the others their distance to it."""
    hidden = torch.tensor([[1.0], [1.0]], requires_grad=True)
    weight = torch.tensor([[1000.0], [0.0], [-1000.0]], requires_grad=True)
    outputs = linear_outputs(hidden, weight, None, torch.tensor([0, 2]))
    assert outputs[0].tolist() == [0.0, -2000.0]
    assert outputs[1].tolist() == [0.0, 0.0]
    sum(part.sum() for part in outputs).backward()  # type: ignore[union-attr]
    assert weight.grad is not None
    assert torch.isfinite(weight.grad).all()


@pytest.mark.parametrize("max_logits", [40, 10_000])
def test_half_precision_sums_in_single(max_logits: int) -> None:
    """A weight's gradient over 400 tokens, each adding 1/8 of what bfloat16 can tell at the end."""
    hidden = torch.full((400, 1), 1.0, dtype=torch.bfloat16)
    weight = torch.zeros(2, 1, dtype=torch.bfloat16, requires_grad=True)
    targets = torch.zeros(400, dtype=torch.long)
    linear_outputs(hidden, weight, None, targets, max_logits=max_logits)[0].sum().backward()
    assert weight.grad is not None
    assert weight.grad[0].item() == pytest.approx(200.0)  # 400 × (1 - 1/2)


def test_autocast_makes_products_in_its_precision() -> None:
    hidden, weight, _, targets = (
        x.float() if x is not None and x.is_floating_point() else x for x in problem(64, 32, 50, bias=False)
    )
    exact = linear_outputs(hidden, weight, None, targets)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = linear_outputs(hidden, weight, None, targets)[0]
    assert rounded.dtype is torch.float32
    assert 0 < (rounded - exact).abs().max() < 0.3


def test_no_more_logits_than_allowed_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    measure = head._logits

    def watched(*arguments: Any) -> torch.Tensor:
        logits = measure(*arguments)
        sizes.append(logits.numel())
        return logits

    monkeypatch.setattr(head, "_logits", watched)
    hidden, weight, _, targets = problem(50, 3, 10, bias=False)
    linear_outputs(hidden, weight, None, targets, max_logits=100)[0].sum().backward()
    assert max(sizes) == 100
    assert sum(sizes) == 2 * 50 * 10  # once forward, once backward
    sizes.clear()
    linear_outputs(hidden, weight, None, targets, max_logits=500)[0].sum().backward()
    assert sum(sizes) == 50 * 10  # all fit: kept
