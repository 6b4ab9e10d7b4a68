"""The contract of every protocol, whatever registers itself as one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agentgym
from agentgym.errors import ParseError
from agentgym.protocol import Protocol
from agentgym.types import Action, Observation, ToolCall

IDS = agentgym.plugins("protocols").ids()
EVERY = pytest.mark.parametrize("id", IDS)
TEXT = st.text(alphabet=st.characters(codec="utf-8"))
LINE = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1).map(str.strip)
ACTIONS = st.one_of(
    LINE,
    st.from_regex(r"(search|click)\[[a-z ]{1,20}\]", fullmatch=True),
    st.sampled_from(
        ["Action: look", "Observation: x", "**bold**", "look\nAction: go", "a\nObservation: b", "<tool_call>"]
    ),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
CALLS = st.lists(
    st.builds(ToolCall, name=TEXT.filter(bool), arguments=st.dictionaries(TEXT, VALUES, max_size=3)),
    min_size=1,
    max_size=3,
)


def protocol(id: str) -> Protocol:
    made: Protocol = agentgym.plugins("protocols").get(id)()
    return made


@EVERY
@given(text=ACTIONS)
def test_what_is_said_is_what_is_parsed(id: str, text: str) -> None:
    """Every text either comes back exactly or is refused; plain commands are never refused."""
    try:
        reply = protocol(id).format(Action(text))
    except ValueError as error:
        assert repr(text) in str(error)  # noqa: PT017
        assert not text.startswith(("search[", "click["))
    else:
        assert protocol(id).parse(reply) == text


@given(calls=CALLS)
def test_tool_calls_come_back(calls: list[ToolCall]) -> None:
    tools = protocol("tools")
    action = tools.parse(tools.format(Action(tool_calls=calls)))
    assert list(action.tool_calls) == calls
    assert action == Action(tool_calls=calls)


@EVERY
@given(reply=TEXT)
def test_any_reply_is_an_action_or_a_parse_error_that_says_what_to_do(id: str, reply: str) -> None:
    try:
        action = protocol(id).parse(reply)
    except ParseError as error:
        assert len(str(error)) > 20  # noqa: PT017
    else:
        assert isinstance(action, Action)
        assert action


@EVERY
@pytest.mark.parametrize("reply", ["", " ", "\n\t"])
def test_an_empty_reply_is_a_parse_error(id: str, reply: str) -> None:
    with pytest.raises(ParseError):
        protocol(id).parse(reply)


@EVERY
def test_the_conversation_is_made_of_plain_messages(id: str) -> None:
    made = protocol(id)
    for message in [*made.opening("Play."), made.show(Observation("x")), made.complain("no"), made.said("y")]:
        assert set(message) >= {"role", "content"}
        assert type(message["content"]) is str
    assert made.opening("Play.")[0]["content"].startswith("Play.")
    assert made.said(" y\n")["content"] == " y\n"
    assert made.rules in made.opening("")[0]["content"] if made.rules else made.opening("") == []


@pytest.mark.parametrize(
    ("reply", "action"),
    [
        ("Thought: hm\nAction: search[mug]", "search[mug]"),
        ("action:look", "look"),
        ("**Action:** look", "look"),
        ("Action: a\nAction: b", "b"),
        ("Action: a\nObservation: done\nAction: b", "a"),
        ("Thought: Action: no\nAction: yes  ", "yes"),
    ],
)
def test_react_takes_the_last_action_before_an_invented_observation(reply: str, action: str) -> None:
    assert protocol("react").parse(reply) == action


@pytest.mark.parametrize("reply", ["Thought: hm", "Action:", "Action: \nThought: x", "Observation: x\nAction: y"])
def test_react_without_an_action(reply: str) -> None:
    with pytest.raises(ParseError, match="No action found"):
        protocol("react").parse(reply)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('{"name": "x", "arguments": {"a": 1' + "0" * 5000 + "}}", "not valid JSON"),
        ('{"name": "x", "arguments": {"a": NaN}}', "not valid JSON"),
        ('{"name": "x", "arguments": {"a": 1e999}}', "not valid JSON"),
        ('{"name": "x", "arguments": {"a": "\\ud800"}}', "not valid JSON"),
        ("[]", 'an object with "name"'),
        ('{"arguments": {}}', 'an object with "name"'),
        ('{"name": 7}', 'an object with "name"'),
        ('{"name": "x", "arguments": []}', 'an object with "name"'),
    ],
)
def test_a_tool_call_that_cannot_be_read(call: str, message: str) -> None:
    with pytest.raises(ParseError, match=message) as error:
        protocol("tools").parse(f"<tool_call>{call}</tool_call>")
    assert len(str(error.value)) < 500


def test_tool_calls_among_words_and_cut_off() -> None:
    reply = 'I add.<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call> then <tool_call>{"name": "stop"}'
    assert [call.name for call in protocol("tools").parse(reply).tool_calls] == ["add", "stop"]
    assert protocol("tools").parse(" no call ") == "no call"
