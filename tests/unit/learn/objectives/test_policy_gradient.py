"""Policy-gradient losses against numbers worked by hand and slow references, with their gradients."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agentgym.learn.objectives.estimator import over_old, over_old_sequence
from agentgym.learn.objectives.policy_gradient import cispo, clipped_policy_gradient, reinforce, value_loss

LOGPROB = st.floats(-6, 0)
TOKENS = st.lists(st.tuples(LOGPROB, LOGPROB, st.floats(-3, 3)), min_size=1, max_size=8)


def tensor(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def clipped(
    new: list[float],
    old: list[float],
    advantages: list[float],
    low: float = 0.2,
    high: float = 0.28,
    dual: float | None = None,
) -> tuple[list[float], list[float], dict[str, list[float]]]:
    """(losses, their gradients with respect to the new log-probs, metrics)."""
    logprobs = tensor(new).requires_grad_()
    loss, metrics = clipped_policy_gradient(
        over_old(logprobs, tensor(old)), tensor(advantages), clip_low=low, clip_high=high, dual_clip=dual
    )
    (gradient,) = torch.autograd.grad(loss.sum(), logprobs)
    return loss.tolist(), gradient.tolist(), {name: value.tolist() for name, value in metrics.items()}


def test_reinforce_by_hand() -> None:
    logprobs = tensor([-1.0, -2.0]).requires_grad_()
    loss, metrics = reinforce(logprobs, tensor([2.0, -0.5]))
    (gradient,) = torch.autograd.grad(loss.sum(), logprobs)
    assert gradient.tolist() == loss.tolist() == [-2.0, 0.5]
    assert metrics == {}


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
    assert metrics["clip_fraction_high"] == [0.0, 1.0, 0.0, 0.0, 0.0]
    assert metrics["clip_fraction_low"] == [0.0, 0.0, 0.0, 0.0, 1.0]
    assert metrics["ratio"] == pytest.approx(ratios)
    # k3: r - 1 - log r; 1.5 - 1 - 0.4054651 = 0.0945349, 0.5 - 1 + 0.6931472 = 0.1931472
    assert metrics["old_kl"] == pytest.approx([0.0, 0.0945349, 0.0945349, 0.1931472, 0.1931472], abs=1e-7)


def test_a_token_without_advantage_is_not_clipped() -> None:
    _, _, metrics = clipped([math.log(1.5), math.log(0.5)], [0.0, 0.0], [0.0, 0.0])
    assert metrics["clip_fraction"] == metrics["clip_fraction_low"] == metrics["clip_fraction_high"] == [0.0, 0.0]


def test_the_dual_clip_by_hand() -> None:
    """Ratios 2, 5, 5 and 0.5 with c = 3: only a negative advantage at a ratio above 3 is bounded, by 3 |A|."""
    ratios, advantages = [2.0, 5.0, 5.0, 0.5], [-2.0, -2.0, 2.0, -2.0]
    loss, gradient, metrics = clipped([math.log(r) for r in ratios], [0.0] * 4, advantages, dual=3.0)
    # 2: -(2 * -2) = 4; 5: min(10, 3 * 2) = 6; 5, A > 0: -1.28 * 2 = -2.56; 0.5: -(0.8 * -2) = 1.6
    assert loss == pytest.approx([4.0, 6.0, -2.56, 1.6])
    assert gradient == pytest.approx([4.0, 0.0, 0.0, 0.0])
    assert metrics["clip_fraction"] == [0.0, 1.0, 1.0, 1.0]
    assert metrics["clip_fraction_low"] == [0.0, 0.0, 0.0, 1.0]
    assert metrics["clip_fraction_high"] == [0.0, 0.0, 1.0, 0.0]


@pytest.mark.parametrize("dual", [1.0, 0.0])
def test_a_dual_clip_that_would_reach_the_policy_itself_is_refused(dual: float) -> None:
    with pytest.raises(ValueError, match=f"above 1, found {dual}"):
        clipped([0.0], [0.0], [1.0], dual=dual)


def slow_clipped(new: float, old: float, advantage: float, low: float, high: float, dual: float | None) -> float:
    """The same from the papers' case analysis, without min or clamp."""
    ratio = math.exp(new) / math.exp(old)
    if advantage >= 0:
        return -advantage * (1 + high if ratio > 1 + high else ratio)
    if dual is not None and ratio > dual:
        return -advantage * dual
    return -advantage * (1 - low if ratio < 1 - low else ratio)


@given(TOKENS, st.floats(0, 0.9), st.floats(0, 2), st.none() | st.floats(1.01, 5))
def test_clipping_against_a_slow_reference(
    tokens: list[tuple[float, float, float]], low: float, high: float, dual: float | None
) -> None:
    new, old, advantages = map(list, zip(*tokens, strict=True))
    expected = [slow_clipped(*token, low, high, dual) for token in tokens]
    assert clipped(new, old, advantages, low, high, dual)[0] == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(TOKENS, st.floats(0, 0.9), st.floats(0, 2), st.floats(1.01, 5))
def test_the_gradient_is_the_ratio_where_it_is_stable_and_nothing_elsewhere(
    tokens: list[tuple[float, float, float]], low: float, high: float, dual: float
) -> None:
    new, old, advantages = map(list, zip(*tokens, strict=True))
    _, gradient, metrics = clipped(new, old, advantages, low, high, dual)
    for (n, o, a), found, unstable in zip(tokens, gradient, metrics["clip_fraction"], strict=True):
        assert found == pytest.approx(0.0 if unstable else -math.exp(n - o) * a, rel=1e-9, abs=1e-12)


@given(TOKENS, st.floats(1.01, 5))
def test_the_dual_clip_is_idle_for_gains(tokens: list[tuple[float, float, float]], dual: float) -> None:
    new, old, advantages = map(list, zip(*tokens, strict=True))
    gains = [abs(a) for a in advantages]
    assert clipped(new, old, gains, dual=dual) == clipped(new, old, gains)


@given(TOKENS)
def test_without_bounds_it_is_the_importance_weighted_gradient(tokens: list[tuple[float, float, float]]) -> None:
    new, old, advantages = map(list, zip(*tokens, strict=True))
    _, gradient, _ = clipped(new, old, advantages, 1.0, math.inf)
    expected = [-math.exp(n - o) * a for n, o, a in tokens]
    assert gradient == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("dual", "advantages", "losses"), [(2.0, [1.0, -1.0], [-1.25, 2.0]), (None, [1.0, 0.0], [-1.25, 0.0])]
)
def test_a_ratio_that_overflows_is_bounded_like_any_other(
    dual: float | None, advantages: list[float], losses: list[float]
) -> None:
    log_ratio = torch.tensor([500.0, 500.0], requires_grad=True)  # exp(500) is infinite in float32
    loss, _ = clipped_policy_gradient(log_ratio, torch.tensor(advantages), clip_low=0.2, clip_high=0.25, dual_clip=dual)
    (gradient,) = torch.autograd.grad(loss.sum(), log_ratio)
    assert loss.tolist() == pytest.approx(losses)
    assert gradient.tolist() == [0.0, 0.0]


def test_sequence_ratios_by_hand() -> None:
    """GSPO: two tokens of ratios 2 and 1 and A = 1, one token of ratio 0.9 and A = -1; bounds 0.8 and 1.5."""
    logprobs = tensor([math.log(2), 0.0, math.log(0.9)]).requires_grad_()
    log_ratio = over_old_sequence(logprobs, torch.zeros(3, dtype=torch.float64), torch.tensor([0, 0, 1]))
    loss, _ = clipped_policy_gradient(log_ratio, tensor([1.0, 1.0, -1.0]), clip_low=0.2, clip_high=0.5)
    # s = sqrt(2 * 1) = 1.4142136 for both tokens, below 1.5; token by token the first, 2, would be clipped
    assert loss.tolist() == pytest.approx([-1.4142136, -1.4142136, 0.9])
    # each of the two tokens' log-probs moves both losses by s / 2
    (gradient,) = torch.autograd.grad(loss.sum(), logprobs)
    assert gradient.tolist() == pytest.approx([-1.4142136, -1.4142136, 0.9])


@given(
    st.lists(
        st.tuples(st.lists(st.tuples(LOGPROB, LOGPROB), min_size=1, max_size=4), st.floats(-3, 3)),
        min_size=1,
        max_size=4,
    )
)
def test_sequence_ratios_against_a_slow_reference(
    sequences: list[tuple[list[tuple[float, float]], float]],
) -> None:
    """The paper's objective, a mean over sequences, and its gradient written out, from the averaged token losses."""
    new = tensor([n for tokens, _ in sequences for n, _ in tokens]).requires_grad_()
    old = tensor([o for tokens, _ in sequences for _, o in tokens])
    numbers = torch.tensor([i for i, (tokens, _) in enumerate(sequences) for _ in tokens])
    advantages = tensor([a for tokens, a in sequences for _ in tokens])
    loss, _ = clipped_policy_gradient(over_old_sequence(new, old, numbers), advantages, clip_low=0.1, clip_high=0.3)
    weights = tensor([1 / len(sequences) / len(tokens) for tokens, _ in sequences for _ in tokens])
    total = (weights * loss).sum()
    (gradient,) = torch.autograd.grad(total, new)

    expected, slopes = 0.0, []
    for tokens, advantage in sequences:
        ratio = math.prod(math.exp(n - o) for n, o in tokens) ** (1 / len(tokens))
        bounded = min(max(ratio, 0.9), 1.3)
        worst = min(ratio * advantage, bounded * advantage)
        expected -= worst / len(sequences)
        moves = worst == ratio * advantage
        slopes += [-moves * ratio * advantage / len(tokens) / len(sequences)] * len(tokens)
    assert total.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert gradient.tolist() == pytest.approx(slopes, rel=1e-6, abs=1e-9)


@given(TOKENS)
def test_sequences_of_one_token_make_gspo_grpo(tokens: list[tuple[float, float, float]]) -> None:
    new, old, advantages = map(list, zip(*tokens, strict=True))
    log_ratio = over_old_sequence(tensor(new), tensor(old), torch.arange(len(tokens)))
    loss, _ = clipped_policy_gradient(log_ratio, tensor(advantages), clip_low=0.2, clip_high=0.28)
    assert loss.tolist() == clipped(new, old, advantages)[0]


def test_cispo_by_hand() -> None:
    """Ratios 1, 1.5, 0.5, bounds 0.8 and 1.28, A = 2, -1, 3: weights 1, 1.28, 0.8, and no gradient is lost."""
    logprobs = tensor([0.0, math.log(1.5), math.log(0.5)]).requires_grad_()
    loss, metrics = cispo(logprobs, torch.zeros(3), tensor([2.0, -1.0, 3.0]), clip_low=0.2, clip_high=0.28)
    (gradient,) = torch.autograd.grad(loss.sum(), logprobs)
    assert loss.tolist() == pytest.approx([-2.0, 1.28, -2.4])
    assert gradient.tolist() == pytest.approx([-2.0, 1.28, -2.4])
    assert metrics["clip_fraction"].tolist() == [0.0, 1.0, 1.0]
    assert metrics["ratio"].tolist() == pytest.approx([1.0, 1.5, 0.5])
    assert metrics["old_kl"].tolist() == pytest.approx([0.0, 0.0945349, 0.1931472], abs=1e-7)


@given(TOKENS, st.floats(0, 1.5), st.floats(0, 2))
def test_cispo_against_a_slow_reference(tokens: list[tuple[float, float, float]], low: float, high: float) -> None:
    """The paper's form: a detached, clipped weight times A log π."""
    new, old, advantages = map(list, zip(*tokens, strict=True))
    logprobs = tensor(new).requires_grad_()
    loss, _ = cispo(logprobs, tensor(old), tensor(advantages), clip_low=low, clip_high=high)
    (gradient,) = torch.autograd.grad(loss.sum(), logprobs)
    expected = [-min(max(math.exp(n - o), 1 - low), 1 + high) * a for n, o, a in tokens]
    assert gradient.tolist() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_value_loss_by_hand() -> None:
    """V_old = 1, clip 0.5, so a value counts as at most 1.5; values 2, 2, 1.2, 0 and returns 3, 0, 2, 0.2."""
    values = tensor([2.0, 2.0, 1.2, 0.0]).requires_grad_()
    old, returns = tensor([1.0] * 4), tensor([3.0, 0.0, 2.0, 0.2])
    loss, metrics = value_loss(values, old, returns, clip=0.5)
    # 2 -> 1.5 against 3: max(1, 2.25) / 2 = 1.125, clipped: no gradient
    # 2 -> 1.5 against 0: max(4, 2.25) / 2 = 2, gradient V - R = 2
    # 1.2 stays against 2: 0.64 / 2 = 0.32, gradient -0.8
    # 0 -> 0.5 against 0.2: max(0.04, 0.09) / 2 = 0.045, clipped: no gradient
    (gradient,) = torch.autograd.grad(loss.sum(), values)
    assert loss.tolist() == pytest.approx([1.125, 2.0, 0.32, 0.045])
    assert gradient.tolist() == pytest.approx([0.0, 2.0, -0.8, 0.0])
    assert metrics["value_clip_fraction"].tolist() == [1.0, 0.0, 0.0, 1.0]
    assert metrics["value_error"].tolist() == pytest.approx([1.0, 4.0, 0.64, 0.04])
    loss, metrics = value_loss(values, old, returns, clip=None)
    assert loss.tolist() == pytest.approx([0.5, 2.0, 0.32, 0.02])
    assert metrics["value_error"].tolist() == pytest.approx([1.0, 4.0, 0.64, 0.04])


@given(st.lists(st.tuples(*[st.floats(-3, 3)] * 3), min_size=1, max_size=8), st.floats(0, 2))
def test_value_loss_against_a_slow_reference(tokens: list[tuple[float, float, float]], clip: float) -> None:
    values, old, returns = (tensor(list(column)) for column in zip(*tokens, strict=True))
    expected = []
    for v, v_old, target in tokens:
        moved = v_old + clip if v > v_old + clip else v_old - clip if v < v_old - clip else v
        worst = abs(v - target) if abs(v - target) > abs(moved - target) else abs(moved - target)
        expected.append(worst * worst / 2)
    assert value_loss(values, old, returns, clip=clip)[0].tolist() == pytest.approx(expected, abs=1e-9)


def test_metrics_carry_no_gradient() -> None:
    x, old, one = torch.tensor([-1.0], requires_grad=True), torch.tensor([-1.5]), torch.ones(1)
    found = [
        clipped_policy_gradient(over_old(x, old), one, clip_low=0.2, clip_high=0.2)[1],
        cispo(x, old, one, clip_low=0.2, clip_high=0.2)[1],
        value_loss(x, old, one, clip=0.2)[1],
        value_loss(x, old, one, clip=None)[1],
    ]
    assert [name for metrics in found for name, value in metrics.items() if value.requires_grad] == []
