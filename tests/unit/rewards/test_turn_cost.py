"""Minus one for each turn from somewhere on."""

from __future__ import annotations

import pytest

from agentgym.rewards.turn_cost import TurnCost
from tests.kit import episode


@pytest.mark.parametrize(
    ("free", "costs"),
    [(0, [-1.0, -1.0, -1.0]), (1, [0.0, -1.0, -1.0]), (2, [0.0, 0.0, -1.0]), (3, [0.0] * 3), (9, [0.0] * 3)],
)
def test_turns_cost_once_the_free_ones_are_over(free: int, costs: list[float]) -> None:
    assert TurnCost(free_turns=free)(episode(1.0, 2.0, 3.0)) == costs


def test_every_turn_costs_unless_it_is_said_otherwise() -> None:
    assert TurnCost()(episode(1.0, 2.0)) == [-1.0, -1.0]
    assert TurnCost.is_invariant is False
