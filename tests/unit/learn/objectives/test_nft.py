"""NFT: by hand, against a slow reference, and beside GRPO."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agentgym.learn.objectives.nft import nft


def tensor(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def nft_of(
    log_ratios: list[float], correct: list[bool], accuracies: list[float], epsilon: float
) -> tuple[list[float], list[float], list[float]]:
    log_ratio = tensor(log_ratios).requires_grad_()
    loss, metrics = nft(log_ratio, torch.tensor(correct), tensor(accuracies), epsilon=epsilon)
    (gradient,) = torch.autograd.grad(loss.sum(), log_ratio)
    return loss.tolist(), gradient.tolist(), metrics["clip_fraction"].tolist()


def test_nft_by_hand() -> None:
    """Accuracy 0.25, epsilon 0.1."""
    ratios, correct = [2.0, 1.0, 2.0, 3.9, 8.0], [True, False, False, False, False]
    loss, gradient, clipped = nft_of([math.log(r) for r in ratios], correct, [0.25] * 5, 0.1)
    # right: -log 2, slope -1
    # wrong, ratio 1: (1 - 0.25) / 0.75 = 1, loss 0, slope 0.25 / 0.75 / 1 = 1/3
    # ratio 2: (1 - 0.5) / 0.75 = 2/3, -log 2/3 = 0.4054651, slope 0.5 / 0.75 / (2/3) = 1
    # ratio 3.9: (1 - 0.975) / 0.75 = 1/30, below 0.1: -log 0.1 = 2.3025851, slope 0.975 / 0.75 / 0.1 = 13
    # ratio 8: (1 - 2) / 0.75 < 0: the same value, slope 2 / 0.75 / 0.1 = 26.6667
    assert loss == pytest.approx([-0.6931472, 0.0, 0.4054651, 2.3025851, 2.3025851], abs=1e-7)
    assert gradient == pytest.approx([-1.0, 1 / 3, 1.0, 13.0, 80 / 3])
    assert clipped == [0.0, 0.0, 0.0, 1.0, 1.0]


@given(
    st.lists(st.tuples(st.floats(-3, 3), st.booleans(), st.floats(0.05, 0.95)), min_size=1, max_size=6),
    st.floats(0.01, 1),
)
def test_nft_against_a_slow_reference(tokens: list[tuple[float, bool, float]], epsilon: float) -> None:
    """Gradients by the paper's weights: 1 for a right token, r ρ / ((1 − r) max(ratio of negatives, ε)) for a wrong."""
    loss, gradient, _ = nft_of(
        [x for x, _, _ in tokens], [right for _, right, _ in tokens], [r for _, _, r in tokens], epsilon
    )
    for (log_ratio, right, accuracy), value, slope in zip(tokens, loss, gradient, strict=True):
        negative = (1 - accuracy * math.exp(log_ratio)) / (1 - accuracy)
        expected = log_ratio if right else math.log(negative if negative > epsilon else epsilon)
        weight = -1.0 if right else accuracy * math.exp(log_ratio) / (1 - accuracy) / max(negative, epsilon)
        assert value == pytest.approx(-expected, abs=1e-9)
        assert slope == pytest.approx(weight, rel=1e-9)


def test_the_branch_not_taken_leaves_no_trace() -> None:
    """All right (1 - r = 0), all wrong (r = 0), and ratios that overflow: nothing is NaN."""
    loss, gradient, _ = nft_of([0.5, 900.0, -0.5, 0.0], [True, True, False, False], [1.0, 1.0, 0.0, 0.0], 1.0)
    assert loss == [-0.5, -900.0, 0.0, 0.0]
    assert gradient == [-1.0, -1.0, 0.0, 0.0]


@pytest.mark.parametrize("num_correct", [1, 2, 3])
def test_nft_on_policy_is_grpo_up_to_the_weight_of_the_task(num_correct: int) -> None:
    """Four tokens of a task, some right; ratio 1, epsilon 1."""
    correct, accuracy = [i < num_correct for i in range(4)], num_correct / 4
    _, gradient, _ = nft_of([0.0] * 4, correct, [accuracy] * 4, 1.0)
    centered = [float(right) - accuracy for right in correct]
    deviation = math.sqrt(sum(a * a for a in centered) / 4)
    dr_grpo, grpo = [-a for a in centered], [-a / deviation for a in centered]
    assert [(1 - accuracy) * g for g in gradient] == pytest.approx(dr_grpo)
    assert [math.sqrt((1 - accuracy) / accuracy) * g for g in gradient] == pytest.approx(grpo)


def test_off_policy_nft_is_not_grpo() -> None:
    _, gradient, _ = nft_of([0.2, 0.2], [True, False], [0.5, 0.5], 0.1)
    assert gradient[0] / gradient[1] != pytest.approx(-1.0, abs=0.1)


def test_metrics_carry_no_gradient() -> None:
    x = torch.tensor([-1.0], requires_grad=True)
    _, metrics = nft(x, torch.tensor([False]), torch.tensor([0.5]), epsilon=0.1)
    assert [name for name, value in metrics.items() if value.requires_grad] == []
