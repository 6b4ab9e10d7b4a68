"""Calls read from text: what is one, what is almost one, and what is words."""

from __future__ import annotations

from typing import Any

import pytest

from agentgym.tools import ToolError, call, parse_calls
from agentgym.tools.calls import QUOTING, UnreadableError, Untyped, named_in_json
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
        ("get(a='1')", {"a": "1"}),
        ("get(a='1, (2)', b='')", {"a": "1, (2)", "b": ""}),
        (r"get(a='it\'s \"so\" \\ \n\u00e9 \d')", {"a": 'it\'s "so" \\ \né \\d'}),
        ("get(a='tis so)", {"a": "'tis so"}),
        ("get(a=it's, b=2)", {"a": "it's", "b": "2"}),
        ('get(a="1\n2\t3")', {"a": "1\n2\t3"}),
        ('get($a=1, b.c=2, d[e]=3, 4f=5, "g h"=6)', {"$a": "1", "b.c": "2", "d[e]": "3", "4f": "5", "g h": "6"}),
    ],
)
def test_the_short_form(text: str, arguments: dict[str, Any]) -> None:
    assert parse_calls(text) == [ToolCall(name="get", arguments=arguments)]


def test_values_that_are_written_bare_have_no_type_and_others_have_theirs() -> None:
    (found,) = parse_calls("get(a=1, b=\"1\", c=[1], d='1')") or []
    assert [type(value) for value in found.arguments.values()] == [Untyped, str, list, str]


@pytest.mark.parametrize("name", ["a", "_a", "a.b", "a-b", "A1", "user/get", "docs:read", "2fa", "größe"])
def test_names_of_tools(name: str) -> None:
    (found,) = parse_calls(f"{name}()") or []
    assert found.name == name


TOOLS = ("get", "add_all", "user/get", "2fa", "Get Weather", "get.more", "get(all)")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("user/get(a=1)", "user/get"),
        (" 2fa (a=1) ", "2fa"),
        ("Get Weather(a=1)", "Get Weather"),
        ("get.more(a=1)", "get.more"),
        ("get(all)(a=1)", "get(all)"),
        ("get (a=1)", "get"),
        ("other(a=1)", "other"),
        ("Get(a=1)", "Get"),
    ],
)
def test_a_tool_is_called_by_its_name_whatever_it_looks_like(text: str, name: str) -> None:
    assert parse_calls(text, TOOLS) == [ToolCall(name=name, arguments={"a": "1"})]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "get)",
        "(a=1)",
        "get it()",
        "Please do.",
        "Sure(as I said)",
        "Get it (the first) now.",
        "get (the first) now.",
        "getting there",
        "get: it is 5",
        "P(X=1) = 0.5",
        "f(x) = 2",
        "f(2)",
        "It costs 5 (or 6).",
        "I did get it.",
        "forget()s",
        "get - the first",
        'Paris ("the city")',
        "So get(1) it is.",
        "sin(x, y)",
        "user/name (the first)",
        "x < y > z",
    ],
)
def test_words(text: str) -> None:
    assert parse_calls(text, TOOLS) is None
    assert parse_calls(text) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("get(a=1, b)", '"b)" stands where argument=value or the end of the call was expected'),
        ("get(a=1,,b=2)", '",b=2)" stands where argument=value or the end of the call was expected'),
        ("get(a=(1))", 'after the value of "a" comes "(1))", where a comma or the end of the call was expected'),
        ("get(a=1 (2), b=3)", 'after the value of "a" comes "(2), b=3)", where'),
        ("get(a=1", 'after the value of "a" comes the end of the text, where'),
        ("get(a=1, a=1)", 'the argument "a" is there twice'),
        ('get(a="1)', 'the value of "a" is not valid JSON (Unterminated string'),
        ('get(a="1" 2)', 'after the value of "a" comes "2)", where'),
        ("get(a=[1)", 'the value of "a" is not valid JSON (Expecting'),
        ('get(a={"b": NaN})', 'the value of "a" is not valid JSON (Out of range'),
        ('get(a="\\ud800")', 'the value of "a" is not valid JSON ('),
        ("get(a=" + "[" * 100_000 + ")", 'the value of "a" is not valid JSON (it is nested too deep)'),
        ("get(a='it's')", 'the value of "a" has quotes within quotes'),
        ("get(a='1, 2)", '"2)" stands where'),
        ('get("\\x"=1)', "a name is not valid JSON ("),
        ("get(a=1); get(a=2)", 'after it comes "; get(a=2)"; write one call and nothing else, or several as a list: ['),
    ],
)
def test_what_sets_out_to_be_a_call_and_cannot_be_read_is_a_mistake(text: str, problem: str) -> None:
    with pytest.raises(UnreadableError) as error:
        parse_calls(text, TOOLS)
    told = str(error.value)
    assert told.startswith(f"This call cannot be read: {problem}")
    assert told.endswith(f". {QUOTING}")
    assert error.value.tool == "get"
    assert len(told) < 400


@pytest.mark.parametrize(
    ("text", "tool"),
    [
        ("get(hello)", "get"),
        ("get(", "get"),
        ("get('hello')", "get"),
        ('get({"a": 1})', "get"),
        ("get(a: 1)", "get"),
        ("get(a=1) now", "get"),
        ("get()\nget()", "get"),
        ("get", "get"),
        ("2fa", "2fa"),
        ("get[1]", "get"),
        ('get {"a": 1}', "get"),
        ("get a=1", "get"),
        ("get: a = 1", "get"),
        ("add_all (1)", "add_all"),
        ("user/get(1)", "user/get"),
        ("Action: get(a=1)", "get"),
        ("`get(a=1)`", "get"),
        ("I did get(a=1), it is 5.", "get"),
        ("So: user/get()", "user/get"),
        ("<get a='1'/>", "get"),
        ("see <user/get>1</user/get>", "user/get"),
        ("Get(a=1, b)", "Get"),
        ("ad_all(1)", "ad_all"),
        ("unknown(a=1, b)", "unknown"),
        ("unknown(a=1", "unknown"),
        ("unknown(", "unknown"),
        ("gett(1, 2)", "gett"),
        ('unknown("a", 1)', "unknown"),
        ("un_known(a, b)", "un_known"),
        ("un/known(1)", "un/known"),
        ("**get**", "get"),
        ("`2fa`", "2fa"),
        ("get --a 1", "get"),
        ("get -a 1", "get"),
        ("get -> 1", "get"),
        ("get => 1", "get"),
        ("get\uff08a=1\uff09", "get"),
        ('I will get("a", 1).', "get"),
        ("I will get([1]).", "get"),
        ("So add_all(1, 2) it is.", "add_all"),
        ("So add_all\uff081\uff09", "add_all"),
    ],
)
def test_other_ways_to_call_a_tool_are_mistakes_too(text: str, tool: str) -> None:
    with pytest.raises(UnreadableError, match=r"^This call cannot be read: ") as error:
        parse_calls(text, TOOLS)
    assert error.value.tool == tool


@pytest.mark.parametrize(
    "text", ["get", "get(", "get(1)", "add_all(1)", "get(a=1) now", "get(a=1); get(a=2)", "Please get(a=1)"]
)
def test_where_no_tool_is_known_less_is_a_call(text: str) -> None:
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
        ("[42]", r"found 42\.$"),
        ('{"name": "f", "arguments": "{}"}', r'; found the arguments "\{\}"\.$'),
        (
            '{"name": "f", "arguments": {"a": 1, "a": 2}}',
            r'^This is not valid JSON: the name "a" is there twice\. Write \{"name": "\.\.\.", ',
        ),
        ('[[{"name": "get"}]]', r"^A call is an object"),
        ('{"arguments": {}}', r"^A call is an object"),
        ('{"name": true}', r"^A call is an object"),
        ('{"name": "get", "arguments": null}', r"^A call is an object"),
    ],
)
def test_json_that_is_no_call_is_a_mistake(text: str, words: str) -> None:
    with pytest.raises(ToolError, match=words):
        parse_calls(text)


@pytest.mark.parametrize("key", ["name", "tool", "tool_name", "function", "action"])
def test_an_object_among_words_names_a_tool(key: str) -> None:
    assert named_in_json(f'```json\n{{"title": "go", "{key}" : "get", "a": 1}}\n```', TOOLS) == "get"
    assert named_in_json(f'It is {{"{key}": "ada"}}, {{"x": "get"}} and {key}: get.', TOOLS) is None


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
        ("'x'", "\"'x'\""),
        ("'tis", '"\'tis"'),
        ("it's", "it's"),
        ("x[1]", "x[1]"),
        ("é", "é"),
        ([1, "é"], '[1, "é"]'),
        ({"a": None}, '{"a": null}'),
        (True, "true"),
        ("true", "true"),
        ("null", '"null"'),
        ("nullable", "nullable"),
        (None, "null"),
    ],
)
def test_how_an_expert_writes_a_value(value: Any, written: str) -> None:
    action = call("get", first=0, it=value)
    assert action == f"get(first=0, it={written})"
    assert action.tool_calls == (ToolCall(name="get", arguments={"first": 0, "it": value}),)
    (found,) = parse_calls(action) or []
    kept = found.arguments["it"]
    assert (str(kept) if isinstance(value, str) else kept) == (value if not isinstance(kept, Untyped) else written)


def test_an_argument_may_have_the_name_of_the_tools_and_any_other() -> None:
    assert call("get", name="x") == "get(name=x)"
    action = call("get", **{"$a": 1, "b c": "x", "d=": "y"})
    assert action == 'get($a=1, "b c"=x, "d="=y)'
    assert parse_calls(action) == [ToolCall(name="get", arguments={"$a": "1", "b c": "x", "d=": "y"})]
