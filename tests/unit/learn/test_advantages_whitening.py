"""Whitening: by hand, against the deviation written out, and what it does to a shift and a unit."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agentgym.learn.advantages import whiten

VALUES = st.lists(st.floats(-100, 100).map(lambda x: round(x, 3)), min_size=2, max_size=12)


def test_by_hand() -> None:
    # 0, 0, 6: mean 2, squares 4 + 4 + 16 = 24, sample variance 24 / 2 = 12, std 3.4641016
    # -2 / 3.4641016 = -0.5773503, 4 / 3.4641016 = 1.1547005
    assert whiten([0.0, 0.0, 6.0]) == pytest.approx([-0.5773503, -0.5773503, 1.1547005], abs=1e-7)
    assert whiten([0.0, 0.0, 6.0], shift_mean=False) == pytest.approx([1.4226497, 1.4226497, 3.1547005], abs=1e-7)
    # epsilon is added to the deviation: 4 / (3.4641016 + 1) = 0.8960371
    assert whiten([0.0, 0.0, 6.0], epsilon=1.0)[2] == pytest.approx(0.8960371)


def test_zeros_for_tokens_that_are_not_trained_would_change_it() -> None:
    assert whiten([1.0, 3.0, 0.0, 0.0])[:2] != pytest.approx(whiten([1.0, 3.0]), abs=0.1)


def test_equal_values_give_nothing() -> None:
    assert whiten([2.0, 2.0]).tolist() == [0.0, 0.0]
    assert whiten([2.0, 2.0], shift_mean=False).tolist() == [2.0, 2.0]


@pytest.mark.parametrize("values", [[], [1.0]])
def test_fewer_than_two_values_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match=f"at least 2 values, found {len(values)}"):
        whiten(values)


@given(VALUES, st.booleans())
def test_against_a_slow_reference(values: list[float], shift_mean: bool) -> None:
    assume(max(values) - min(values) > 0.1)
    mean = math.fsum(values) / len(values)
    deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))
    expected = [(v - mean) / deviation + (0.0 if shift_mean else mean) for v in values]
    assert whiten(values, shift_mean=shift_mean) == pytest.approx(expected, abs=1e-6)


@given(VALUES, st.floats(-50, 50), st.floats(0.1, 50))
def test_neither_a_shift_nor_the_unit_matters(values: list[float], shift: float, factor: float) -> None:
    assume(max(values) - min(values) > 0.5)
    assert whiten([factor * v + shift for v in values]) == pytest.approx(whiten(values), abs=1e-5)
