"""The whole reply is the action."""

from __future__ import annotations

import pytest

from agentgym.errors import ConfigError, ParseError
from agentgym.protocols.plain import Plain
from agentgym.tools import call
from agentgym.types import Action


def test_a_reply_is_an_action_without_the_blanks_around_it() -> None:
    action = Plain().parse(" go  north\nor south \n")
    assert action == "go  north\nor south"
    assert isinstance(action, Action)
    assert action.tool_calls == ()


def test_a_thought_is_no_part_of_the_action() -> None:
    assert Plain().parse("<think>hm</think>\nlook") == "look"
    assert Plain().parse("hm</think>look") == "look"
    with pytest.raises(ParseError, match=r"^Your reply was empty\."):
        Plain().parse("<think>look</think>\n")
    with pytest.raises(ParseError, match=r"^Your thought has no end\."):
        Plain().parse("<think>look")


def test_an_empty_reply_is_a_mistake_that_the_policy_is_told() -> None:
    with pytest.raises(ParseError, match=r"^Your reply was empty\. Reply with an action\.$"):
        Plain().parse(" \n\t")


def test_an_action_is_said_as_it_is() -> None:
    assert Plain().format(Action("go  north")) == "go  north"
    assert Plain().format(call("get", order=1)) == "get(order=1)"
    for refused in ("", " ", " north", "north\n"):
        with pytest.raises(ConfigError, match=r"^the protocol plain cannot say the action '"):
            Plain().format(Action(refused))


def test_nothing_is_told_of_how_to_reply() -> None:
    assert Plain().opening("Climb.") == [{"role": "system", "content": "Climb."}]
    assert Plain().opening("") == []
