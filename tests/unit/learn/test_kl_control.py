"""The controller of the divergence's weight, by hand."""

from __future__ import annotations

import pytest

from agentgym.learn.kl_control import KLCoefficient


@pytest.mark.parametrize(
    ("found", "expected"),
    [(0.1, 0.5), (0.11, 0.505), (0.09, 0.495), (0.12, 0.51), (0.3, 0.51), (0.08, 0.49), (0.0, 0.49)],
)
def test_it_goes_by_the_relative_error_up_to_a_fifth(found: float, expected: float) -> None:
    """Of .1: .11 is a tenth off, and 1 + .1 × .1 = 1.01."""
    kl = KLCoefficient(0.5, target=0.1, rate=0.1)
    kl.steer(found)
    assert kl.value == pytest.approx(expected)


def test_it_goes_on_from_where_it_is() -> None:
    kl = KLCoefficient(1.0, target=0.1, rate=0.5)
    for found in (1.0, 1.0, 0.0):
        kl.steer(found)
    assert kl.value == pytest.approx(1.1 * 1.1 * 0.9)


def test_without_a_target_it_stays() -> None:
    kl = KLCoefficient(0.5, target=None, rate=0.1)
    kl.steer(9.0)
    assert (kl.value, kl.state()) == (0.5, {})
    kl.load_state({"kl_coefficient": {"began": 0.5, "value": 7.0}})
    assert kl.value == 0.5


def test_its_state_is_taken_up_unless_it_is_to_begin_elsewhere() -> None:
    kl = KLCoefficient(0.5, target=0.1, rate=0.1)
    kl.steer(1.0)
    for begin, expected in ((0.5, 0.51), (0.7, 0.7)):
        other = KLCoefficient(begin, target=0.1, rate=0.1)
        other.load_state(kl.state())
        assert other.value == pytest.approx(expected)
    kl.load_state({})
    assert kl.value == pytest.approx(0.51)
