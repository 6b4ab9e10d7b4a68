"""A tool's arguments: their types, defaults, and which are required; what is said of a call that does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pytest

from agentgym.errors import UserError
from agentgym.tools import FunctionTool, Tool, ToolError, tool
from agentgym.tools.calls import Untyped
from agentgym.tools.tool import is_tool, typed


def order(self: Any, item: str, count: int = 1, *, express: bool = False, note: str | None = None) -> Any:
    """Order something.

    Args:
        item: what.
        note: for whoever packs it.
    """
    return (self, item, count, express, note)


ORDER = FunctionTool(order)
USAGE = "order(item: string, count: integer = 1, express: boolean = false, note: string or null = null)"


def test_a_tool_is_called_for_its_owner_with_what_was_given_and_the_functions_own_defaults() -> None:
    assert ORDER.check({"item": "mug"}) == {"item": "mug"}
    assert ORDER.run("me", ORDER.check({"item": "mug"})) == ("me", "mug", 1, False, None)
    given = {"note": "thanks", "count": 3, "item": "mug", "express": True}
    assert ORDER.run("me", ORDER.check(given)) == ("me", "mug", 3, True, "thanks")
    assert ORDER.check({"item": "mug", "note": None}) == {"item": "mug", "note": None}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, 'the argument "item" is missing'),
        ({"count": 2}, 'the argument "item" is missing'),
        ({"item": 7}, 'the argument "item" is 7: Input should be a valid string'),
        ({"item": None}, 'the argument "item" is null: Input should be a valid string'),
        ({"item": "mug", "count": "2"}, 'the argument "count" is "2": Input should be a valid integer'),
        ({"item": "mug", "count": 2.5}, 'the argument "count" is 2.5: Input should be a valid integer'),
        ({"item": "mug", "count": True}, 'the argument "count" is true: Input should be a valid integer'),
        ({"item": "mug", "count": None}, 'the argument "count" is null: Input should be a valid integer'),
        ({"item": "mug", "express": 1}, 'the argument "express" is 1: Input should be a valid boolean'),
        ({"item": "mug", "express": "true"}, 'the argument "express" is "true": Input should be a valid boolean'),
        ({"item": "mug", "note": 5}, 'the argument "note" is 5: Input should be a valid string'),
        ({"item": "mug", "zzz": 5}, 'there is no argument "zzz"'),
        ({"item": "mug", "express": False, "self": 1}, 'there is no argument "self"'),
        (
            {"count": "x", "express": 3, "note": 4, "other": 5},
            'the argument "item" is missing; the argument "count" is "x": Input should be a valid integer; '
            'the argument "express" is 3: Input should be a valid boolean',
        ),
    ],
)
def test_what_does_not_fit_is_told_with_how_it_is_used(arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(ToolError) as error:
        ORDER.check(arguments)
    assert str(error.value) == f"order: {problem}. Usage: {USAGE}"


def test_a_misspelt_argument_is_told_with_the_nearest() -> None:
    with pytest.raises(ToolError) as error:
        ORDER.check({"item": "mug", "cuont": 2})
    assert str(error.value) == f'order: there is no argument "cuont". Did you mean "count"? Usage: {USAGE}'


def test_long_and_broken_values_are_told_in_short() -> None:
    with pytest.raises(ToolError) as error:
        ORDER.check({"item": "mug", "count": "x" * 100})
    assert f'is "{"x" * 39}…: Input' in str(error.value)
    with pytest.raises(ToolError) as error:
        ORDER.check({"item": "mug", "count": "x" * 38})
    assert f'is "{"x" * 38}": Input' in str(error.value)
    with pytest.raises(ToolError) as error:
        ORDER.check({"item": "mug", "y" * 100: 1})
    assert f'there is no argument "{"y" * 60}".' in str(error.value)


def test_values_written_without_a_type_are_given_that_of_the_schema() -> None:
    given = {"item": Untyped("12"), "count": Untyped("12"), "express": Untyped("true"), "note": Untyped("null")}
    assert ORDER.check(given) == {"item": "12", "count": 12, "express": True, "note": None}
    assert ORDER.check({"item": "null", "note": "null"}) == {"item": "null", "note": "null"}
    with pytest.raises(ToolError, match='the argument "item" is null: Input should be a valid string'):
        ORDER.check({"item": Untyped("null")})
    with pytest.raises(ToolError, match='the argument "count" is "1 2": Input should be a valid integer'):
        ORDER.check({"item": "mug", "count": Untyped("1 2")})
    with pytest.raises(ToolError, match='there is no argument "other"'):
        ORDER.check({"item": "mug", "other": Untyped("1")})


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("null", {"type": "integer"}, None),
        ("null", {"type": "string"}, None),
        ("null", {"anyOf": [{"type": "string"}, {"enum": ["null"]}]}, "null"),
        ("null", {"type": ["string", "null"]}, None),
        ("null", {"anyOf": [{"type": "string"}, {"type": "null"}]}, None),
        ("null", {"enum": ["null", None]}, None),
        ("null", {"anyOf": [{"type": "string"}, {"const": None}]}, None),
        ("null", {"enum": ["null"]}, "null"),
        ("nul", {"type": ["string", "null"]}, "nul"),
        ("[1]", {"type": "array"}, [1]),
        ("NaN", {"type": "number"}, "NaN"),
        ("[" * 100_000, {"type": "array"}, "[" * 100_000),
        ("red", {"anyOf": [{"type": "integer"}, {"enum": ["red"]}]}, "red"),
        ("1", {"oneOf": [{"type": "integer"}, {"type": "boolean"}]}, 1),
        ("1", {"anyOf": [{"type": "integer"}, {"$ref": "#/$defs/Name"}]}, "1"),
        ("1", {"$ref": "#/$defs/Nothing"}, 1),
        ("1", {"const": "1"}, "1"),
        ("1", {"type": ["integer", "string"]}, "1"),
        ("1", {"type": "string", "enum": ["one"]}, 1),
    ],
)
def test_the_type_of_text(text: str, schema: dict[str, Any], value: Any) -> None:
    found = typed(Untyped(text), schema, {"Name": {"type": "string"}})
    assert (found, type(found)) == (value, type(value))


def test_a_schema_says_what_is_required_what_is_usual_and_what_it_is_for() -> None:
    assert ORDER.parameters == {
        "type": "object",
        "properties": {
            "item": {"type": "string", "description": "what."},
            "count": {"type": "integer", "default": 1},
            "express": {"type": "boolean", "default": False},
            "note": {
                "anyOf": [{"type": "string"}, {"type": "null"}],
                "default": None,
                "description": "for whoever packs it.",
            },
        },
        "required": ["item"],
        "additionalProperties": False,
    }
    assert ORDER.schema == {
        "type": "function",
        "function": {"name": "order", "description": "Order something.", "parameters": ORDER.parameters},
    }
    assert (ORDER.usage, ORDER.template) == (USAGE, "order(item=<item>)")


def test_required_arguments_are_in_the_order_of_the_signature() -> None:
    def move(self: Any, to: str, by: str, of: Literal["a", 2] = 2) -> None:
        """Move."""

    moved = FunctionTool(move)
    assert moved.required == ["to", "by"]
    assert moved.template == "move(to=<to>, by=<by>)"
    assert moved.usage == 'move(to: string, by: string, of: "a" or 2 = 2)'
    moved.parameters["required"] = ["by", "to"]
    assert moved.required == ["to", "by"]


def test_a_tool_without_arguments_takes_none() -> None:
    def leave(self: Any) -> str:
        """Leave."""
        return "bye"

    left = FunctionTool(leave)
    assert left.parameters == {"type": "object", "properties": {}, "additionalProperties": False}
    assert (left.usage, left.template, left.run(None, left.check({}))) == ("leave()", "leave()", "bye")
    with pytest.raises(ToolError, match=r'^leave: there is no argument "x"\. Usage: leave\(\)$'):
        left.check({"x": 1})


def test_what_cannot_be_called_by_name_is_no_tool() -> None:
    def named(self: Any, **rest: int) -> None:
        """Take any."""

    def positional(self: Any, a: int, /) -> None:
        """Take one by its place."""

    for function in (named, positional):
        with pytest.raises(UserError, match=r"cannot be called by name; a tool takes named arguments only$"):
            FunctionTool(function)


def test_what_says_nothing_of_itself_is_no_tool() -> None:
    def silent(self: Any, a: int) -> None: ...

    with pytest.raises(UserError, match=r"^tool silent: it has no docstring, which is what a policy learns of it$"):
        FunctionTool(silent)


def test_marks() -> None:
    @tool
    def marked(self: Any) -> None:
        """Do nothing."""

    assert is_tool(marked)
    assert not is_tool(order)
    order_like = type("Odd", (), {"__agentgym_tool__": 1})()
    assert not is_tool(order_like)


class Foreign(Tool):
    """A tool of another source."""

    def check(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return self.read(arguments)

    def run(self, owner: Any, arguments: Mapping[str, Any]) -> Any:
        return arguments


def test_a_tool_of_another_source_has_a_schema_of_its_own() -> None:
    schema = {
        "properties": {"a": {"type": "integer"}, "b": {"$ref": "#/$defs/B"}, "c": {}},
        "required": ["b"],
        "$defs": {"B": {"enum": ["x", "y"]}},
    }
    made = Foreign("get", "Get.", schema)
    assert made.usage == 'get(a?: integer, b: "x" or "y", c?: any)'
    assert made.template == "get(b=<b>)"
    assert made.check({"a": Untyped("1"), "b": Untyped("x"), "c": Untyped("[]"), "d": "1"}) == {
        "a": 1,
        "b": "x",
        "c": [],
        "d": "1",
    }
    assert str(made.refusal("too much.")) == f"get: too much. Usage: {made.usage}"
    assert str(made.refusal("what?")) == f"get: what? Usage: {made.usage}"
    schema["required"] = []
    assert made.required == ["b"]
    odd = Foreign("odd", "Odd.", {"properties": {"$a": {}, "b c": {}}, "required": ["$a", "b c"]})
    assert (odd.usage, odd.template) == ('odd($a: any, "b c": any)', 'odd($a=<$a>, "b c"=<b c>)')
    pay = Foreign("pay", "Pay.", {"anyOf": [{"properties": {name: {}}, "required": [name]} for name in ("a", "b")]})
    assert pay.usage == "pay(a: any) or pay(b: any)"
    bare = Foreign("bare", "Bare.", {})
    assert (bare.usage, bare.required, bare.properties) == ("bare()", [], {})
