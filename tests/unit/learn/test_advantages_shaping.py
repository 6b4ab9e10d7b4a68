"""Entropy and difficulty: by hand, against slow references, and the signs they must not turn."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agentgym.learn.advantages import difficulty_reweighted, difficulty_weight, entropy_shaped


def shaped(advantages: list[float], entropies: list[float], alpha: float, kappa: float) -> list[float]:
    numbers: list[float] = entropy_shaped(
        torch.tensor(advantages, dtype=torch.float64),
        torch.tensor(entropies, dtype=torch.float64),
        alpha=alpha,
        kappa=kappa,
    ).tolist()
    return numbers


def test_entropy_by_hand() -> None:
    # alpha 0.5, kappa 2: 1 + min(0.2, 0.5) = 1.2; 1 + min(2, 0.5) = 1.5; -1 + min(2, 0.5) = -0.5; 0 + min(2, 0) = 0
    assert shaped([1.0, 1.0, -1.0, 0.0], [0.4, 4.0, 4.0, 4.0], 0.5, 2.0) == pytest.approx([1.2, 1.5, -0.5, 0.0])


@given(
    st.lists(st.tuples(st.floats(-3, 3, allow_subnormal=False), st.floats(0, 9)), min_size=1, max_size=6),
    st.floats(0, 3),
    st.floats(1.1, 9),
)
def test_entropy_against_a_slow_reference_and_its_sign(
    tokens: list[tuple[float, float]], alpha: float, kappa: float
) -> None:
    found = shaped([a for a, _ in tokens], [h for _, h in tokens], alpha, kappa)
    for (advantage, entropy), new in zip(tokens, found, strict=True):
        bonus = alpha * entropy if alpha * entropy < abs(advantage) / kappa else abs(advantage) / kappa
        assert new == pytest.approx(advantage + bonus)
        assert math.copysign(1, new) == math.copysign(1, advantage) or new == advantage == 0
        assert new >= advantage


def test_entropy_is_weighed_and_not_maximized() -> None:
    entropies = torch.tensor([0.4], requires_grad=True)
    assert not entropy_shaped(torch.tensor([1.0]), entropies, alpha=0.5, kappa=2.0).requires_grad


@pytest.mark.parametrize(("alpha", "kappa"), [(-0.1, 2.0), (0.5, 1.0)])
def test_constants_that_could_turn_the_sign_are_refused(alpha: float, kappa: float) -> None:
    with pytest.raises(ValueError, match=f"found alpha {alpha} and kappa {kappa}"):
        shaped([1.0], [1.0], alpha, kappa)


def test_difficulty_by_hand() -> None:
    # w(0.75) = 0.4 + 1.1 / 2 = 0.95; w(0) = 0.4 + 1.1 / (1 + e^-7.5) = 1.4994; w(1) = 0.4 + 1.1 / (1 + e^2.5) = 0.4834
    assert difficulty_weight(0.75) == pytest.approx(0.95)
    assert difficulty_weight(0.0) == pytest.approx(1.4994, abs=1e-4)
    assert difficulty_weight(1.0) == pytest.approx(0.4834, abs=1e-4)
    # One of four right, 0.75 and -0.25: w(0.25) = 0.4 + 1.1 / (1 + e^-5) = 1.4926379, w(1 - 0.25) = 0.95
    assert difficulty_reweighted([0.75, -0.25, 0.0], 0.25) == pytest.approx([1.1194784, -0.2375, 0.0])


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_rarer_a_success_the_more_it_counts(first: float, second: float) -> None:
    rare, common = sorted((first, second))
    assert difficulty_weight(rare) >= difficulty_weight(common)
    # an easy task's failure counts like a hard task's success
    assert difficulty_reweighted([-1.0], 1 - rare)[0] == pytest.approx(-difficulty_reweighted([1.0], rare)[0])


def test_constants_of_the_weight_are_passed_on() -> None:
    # low 0, high 2, center 0.5, steepness ln 3: w(0.5 + 1) = 2 / (1 + 3) = 0.5, w(1 - 1.5) = 2 / (1 + 1/3) = 1.5
    found = difficulty_reweighted([1.0, -1.0], 1.5, low=0.0, high=2.0, center=0.5, steepness=math.log(3))
    assert found == pytest.approx([0.5, -1.5])
