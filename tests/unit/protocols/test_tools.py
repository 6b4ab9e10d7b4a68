"""Calls of tools between tags."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentgym.errors import ConfigError, ParseError
from agentgym.protocols.tools import Tools
from agentgym.types import Action, ToolCall

RULES = 'Call a tool by replying with <tool_call>{"name": "...", "arguments": {...}}</tool_call>.'


def tagged(*calls: Any) -> str:
    return "".join(f"<tool_call>{json.dumps(call)}</tool_call>" for call in calls)


@pytest.mark.parametrize(
    ("reply", "calls"),
    [
        (tagged({"name": "add", "arguments": {"a": 1}}), [("add", {"a": 1})]),
        (tagged({"name": "leave"}), [("leave", {})]),
        (f"I add. {tagged({'name': 'b'}, {'name': 'a'}, {'name': 'b'})} Done.", [("b", {}), ("a", {}), ("b", {})]),
        ('<tool_call>\n{"name": "add",\n"arguments": {}}\n</tool_call>', [("add", {})]),
        ('<tool_call>{"name": "cut off"}', [("cut off", {})]),
        (
            tagged({"name": "write", "arguments": {"text": "a <b> c", "more": [1, {"x": None}]}}),
            [("write", {"text": "a <b> c", "more": [1, {"x": None}]})],
        ),
        (tagged({"name": "", "arguments": {"a": 1.5}, "id": "x"}), [("", {"a": 1.5})]),
    ],
)
def test_calls_are_read_in_order(reply: str, calls: list[tuple[str, dict[str, Any]]]) -> None:
    action = Tools().parse(reply)
    assert [(call.name, call.arguments, call.id) for call in action.tool_calls] == [(*call, "") for call in calls]
    assert json.loads(action) == [{"name": name, "arguments": arguments} for name, arguments in calls]


def test_a_reply_without_a_call_is_words() -> None:
    action = Tools().parse("  It is 5. \n")
    assert (action, action.tool_calls) == ("It is 5.", ())
    with pytest.raises(ParseError, match=r"^Your reply was empty\. Call a tool or answer in words\.$"):
        Tools().parse(" \n")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("{", "^The tool call is not valid JSON: Expecting property name"),
        ("", "^The tool call is not valid JSON: "),
        ('{"name": "x"} {"name": "y"}', "^The tool call is not valid JSON: Extra data"),
        ('{"name": "x", "arguments": {"a": Infinity}}', "^The tool call is not valid JSON: "),
        ('{"name": "x", "arguments": {"a": "\\ud800"}}', "^The tool call is not valid JSON: "),
        ("[" * 100_000, "^The tool call is not valid JSON: "),
        ("7", '^A tool call is an object with "name"'),
        ('[{"name": "x"}]', '^A tool call is an object with "name"'),
        ("{}", '^A tool call is an object with "name"'),
        ('{"name": null}', '^A tool call is an object with "name"'),
        ('{"name": "x", "arguments": "{}"}', '^A tool call is an object with "name"'),
        ('{"name": "x", "arguments": null}', '^A tool call is an object with "name"'),
    ],
)
def test_a_call_that_cannot_be_read_is_a_mistake_that_the_policy_is_told_with_the_form(call: str, words: str) -> None:
    good = tagged({"name": "add"})
    for reply in (f"<tool_call>{call}</tool_call>", f"{good}<tool_call>{call}</tool_call>{good}"):
        with pytest.raises(ParseError, match=words) as error:
            Tools().parse(reply)
        assert str(error.value).endswith(RULES)


def test_an_action_is_said_as_its_calls_whatever_text_they_came_with() -> None:
    calls = [ToolCall(name="add", arguments={"a": "é"}, id="7"), ToolCall(name="leave", arguments={})]
    reply = Tools().format(Action("add(a=é)", tool_calls=calls[:1]))
    assert reply == '<tool_call>{"name": "add", "arguments": {"a": "\\u00e9"}}</tool_call>'
    with_both = Tools().format(Action(tool_calls=[ToolCall(name="add", arguments={}), calls[1]]))
    assert with_both.splitlines() == [
        '<tool_call>{"name": "add", "arguments": {}}</tool_call>',
        '<tool_call>{"name": "leave", "arguments": {}}</tool_call>',
    ]


def test_words_are_said_as_they_are() -> None:
    assert Tools().format(Action("It is 5.")) == "It is 5."
    for refused in ("", " x", "a <tool_call>", '<tool_call>{"name": "x"}'):
        with pytest.raises(ConfigError, match=r"^the protocol tools cannot say the action '"):
            Tools().format(Action(refused))
    with pytest.raises(ConfigError, match="cannot say the action"):  # the text would end the call
        Tools().format(Action(tool_calls=[ToolCall(name="x", arguments={"a": "</tool_call>"})]))


def test_the_form_of_a_call_is_told_before_the_first_observation() -> None:
    assert Tools().opening("Climb.") == [{"role": "system", "content": f"Climb.\n{RULES}"}]
