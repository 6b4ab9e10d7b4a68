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
    assert [(call.name, call.arguments) for call in action.tool_calls] == calls
    assert json.loads(action) == [{"name": name, "arguments": arguments} for name, arguments in calls]


def test_the_id_of_a_call_is_kept() -> None:
    (call,) = Tools().parse(tagged({"name": "add", "arguments": {}, "id": "x7"})).tool_calls
    assert call.id == "x7"


RM = tagged({"name": "rm", "arguments": {"path": "/"}})
LS = tagged({"name": "ls", "arguments": {}})


@pytest.mark.parametrize(
    ("reply", "names", "words"),
    [
        (f"<think>maybe {RM}? no.</think>\n{LS}", ["ls"], None),
        (f"<think>maybe {RM}? no.</think>\nIt is 4.", [], "It is 4."),
        (f"maybe {RM}? no.</think>\nIt is 4.", [], "It is 4."),
        (f"<think>the form is <tool_call>JSON</tool_call></think>{LS}", ["ls"], None),
        (f"<think>a</think>{RM}<think>{RM}</think>{LS}", ["ls"], None),
        (f"[THINK]{RM}[/THINK]{LS}", ["ls"], None),
        (f"{LS}\n<think>and then {RM}", ["ls"], None),
        ("I use <think> tags.", [], "I use <think> tags."),
    ],
)
def test_what_was_only_thought_is_not_done(reply: str, names: list[str], words: str | None) -> None:
    action = Tools().parse(reply)
    assert [call.name for call in action.tool_calls] == names
    assert words is None or action == words


@pytest.mark.parametrize("reply", [f"<think>maybe {RM}", f"<think>a</think>\n<think>{RM}", f"\n <think>{RM}"])
def test_a_thought_without_an_end_is_no_answer(reply: str) -> None:
    with pytest.raises(ParseError, match=r"^Your thought has no end\. Think shorter, write </think>, and only then"):
        Tools().parse(reply)


def test_a_thought_that_the_chat_template_began_has_to_end_too() -> None:
    thinking = Tools().suited("<tool_call>", "<|im_start|>assistant\n<think>\n")
    with pytest.raises(ParseError, match=r"^Your thought has no end"):
        thinking.parse(f"maybe {RM}")
    with pytest.raises(ParseError, match=r"^Your reply was empty"):
        thinking.parse(f"maybe {RM}</think>\n")
    assert thinking.format(Action("It is 4.")) == "</think>\n\nIt is 4."
    assert thinking.parse("</think>\n\nIt is 4.") == "It is 4."
    for prompt in ("assistant\n", "assistant\n<think>\n\n</think>\n\n"):
        assert Tools().suited("", prompt).format(Action("It is 4.")) == "It is 4."


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
        ("7", '^A call is an object with "name"'),
        ('[{"name": "x"}]', '^A call is an object with "name"'),
        ("{}", '^A call is an object with "name"'),
        ('{"name": null}', '^A call is an object with "name"'),
        ('{"name": "x", "arguments": "{}"}', '^A call is an object with "name"'),
        ('{"name": "x", "arguments": null}', '^A call is an object with "name"'),
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
    with pytest.raises(ConfigError, match="cannot say the action"):
        Tools().format(Action("x", tool_calls=[ToolCall(name="x", arguments={"a": float("inf")})]))
    nasty = [ToolCall(name="x", arguments={"a": "</tool_call> <tool_call> </think>"})]
    assert list(Tools().parse(Tools().format(Action(tool_calls=nasty))).tool_calls) == nasty


def test_the_form_of_a_call_is_told_before_the_first_observation() -> None:
    assert Tools().opening("Climb.") == [{"role": "system", "content": f"Climb.\n{RULES}"}]
