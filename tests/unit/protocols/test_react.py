"""A thought, then an action on a line of its own."""

from __future__ import annotations

import pytest

from agentgym.errors import ConfigError, ParseError
from agentgym.protocols.react import React
from agentgym.types import Action


@pytest.mark.parametrize(
    ("reply", "action"),
    [
        ("Action: look", "look"),
        ("Thought: hm\nAction: search[red mug]", "search[red mug]"),
        ("ACTION :  look  ", "look"),
        ("  **Action**: **look**", "look"),
        ("* Action: look", "look"),
        ("Action: a\nThought: no\nAction: b", "b"),
        ("Action: a\nObservation: done\nAction: b", "a"),
        ("Action: a\n  OBSERVATION : done\nAction: b", "a"),
        ("Thought: my Observation: nothing\nAction: b", "b"),
        ("Thought: an Action: no\nAction: yes", "yes"),
        ("Action: say Action: x", "say Action: x"),
        ("Action: a\nand more", "a"),
        ("Action: 2 * 3 * 4", "2 * 3 * 4"),
        ("<think>\nAction: a\n</think>\nThought: b\nAction: c", "c"),
        ("Action: a\n</think>\nAction: b", "b"),
        ("[THINK]Action: a[/THINK]Action: b", "b"),
        ("<think>Observation: x</think>Action: b", "b"),
        ("Action: a\n<think>\nAction: b", "a"),
    ],
)
def test_the_last_action_before_an_invented_observation_counts(reply: str, action: str) -> None:
    found = React().parse(reply)
    assert isinstance(found, Action)
    assert found == action


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "look",
        "Reaction: look",
        "Action look",
        "Action:",
        "Action: a\nAction:",
        "Action:\nlook",
        "Observation: x\nAction: y",
        "<think>\nAction: a\n</think>\nI will not act.",
        "Action: a</think>",
    ],
)
def test_a_reply_without_an_action_is_a_mistake_that_the_policy_is_told(reply: str) -> None:
    with pytest.raises(ParseError, match=r"^No action found\. End your reply with a line 'Action: <one action>'\.$"):
        React().parse(reply)


def test_an_action_within_a_thought_without_an_end_is_none() -> None:
    with pytest.raises(ParseError, match=r"^Your thought has no end\."):
        React().parse("<think>\nAction: a")
    thinking = React().suited("", "assistant\n<think>\n")
    with pytest.raises(ParseError, match=r"^Your thought has no end\."):
        thinking.parse("hm\nAction: a")
    assert thinking.format(Action("go")) == "</think>\n\nAction: go"
    assert React().suited("", "assistant\n").parse("hm\nAction: a") == "a"


def test_an_action_is_said_on_its_line() -> None:
    assert React().format(Action("go  north")) == "Action: go  north"
    for refused in ("", "a\nb", "*look*", " look", "a\nAction: b"):
        with pytest.raises(ConfigError, match=r"^the protocol react cannot say the action '"):
            React().format(Action(refused))


def test_the_rules_are_told_once_before_the_first_observation() -> None:
    rules = "Reply with one line 'Thought: <why>' and one line 'Action: <one action>'."
    assert React().opening("Climb.") == [{"role": "system", "content": f"Climb.\n{rules}"}]
    assert React().opening("") == [{"role": "system", "content": rules}]
