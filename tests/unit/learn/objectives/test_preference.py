"""Preference losses against numbers worked by hand, and the way from tokens to pairs and back."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agentgym.learn.advantages import leave_one_out
from agentgym.learn.aggregation import token_weights
from agentgym.learn.objectives.estimator import Metrics
from agentgym.learn.objectives.preference import (
    bfpo,
    copg,
    dpo,
    hinge,
    ipo,
    nash_md,
    numbered,
    per_side,
    robust_dpo,
    rpo,
    simpo,
    slic,
    spread,
)
from agentgym.learn.rows import Row

SIDES = st.lists(st.tuples(st.floats(-20, 20), st.floats(-20, 20)), min_size=1, max_size=6)


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def evaluate(
    loss: Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, Metrics]], chosen: float, rejected: float
) -> tuple[float, float, float]:
    """(loss, gradient of the chosen side's number, gradient of the rejected side's) of one pair."""
    sides = column(chosen).requires_grad_(), column(rejected).requires_grad_()
    value, metrics = loss(*sides)
    assert not any(metric.requires_grad for metric in metrics.values())
    gradients = torch.autograd.grad(value.sum(), sides)
    return value.item(), gradients[0].item(), gradients[1].item()


# By hand


def test_dpo_by_hand() -> None:
    """At the reference log 2 = .6931472, and gradients of beta / 2; then D = .5 * (3 - 1) = 1."""
    assert evaluate(partial(dpo, beta=0.1), 0.0, 0.0) == pytest.approx((0.6931472, -0.05, 0.05))
    # -log sigmoid(1) = log(1 + e^-1) = .3132617; gradient -.5 * sigmoid(-1) = -.5 * .2689414
    assert evaluate(partial(dpo, beta=0.5), 3.0, 1.0) == pytest.approx((0.3132617, -0.1344707, 0.1344707))


@pytest.mark.parametrize("ratio", [200.0, 1e4, 1e30])
@pytest.mark.parametrize("loss", [partial(dpo, beta=0.5), partial(dpo, beta=0.5, label_smoothing=0.1)])
def test_a_log_ratio_of_any_size_leaves_the_loss_finite(
    loss: Callable[..., tuple[torch.Tensor, Metrics]], ratio: float
) -> None:
    """-log sigmoid(-D) is D where D is large, and its gradient beta; the sigmoid itself is 0 there."""
    sides = torch.tensor([ratio, -ratio]).requires_grad_(), torch.zeros(2).requires_grad_()
    value_P, _ = loss(*sides)
    assert torch.isfinite(value_P).all()
    (gradient,) = torch.autograd.grad(value_P.sum(), sides[:1])
    assert torch.isfinite(gradient).all()
    smoothing = loss.keywords.get("label_smoothing", 0.0)  # type: ignore[attr-defined]
    assert value_P[1].item() == pytest.approx(0.5 * ratio * (1 - smoothing), rel=1e-6)
    assert gradient[1].item() == pytest.approx(-0.5 * (1 - smoothing), rel=1e-6)


def test_label_smoothing_by_hand() -> None:
    """D = 1: .9 * .3132617 + .1 * log(1 + e) = .2819355 + .1313262; gradient .5 * (sigmoid(1) - .9)."""
    found = evaluate(partial(dpo, beta=0.5, label_smoothing=0.1), 3.0, 1.0)
    assert found == pytest.approx((0.4132617, -0.0844707, 0.0844707), abs=1e-7)


def test_robust_by_hand() -> None:
    """D = 1: (.9 * .3132617 - .1 * 1.3132617) / .8 = .1506092 / .8 = .1882617."""
    found = evaluate(partial(robust_dpo, beta=0.5, label_smoothing=0.1), 3.0, 1.0)
    # d/dD = (-.9 * sigmoid(-1) - .1 * sigmoid(1)) / .8 = (-.2420473 - .0731059) / .8 = -.3939415, times beta .5
    assert found == pytest.approx((0.1882617, -0.1969707, 0.1969707), abs=1e-7)


@pytest.mark.parametrize("label_smoothing", [-0.1, 0.5, 0.7])
def test_robust_needs_labels_that_are_mostly_right(label_smoothing: float) -> None:
    with pytest.raises(ValueError, match=r"at least 0 and less than 0\.5"):
        robust_dpo(column(0.0), column(0.0), beta=0.1, label_smoothing=label_smoothing)


def test_bfpo_by_hand() -> None:
    """β = .5: the gap of 3 - 1 against 1 / .5 = 2 for a label of 1, and against -1 / .5 for -.5."""
    assert evaluate(partial(bfpo, labels_P=column(1.0), beta=0.5), 3.0, 1.0) == pytest.approx((0.0, 0.0, 0.0))
    assert evaluate(partial(bfpo, labels_P=column(-0.5), beta=0.5), 3.0, 1.0) == pytest.approx((9.0, 6.0, -6.0))


@given(SIDES, st.floats(0.05, 2))
def test_bfpo_of_two_safe_sides_is_ipo_and_sides_can_be_exchanged(
    sides: list[tuple[float, float]], beta: float
) -> None:
    chosen, rejected = column(*(one for one, _ in sides)), column(*(other for _, other in sides))
    found, _ = bfpo(chosen, rejected, torch.full_like(chosen, 0.5), beta=beta)
    assert found.tolist() == pytest.approx(ipo(chosen, rejected, beta=beta)[0].tolist())
    exchanged, _ = bfpo(rejected, chosen, torch.full_like(chosen, -0.5), beta=beta)
    assert exchanged.tolist() == pytest.approx(found.tolist())


def test_ipo_by_hand() -> None:
    """Margin 2, target 1 / (2 * .1) = 5: (2 - 5)^2 = 9, gradient 2 * -3; no gradient at the target."""
    assert evaluate(partial(ipo, beta=0.1), 3.0, 1.0) == pytest.approx((9.0, -6.0, 6.0))
    assert evaluate(partial(ipo, beta=0.1), 6.0, 1.0) == pytest.approx((0.0, 0.0, 0.0))


def test_copg_by_hand() -> None:
    """Rewards differ by .4, log-ratios by 2, times beta .5: (.4 - 1)^2 = .36, gradient -.5 * 2 * -.6."""
    loss = partial(copg, differences_P=column(0.4), beta=0.5)
    assert evaluate(loss, 3.0, 1.0) == pytest.approx((0.36, 0.6, -0.6))
    assert evaluate(loss, 1.8, 1.0) == pytest.approx((0.0, 0.0, 0.0))  # .4 = .5 * .8: as they should


@given(
    st.lists(st.tuples(st.floats(-9, 0), st.floats(-9, 0), st.floats(-3, 3)), min_size=2, max_size=5),
    st.floats(0.01, 2),
)
def test_copgs_gradient_over_all_pairs_is_that_of_leave_one_out(
    members: list[tuple[float, float, float]], beta: float
) -> None:
    new, reference, rewards = (column(*values) for values in zip(*members, strict=True))
    one, other = torch.combinations(torch.arange(len(members))).unbind(1)
    ratios = new.requires_grad_() - reference
    loss, _ = copg(ratios[one], ratios[other], rewards[one] - rewards[other], beta=beta)
    (gradient,) = torch.autograd.grad(loss.sum() / (len(members) - 1), new)
    regularized = (rewards - beta * ratios).tolist()
    expected = [-2 * beta * advantage for advantage in leave_one_out(regularized)]
    assert gradient.tolist() == pytest.approx(expected, abs=1e-9)


def test_hinge_by_hand() -> None:
    """D = .25 * 2 = .5: loss .5; D = .25 * 5 = 1.25 is beyond 1: nothing."""
    assert evaluate(partial(hinge, beta=0.25), 3.0, 1.0) == pytest.approx((0.5, -0.25, 0.25))
    assert evaluate(partial(hinge, beta=0.25), 6.0, 1.0) == (0.0, 0.0, 0.0)


def test_slic_by_hand() -> None:
    """log-probs -3 and -2.5, delta 1: 1 + 3 - 2.5 = 1.5; lambda .1 on the chosen adds .3."""
    assert evaluate(partial(slic, margin=1.0), -3.0, -2.5) == pytest.approx((1.5, -1.0, 1.0))
    found = evaluate(partial(slic, margin=1.0, imitation=0.1), -3.0, -2.5)
    assert found == pytest.approx((1.8, -1.1, 1.0))
    assert evaluate(partial(slic, margin=1.0), -1.0, -2.5)[0] == 0.0


def test_simpo_by_hand() -> None:
    """Means -1.5 and -2, beta 2, gamma .5: 2 * .5 - .5 = .5; log(1 + e^-.5) = .4740770."""
    lengths = column(2.0), column(4.0)
    found = evaluate(partial(simpo, lengths=lengths, beta=2.0, margin=0.5), -3.0, -8.0)
    # gradient -sigmoid(-.5) * 2 / length = -.3775407 * 2 / 2 and + .3775407 * 2 / 4
    assert found == pytest.approx((0.4740770, -0.3775407, 0.1887703), abs=1e-7)


def test_rpo_by_hand() -> None:
    """DPO at the reference plus .2 * 6 of a chosen log-prob of -6, or .2 * 6 / 3 of its mean over 3 tokens."""
    logprob = column(-6.0).requires_grad_()
    for lengths, imitated, gradient in ((None, 1.2, -0.2), (column(3.0), 0.4, -0.2 / 3)):
        loss, metrics = rpo(column(0.0), column(0.0), logprob, beta=0.1, eta=0.2, lengths_P=lengths)
        assert loss.item() == pytest.approx(0.6931472 + imitated)
        assert torch.autograd.grad(loss.sum(), logprob)[0].item() == pytest.approx(gradient)
        assert metrics["accuracy"].tolist() == [0.0]


def test_metrics_by_hand() -> None:
    """beta .5: rewards 1.5 and .5, -1 and 1, and a tie, which is not accurate."""
    _, metrics = dpo(column(3.0, -2.0, 1.0), column(1.0, 2.0, 1.0), beta=0.5)
    assert {name: value.tolist() for name, value in metrics.items()} == {
        "margin": [1.0, -2.0, 0.0],
        "accuracy": [1.0, 0.0, 0.0],
        "chosen_reward": [1.5, -1.0, 0.5],
        "rejected_reward": [0.5, 1.0, 0.5],
    }


@pytest.mark.parametrize(
    ("metrics", "chosen", "rejected"),
    [
        (robust_dpo(column(3.0), column(1.0), beta=0.5, label_smoothing=0.1)[1], 1.5, 0.5),
        (ipo(column(3.0), column(1.0), beta=0.5)[1], 1.5, 0.5),
        (copg(column(3.0), column(1.0), column(9.0), beta=0.5)[1], 1.5, 0.5),
        (hinge(column(3.0), column(1.0), beta=0.5)[1], 1.5, 0.5),
        (slic(column(-3.0), column(-1.0))[1], -3.0, -1.0),
        (simpo(column(-3.0), column(-8.0), lengths=(column(2.0), column(4.0)), beta=2.0, margin=0.5)[1], -3.0, -4.0),
        (rpo(column(3.0), column(1.0), column(-6.0), beta=0.5, eta=0.2)[1], 1.5, 0.5),
    ],
)
def test_rewards_are_what_the_loss_compares(metrics: Metrics, chosen: float, rejected: float) -> None:
    assert metrics["chosen_reward"].tolist() == [chosen]
    assert metrics["rejected_reward"].tolist() == [rejected]
    assert metrics["margin"].tolist() == [chosen - rejected]
    assert metrics["accuracy"].tolist() == [float(chosen > rejected)]


# Nash-MD


def test_nash_md_by_hand() -> None:
    """P = .9, beta .5, log-ratio log(.4 / .2) = .6931472: advantage .4 - .3465736 = .0534264, times -log .4."""
    logprobs = column(0.4).log().requires_grad_()
    preference = column(0.9).requires_grad_()
    loss, metrics = nash_md(logprobs, column(0.2).log(), preference, beta=0.5)
    assert loss.item() == pytest.approx(0.0534264 * 0.9162907, rel=1e-6)
    loss.sum().backward()
    assert logprobs.grad is not None
    assert logprobs.grad.tolist() == pytest.approx([-0.0534264], rel=1e-6)
    assert preference.grad is None
    assert metrics["reference_log_ratio"].tolist() == pytest.approx([0.6931472])
    assert not any(value.requires_grad for value in metrics.values())


# Tokens and pairs


def test_pairs_are_numbered_by_their_units() -> None:
    pairs, num = numbered(torch.tensor([7, 7, 3, 3]), torch.tensor([0, 0, 1, 2, 3, 3]))
    assert (pairs.tolist(), num) == ([1, 1, 1, 0, 0, 0], 2)


def test_sides_by_hand() -> None:
    values = column(1.0, 2.0, 4.0, 8.0, 16.0)
    pairs, chosen = torch.tensor([1, 0, 1, 0, 1]), torch.tensor([True, True, False, False, True])
    sides = per_side(values, pairs, chosen, 2)
    assert [side.tolist() for side in sides] == [[2.0, 17.0], [8.0, 4.0]]
    lengths = per_side(torch.ones_like(values), pairs, chosen, 2)
    assert [side.tolist() for side in lengths] == [[1.0, 2.0], [1.0, 1.0]]


@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=4),
    st.floats(0.05, 2),
    st.integers(0, 99),
)
def test_the_learners_weighted_sum_is_the_mean_over_pairs(
    lengths: list[tuple[int, int]], beta: float, seed: int
) -> None:
    """Value and gradient, through per_side and spread and the learner's own weights, to the last digits."""
    generator = torch.Generator().manual_seed(seed)
    num = sum(map(sum, lengths))
    logprobs = torch.randn(num, generator=generator, dtype=torch.float64).requires_grad_()
    reference = torch.randn(num, generator=generator, dtype=torch.float64)
    rows = [(pair, chosen, sides[1 - chosen]) for pair, sides in enumerate(lengths) for chosen in (1, 0)]
    pairs = torch.tensor([pair for pair, _, length in rows for _ in range(length)])
    is_chosen = torch.tensor([bool(chosen) for _, chosen, length in rows for _ in range(length)])
    weights = column(
        *(
            weight
            for (_, _, length), weight in zip(
                rows, token_weights([_row(length) for _, _, length in rows], "sequence"), strict=True
            )
            for _ in range(length)
        )
    )
    sides = per_side(logprobs - reference, pairs, is_chosen, len(lengths))
    found = (weights * spread(dpo(*sides, beta=beta)[0], pairs)).sum()

    losses = []
    for pair in range(len(lengths)):
        ratio = logprobs - reference
        margin = beta * (ratio[(pairs == pair) & is_chosen].sum() - ratio[(pairs == pair) & ~is_chosen].sum())
        losses.append(torch.log1p(torch.exp(-margin)))
    expected = torch.stack(losses).mean()
    assert found.item() == pytest.approx(expected.item(), rel=1e-12)
    gradients = torch.autograd.grad(found, logprobs)[0], torch.autograd.grad(expected, logprobs)[0]
    assert gradients[0].tolist() == pytest.approx(gradients[1].tolist(), rel=1e-9, abs=1e-12)


def _row(length: int) -> Row:
    mask = [False] + [True] * length
    zeros = [0.0] * len(mask)
    return Row(token_ids=[1] * len(mask), loss_mask=mask, behavior_logprobs=zeros, advantages=zeros)


# Slow references


@given(SIDES, st.floats(0.05, 2), st.floats(0, 0.45))
def test_against_probabilities_that_are_written_out(
    sides: list[tuple[float, float]], beta: float, smoothing: float
) -> None:
    """From p = 1 / (1 + e^-D), without log-sigmoid."""
    chosen, rejected = (column(*side) for side in zip(*sides, strict=True))
    wins = [1 / (1 + math.exp(-beta * (better - worse))) for better, worse in sides]
    losses = [1 / (1 + math.exp(beta * (better - worse))) for better, worse in sides]
    found = dpo(chosen, rejected, beta=beta, label_smoothing=smoothing)[0]
    smoothed = [-(1 - smoothing) * math.log(p) - smoothing * math.log(q) for p, q in zip(wins, losses, strict=True)]
    assert found.tolist() == pytest.approx(smoothed, rel=1e-7, abs=1e-12)
    found = robust_dpo(chosen, rejected, beta=beta, label_smoothing=smoothing)[0]
    debiased = [
        (-(1 - smoothing) * math.log(p) + smoothing * math.log(q)) / (1 - 2 * smoothing)
        for p, q in zip(wins, losses, strict=True)
    ]
    assert found.tolist() == pytest.approx(debiased, rel=1e-6, abs=1e-9)
