"""Calls read from text: what is one, what is almost one, and what is words."""

from __future__ import annotations

from typing import Any

import pytest

from agentgym.tools import ToolError, call, parse_calls
from agentgym.tools.calls import Untyped
from agentgym.types import ToolCall


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("get()", {}),
        ("get( )", {}),
        ("  get (a=1)  ", {"a": "1"}),
        ("get(a=1,b=2)", {"a": "1", "b": "2"}),
        ("get(a=1,)", {"a": "1"}),
        ("get(a =  two words , b=)", {"a": "two words", "b": ""}),
        ("get(a=x=y)", {"a": "x=y"}),
        ("get(a-b=1, _c2=2)", {"a-b": "1", "_c2": "2"}),
        ('get(a="1, (2)")', {"a": "1, (2)"}),
        ('get(a="x" , b="y")', {"a": "x", "b": "y"}),
        ('get(a=[1, "b"], b={"c": {}}, d=null)', {"a": [1, "b"], "b": {"c": {}}, "d": "null"}),
        ("get(\na=1,\nb=2\n)", {"a": "1", "b": "2"}),
        ("get(a='1')", {"a": "'1'"}),
    ],
)
def test_the_short_form(text: str, arguments: dict[str, Any]) -> None:
    assert parse_calls(text) == [ToolCall(name="get", arguments=arguments)]


def test_values_that_are_written_bare_have_no_type_and_others_have_theirs() -> None:
    (found,) = parse_calls('get(a=1, b="1", c=[1])') or []
    assert [type(value) for value in found.arguments.values()] == [Untyped, str, list]


@pytest.mark.parametrize("name", ["a", "_a", "a.b", "a-b", "A1"])
def test_names_of_tools(name: str) -> None:
    (found,) = parse_calls(f"{name}()") or []
    assert found.name == name


@pytest.mark.parametrize(
    "text",
    [
        "get",
        "get(",
        "get)",
        "(a=1)",
        "1get()",
        "get it()",
        "get(a)",
        "get(1)",
        "get(=1)",
        "get(a=1, b)",
        "get(a=1 b=2)x",
        "get(a=(1))",
        "get(a=1, a=1)",
        'get(a="1)',
        'get(a="1" 2)',
        "get(a=[1)",
        'get(a={"b": NaN})',
        'get(a="\\ud800")',
        "get(a=" + "[" * 100_000 + ")",
        "get(1a=2)",
        "get(,a=1)",
        "get(a=1,,b=2)",
        "get(a=1); get(a=2)",
        "Please get(a=1)",
    ],
)
def test_what_is_almost_a_call_is_words(text: str) -> None:
    assert parse_calls(text) is None


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ('{"name": "get"}', [("get", {}, "")]),
        (' \n{"name": "get", "arguments": {"a": "1"}, "id": "x7"}', [("get", {"a": "1"}, "x7")]),
        ('{"name": "get", "id": 7}', [("get", {}, "")]),
        ('{"type": "function", "name": "get", "parameters": {"a": 1}}', [("get", {"a": 1}, "")]),
        (
            '[{"name": "b"}, {"name": "a", "arguments": {"x": null}}, {"name": "b"}]',
            [("b", {}, ""), ("a", {"x": None}, ""), ("b", {}, "")],
        ),
    ],
)
def test_json(text: str, calls: list[tuple[str, dict[str, Any], str]]) -> None:
    assert parse_calls(text) == [ToolCall(name=name, arguments=arguments, id=id) for name, arguments, id in calls]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", r"^This is not valid JSON: Expecting property name"),
        ('{"name": "get"} and', r"^This is not valid JSON: Extra data"),
        (' [{"name": "get"}, ', r"^This is not valid JSON: "),
        ('{"name": "get", "arguments": {"a": -Infinity}}', r"^This is not valid JSON: "),
        ('{"name": "\\ud800"}', r"^This is not valid JSON: "),
        ("[]", r"^The list of calls is empty\.$"),
        ('[{"name": "get"}, 7]', r'^A call is an object with "name" \(text\) and "arguments" \(object\); found 7\.$'),
        ('{"name": "f", "args": {"a": 1}}', r'; found the keys "name", "args"\.$'),
        ('{"name": "f", "arguments": {}, "parameters": {}}', r'; found the keys "name", "arguments", "parameters"\.$'),
        ('{"function": {"name": "f", "arguments": {}}}', r'; found the keys "function"\.$'),
        ('{"type": "text", "name": "f"}', r'; found the keys "type", "name"\.$'),
        ('{"name": "f", "arguments": "{}"}', r'; found the arguments "\{\}"\.$'),
        ('{"name": "f", "arguments": {"a": 1, "a": 2}}', r'^This is not valid JSON: the name "a" is there twice\.$'),
        ('[[{"name": "get"}]]', r"^A call is an object"),
        ('{"arguments": {}}', r"^A call is an object"),
        ('{"name": true}', r"^A call is an object"),
        ('{"name": "get", "arguments": null}', r"^A call is an object"),
    ],
)
def test_json_that_is_no_call_is_a_mistake(text: str, words: str) -> None:
    with pytest.raises(ToolError, match=words):
        parse_calls(text)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1, "1"),
        ("two words", "two words"),
        ("", '""'),
        (" x", '" x"'),
        ("x ", '"x "'),
        ("a, b", '"a, b"'),
        ("f(x)", '"f(x)"'),
        ('"x"', '"\\"x\\""'),
        ("[x", '"[x"'),
        ("{x", '"{x"'),
        ("x[1]", "x[1]"),
        ("é", "é"),
        ([1, "é"], '[1, "é"]'),
        ({"a": None}, '{"a": null}'),
        (True, "true"),
        ("true", "true"),
    ],
)
def test_how_an_expert_writes_a_value(value: Any, written: str) -> None:
    action = call("get", first=0, it=value)
    assert action == f"get(first=0, it={written})"
    assert action.tool_calls == (ToolCall(name="get", arguments={"first": 0, "it": value}),)
    (found,) = parse_calls(action) or []
    kept = found.arguments["it"]
    assert (str(kept) if isinstance(value, str) else kept) == (value if not isinstance(kept, Untyped) else written)


def test_an_argument_may_have_the_name_of_the_tools() -> None:
    assert call("get", name="x") == "get(name=x)"
