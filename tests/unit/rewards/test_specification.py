"""Formulas about episodes, by hand."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import agentgym
from agentgym.errors import ConfigError, UserError
from agentgym.rewards import _watched
from agentgym.rewards.specification import Specification
from agentgym.rollout.shaping import Weighted, shape
from agentgym.tools.patterns import Patterns
from agentgym.types import ToolCall, Trajectory
from tests.kit import episode


def acted(*actions: str | None, **changes: Any) -> Trajectory:
    one = episode(*[0.0] * len(actions), **changes)
    for turn, action in zip(one.turns, actions, strict=True):
        turn.action, turn.reply = action, f"I say {action}"
    return one


def called(*tools: list[str]) -> Trajectory:
    one = acted(*["call"] * len(tools))
    for turn, names in zip(one.turns, tools, strict=True):
        turn.tool_calls = [ToolCall(name=name, arguments={}) for name in names]
    return one


def measured(*numbers: float | None, first: float | None = None) -> Trajectory:
    one = acted(*["go"] * len(numbers), channels={} if first is None else {"health": first})
    for turn, number in zip(one.turns, numbers, strict=True):
        turn.channels = {} if number is None else {"health": number}
    return one


@pytest.mark.parametrize(
    ("formula", "seen", "broken"),
    [
        ('action == "buy" -> once action == "look"', acted("buy", "look", "go", "buy"), [0]),
        ('historically action != "drop"', acted("go", "drop", "go"), [1, 2]),
        ('not (action == "a" and previous action == "a")', acted("a", "a", "b", "a", "a"), [1, 4]),
        ('not action == "in" since action == "out"', acted("in", "out", "go", "in", "out"), [0, 3]),
        ('action ~ "^go "', acted("go north", "I go east", None), [1, 2]),
        (r'not action ~ "\d"', acted("room 7", None), [0]),
        ('action != "a"', acted("a", "b", None), [0]),
        ('reply ~ "None"', acted("a", None), [0]),
        ('tool == "pay" -> once tool == "review"', called(["pay"], ["look", "review"], ["pay"]), [0]),
        ('tool != "pay"', called([], ["pay", "look"], ["look"]), [1]),
        ('tool ~ "^get_"', called(["get_order"], ["set_order"], []), [1, 2]),
        ("channel health > 0.2", measured(0.5, None, 0.2, 0.1), [2, 3]),
        ('channel "health" >= 0.2', measured(None, 0.1, first=0.2), [1]),
        ("channel health < 1", measured(None, 0.5), [0]),
        ("channel health != 1", measured(None, 0.5, 1), [0, 2]),
        ("true", acted("a"), []),
        ("false", acted("a", "b"), [0, 1]),
    ],
)
def test_each_turn_in_which_it_is_broken_costs(formula: str, seen: Trajectory, broken: list[int]) -> None:
    costs = [-1.0 if number in broken else 0.0 for number in range(len(seen.turns))]
    assert Specification(formula)(seen) == costs
    kept = len(seen.turns) - 1 not in broken
    assert Specification(formula, penalty=0, prize=2)(seen) == [*[0.0] * (len(costs) - 1), 2.0 * kept]
    assert Specification.is_invariant is False


def test_price_and_prize_add_up() -> None:
    reward = Specification('action == "a"', penalty=0.5, prize=2)
    assert reward(acted("b", "a", "b", "a")) == [-0.5, 0.0, -0.5, 2.0]
    assert reward(acted("a", "b")) == [0.0, -0.5]
    assert reward(acted()) == []


def test_an_episode_does_not_remember_another() -> None:
    reward = Specification('once action == "a"')
    assert reward(acted("a", "b")) == [0.0, 0.0]
    assert reward(acted("b")) == [-1.0]


def test_what_pays_nothing_or_cannot_be_read_is_refused() -> None:
    build = agentgym.plugins("rewards").build
    with pytest.raises(ConfigError, match="pays nothing: penalty and prize are 0"):
        build("specification", {"formula": "true", "penalty": 0})
    with pytest.raises(
        ConfigError, match=r"rewards\.specification\.formula: at 8 in .*expected a formula, found the end"
    ):
        build("specification", {"formula": "true or"})
    with pytest.raises(ConfigError, match=r"rewards\.specification\.penalty"):
        build("specification", {"formula": "true", "penalty": -1})
    with pytest.raises(ConfigError, match=r"rewards\.specification\.formula"):
        build("specification", {})


def test_a_channel_that_is_never_reported_is_told() -> None:
    reward = Specification("once (channel progress > 1 or channel health > 1)")
    with pytest.raises(UserError, match=r'"specification": .*no info\["channels"\]\["progress"\]; reported: health'):
        reward(measured(1.0))
    assert Specification("channel health > 1")(acted(None)) == [-1.0]  # nothing was done and nothing reported


def test_an_expression_that_takes_too_long_for_what_was_said_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the policy that says it: the episode is not learned from, and the run goes on."""
    monkeypatch.setattr(_watched, "Patterns", lambda: Patterns(0.02))
    seen = acted("a" * 60 + "!")
    asyncio.run(shape([seen], [Weighted("specification", 1.0, Specification('action ~ "^(a|a)*$"'))]))
    assert "JudgeError: the expression '^(a|a)*$' takes too long for what was said: 'aaa" in (seen.shaping_error or "")
