"""What preference losses must do for any pairs, and where they lead: their optima on a tabular policy.

The optima are found by descent on the exact expectation over all pairs of a few actions, so that nothing is sampled.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgym.learn.objectives.preference import (
    dpo,
    hinge,
    ipo,
    nash_md,
    robust_dpo,
    simpo,
    slic,
)

PairLoss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

NUMBER = st.floats(-15, 15)
BETA = st.floats(0.05, 3)
TABLE = st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=2, max_size=4)
"""Of each action: the logit of the reference policy, and its value."""


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def descend(objective: Callable[[torch.Tensor], torch.Tensor], logits: torch.Tensor) -> torch.Tensor:
    """Log-probabilities of the softmax policy that minimizes ``objective``, begun at ``logits``."""
    logits = logits.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [logits], max_iter=300, tolerance_grad=1e-12, tolerance_change=1e-16, line_search_fn="strong_wolfe"
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = objective(logits.log_softmax(0))
        loss.backward()
        return loss

    optimizer.step(closure)
    return logits.detach().log_softmax(0)


def expected_loss(
    loss: PairLoss, logprobs: torch.Tensor, reference: torch.Tensor, preference: torch.Tensor
) -> torch.Tensor:
    """Mean over ordered pairs of distinct actions (w, l), each with probability ``preference[w, l]``."""
    ratio = logprobs - reference
    distinct = ~torch.eye(len(ratio), dtype=torch.bool)
    winners, losers = distinct.nonzero(as_tuple=True)
    return (preference[winners, losers] * loss(ratio[winners], ratio[losers])).mean()


def close(found: torch.Tensor, expected: torch.Tensor) -> bool:
    return bool(torch.allclose(found, expected, atol=1e-4))


@settings(max_examples=15, deadline=None)
@given(TABLE, st.floats(0.3, 2), st.sampled_from([0.0, 0.2]))
def test_dpo_leads_to_the_reference_tilted_by_exp_q_over_beta(
    table: list[tuple[float, float]], beta: float, noise: float
) -> None:
    """Agent Q's theorem (arXiv 2408.07199): P(w ≻ l) = σ(Q_w − Q_l) gives π ∝ π_ref exp(Q / β).

    With labels flipped in part of the cases, robust DPO leads to the same policy.
    """
    logits, values = (column(*side) for side in zip(*table, strict=True))
    reference = logits.log_softmax(0)
    preference = torch.sigmoid(values[:, None] - values[None, :])
    preference = (1 - noise) * preference + noise * preference.T

    def loss(chosen: torch.Tensor, rejected: torch.Tensor) -> torch.Tensor:
        return robust_dpo(chosen, rejected, beta=beta, label_smoothing=noise)[0]

    found = descend(lambda logprobs: expected_loss(loss, logprobs, reference, preference), logits)
    assert close(found, (reference + values / beta).log_softmax(0))


@settings(max_examples=15, deadline=None)
@given(TABLE, st.floats(0.3, 2))
def test_plain_dpo_leads_there_too(table: list[tuple[float, float]], beta: float) -> None:
    logits, values = (column(*side) for side in zip(*table, strict=True))
    reference = logits.log_softmax(0)
    preference = torch.sigmoid(values[:, None] - values[None, :])

    def loss(chosen: torch.Tensor, rejected: torch.Tensor) -> torch.Tensor:
        return dpo(chosen, rejected, beta=beta)[0]

    found = descend(lambda logprobs: expected_loss(loss, logprobs, reference, preference), torch.zeros_like(logits))
    assert close(found, (reference + values / beta).log_softmax(0))


@settings(max_examples=15, deadline=None)
@given(TABLE, st.floats(0.3, 2))
def test_ipo_leads_to_its_margins(table: list[tuple[float, float]], beta: float) -> None:
    """P(w ≻ l) = 1/2 + (v_w − v_l) / 4 gives log-ratio margins (2 P − 1) / (2 β) = (v_w − v_l) / 4 β."""
    logits, values = (column(*side) for side in zip(*table, strict=True))
    reference = logits.log_softmax(0)
    preference = 0.5 + (values[:, None] - values[None, :]) / 4

    def loss(chosen: torch.Tensor, rejected: torch.Tensor) -> torch.Tensor:
        return ipo(chosen, rejected, beta=beta)[0]

    found = descend(lambda logprobs: expected_loss(loss, logprobs, reference, preference), logits)
    assert close(found, (reference + values / (4 * beta)).log_softmax(0))


@settings(max_examples=15, deadline=None)
@given(TABLE, st.floats(0.1, 2))
def test_nash_md_rests_where_preference_balances_the_reference(table: list[tuple[float, float]], beta: float) -> None:
    """Against an opponent that stands still, its expected gradient vanishes at π ∝ π_ref exp(P / β), and only there."""
    logits, strengths = (column(*side) for side in zip(*table, strict=True))
    reference, preference = logits.log_softmax(0), torch.sigmoid(strengths)

    def gradient(parameters: torch.Tensor) -> torch.Tensor:
        parameters = parameters.clone().requires_grad_()
        logprobs = parameters.log_softmax(0)
        loss, _ = nash_md(logprobs, reference, preference, beta=beta)
        return torch.autograd.grad((logprobs.detach().exp() * loss).sum(), parameters)[0]

    optimum = reference + preference / beta
    assert gradient(optimum).tolist() == pytest.approx([0.0] * len(table), abs=1e-9)
    pushed = optimum + column(0.5, *[0.0] * (len(table) - 1))
    assert float(gradient(pushed)[0]) > 1e-6


@given(NUMBER, NUMBER, BETA)
def test_robust_without_noise_is_dpo(chosen: float, rejected: float, beta: float) -> None:
    sides = column(chosen), column(rejected)
    found = robust_dpo(*sides, beta=beta, label_smoothing=0.0)[0]
    assert found.tolist() == dpo(*sides, beta=beta)[0].tolist()


@given(NUMBER, NUMBER, BETA, st.floats(0, 0.45))
def test_robust_is_unbiased(chosen: float, rejected: float, beta: float, noise: float) -> None:
    """Its mean over flipped labels is the loss of the true one (arXiv 2403.00409)."""
    sides = column(chosen), column(rejected)
    kept = robust_dpo(*sides, beta=beta, label_smoothing=noise)[0]
    flipped = robust_dpo(*reversed(sides), beta=beta, label_smoothing=noise)[0]
    expected = dpo(*sides, beta=beta)[0]
    assert float((1 - noise) * kept + noise * flipped) == pytest.approx(float(expected), rel=1e-6, abs=1e-8)


@given(NUMBER, NUMBER, BETA, st.floats(0, 1))
def test_smoothing_by_e_is_smoothing_the_swapped_pair_by_the_rest(
    chosen: float, rejected: float, beta: float, smoothing: float
) -> None:
    one = dpo(column(chosen), column(rejected), beta=beta, label_smoothing=smoothing)[0]
    other = dpo(column(rejected), column(chosen), beta=beta, label_smoothing=1 - smoothing)[0]
    assert float(one) == pytest.approx(float(other))


@given(NUMBER, NUMBER, BETA)
def test_swapped_sides_mirror(chosen: float, rejected: float, beta: float) -> None:
    """Rewards change places, the margin its sign, and −log σ(D) − (−log σ(−D)) = −D."""
    (one, metrics), (other, mirrored) = (
        dpo(column(a), column(b), beta=beta) for a, b in ((chosen, rejected), (rejected, chosen))
    )
    assert float(one - other) == pytest.approx(-beta * (chosen - rejected), abs=1e-9)
    assert metrics["chosen_reward"].tolist() == mirrored["rejected_reward"].tolist()
    assert metrics["margin"].tolist() == [-x for x in mirrored["margin"].tolist()]
    assert float(metrics["accuracy"] + mirrored["accuracy"]) == float(chosen != rejected)


@given(NUMBER, NUMBER, BETA)
def test_the_hinge_stops_at_its_margin(chosen: float, rejected: float, beta: float) -> None:
    sides = column(chosen).requires_grad_(), column(rejected).requires_grad_()
    gradients = torch.autograd.grad(hinge(*sides, beta=beta)[0].sum(), sides)
    expected = -beta if beta * (chosen - rejected) < 1 else 0.0
    assert [g.item() for g in gradients] == pytest.approx([expected, -expected])


@given(NUMBER, NUMBER, NUMBER, BETA)
def test_what_both_sides_gain_alike_does_not_count(chosen: float, rejected: float, shift: float, beta: float) -> None:
    """All losses look at the difference of the sides only."""
    for loss in (
        partial(dpo, beta=beta, label_smoothing=0.1),
        partial(robust_dpo, beta=beta, label_smoothing=0.1),
        partial(ipo, beta=beta),
        partial(hinge, beta=beta),
        slic,
        partial(simpo, lengths=(column(3.0), column(3.0)), beta=beta, margin=0.5),
    ):
        plain, _ = loss(column(chosen), column(rejected))
        moved, _ = loss(column(chosen + shift), column(rejected + shift))
        assert float(plain) == pytest.approx(float(moved), rel=1e-6, abs=1e-6)


@given(st.lists(st.floats(-5, -0.1), min_size=1, max_size=5), st.lists(st.floats(-5, -0.1), min_size=1, max_size=5))
def test_simpo_asks_for_means_and_no_reference(chosen: list[float], rejected: list[float]) -> None:
    """A side whose tokens are all repeated once has the same mean, and so the same loss."""

    def loss(repeats: int) -> float:
        sums = column(math.fsum(chosen) * repeats), column(math.fsum(rejected) * repeats)
        lengths = column(len(chosen) * repeats), column(len(rejected) * repeats)
        return float(simpo(*sums, lengths=lengths, beta=2.0, margin=0.5)[0])

    assert loss(1) == pytest.approx(loss(2))
    means = math.fsum(chosen) / len(chosen), math.fsum(rejected) / len(rejected)
    assert loss(1) == pytest.approx(math.log1p(math.exp(-(2 * (means[0] - means[1]) - 0.5))))
