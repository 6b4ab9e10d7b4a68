"""What plans cost: by hand."""

from __future__ import annotations

import pytest

from agentgym.errors import ConfigError
from agentgym.rewards.plan_cost import PlanCost
from agentgym.types import Trajectory
from tests.kit import episode, sample


def said(*replies: str) -> Trajectory:
    """A token for each character."""
    one = episode(*[0.0] * len(replies), samples=[sample([[7] * len(reply) for reply in replies])])
    for turn, reply in zip(one.turns, replies, strict=True):
        turn.reply = reply
    return one


@pytest.mark.parametrize(
    ("reply", "tokens"),
    [
        ("go", 0),
        ("<plan>abc</plan> go", 16),
        ("first <plan>abc</plan> go", 16),
        ("<plan>a\nb</plan> go <plan></plan>", 16 + 13),
        ("<plan>abc go", 12),  # it never ends
        ("<plan>a\n", 8),
        ("go</plan>", 0),
        ("</plan><plan>", 6),
        ("", 0),
    ],
)
def test_by_hand(reply: str, tokens: int) -> None:
    assert PlanCost(token_cost=1.0)(said(reply)) == [pytest.approx(-tokens)]
    assert PlanCost()(said(reply)) == [pytest.approx(-0.001 * tokens)]


def test_each_turn_costs_its_own() -> None:
    one = said("<plan>a</plan>", "go", "<plan>abc</plan>go")
    assert PlanCost(token_cost=0.01)(one) == pytest.approx([-0.14, 0, -0.16])
    assert PlanCost(token_cost=0.0, plan_cost=0.5)(one) == [-0.5, 0.0, -0.5]
    assert PlanCost(token_cost=0.01, plan_cost=0.5)(one) == pytest.approx([-0.64, 0, -0.66])


def test_a_plan_has_its_share_of_the_tokens() -> None:
    """16 of 20 characters and 10 tokens: 8. Those of the environment and of other turns are not its own."""
    one = said("<plan>abc</plan>  go", "<plan>abc</plan>  go")
    one.samples = [sample([[7] * 10], prompt=3), sample([[], [7] * 5])]
    assert PlanCost(token_cost=1.0)(one) == pytest.approx([-8, -4])
    one.samples = []
    assert PlanCost(token_cost=1.0, plan_cost=1.0)(one) == [-1.0, -1.0]


def test_other_marks() -> None:
    react = PlanCost(begin="Thought:", end="\n", token_cost=1.0)
    assert react(said("Thought: no.\nAction: go", "Action: go")) == pytest.approx([-13, 0])
    assert PlanCost(begin="(", end=")", token_cost=1.0)(said("(a) b [c]")) == [pytest.approx(-3)]  # no expression


def test_plans_that_cost_nothing_are_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"would cost nothing; type for instance: --rewards\.plan-cost\.plan_cost 0\."
    ):
        PlanCost(token_cost=0.0)
