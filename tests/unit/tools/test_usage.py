"""A tool's arguments in words: types, fields, items, what they are for, and schemas that refer to each other."""

from __future__ import annotations

from typing import Any

import pytest

from agentgym.tools.usage import Words

S, I = {"type": "string"}, {"type": "integer"}  # noqa: E741


def fields(**properties: Any) -> dict[str, Any]:
    """An object with these, all of which are required."""
    return {"type": "object", "properties": properties, "required": list(properties)}


BOTH = "{a: string, c: string} or {b: string, c: string}"
THEN = "{k: string, x?: string, y?: string}"


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (S, "string"),
        ({}, "any"),
        (True, "any"),
        ({"type": ["integer", "null"]}, "integer or null"),
        ({"enum": [5, "x", None]}, '5 or "x" or null'),
        ({"const": "walk"}, '"walk"'),
        ({"anyOf": [S, {"type": "null"}, S]}, "string or null"),
        ({"oneOf": [fields(a=S), I]}, "{a: string} or integer"),
        ({"type": "array"}, "array"),
        ({"type": "array", "items": S}, "array of string"),
        ({"items": {"type": "array", "items": I}}, "array of array of integer"),
        ({"type": "array", "items": {"type": ["string", "null"]}}, "array of (string or null)"),
        ({"type": "array", "prefixItems": [S, I]}, "[string, integer]"),
        ({"type": "object"}, "object"),
        ({"type": "object", "additionalProperties": S}, "object of string"),
        (fields(name=S, tags={"type": "array", "items": S}), "{name: string, tags: array of string}"),
        ({"properties": {"a": I, "b": {"type": "integer", "default": 0}}}, "{a?: integer, b: integer = 0}"),
        ({**fields(a=I), "additionalProperties": True}, "{a: integer, ...: any}"),
        ({**fields(a=I), "additionalProperties": False}, "{a: integer}"),
        (fields(a=fields(b=fields(c=I))), "{a: {b: {c: integer}}}"),
        ({"allOf": [S]}, "string"),
        ({"allOf": [fields(a=I), fields(b=I)], "properties": {"c": I}}, "{a: integer, b: integer, c?: integer}"),
        ({"$ref": "#/$defs/Name"}, "string"),
        ({"$ref": "#/$defs/Other"}, "string"),
        ({"$ref": "#/definitions/Old~1name"}, "integer"),
        ({"$ref": "#/$defs/Nothing"}, "any"),
        ({"$ref": "#/$defs/Node"}, "{v: integer, kids: array of Node}"),
        ({"$ref": "#/$defs/Loop"}, "Loop or string"),
        ({"$ref": "#/$defs/Self"}, "any"),
        ({"$ref": "#/$defs/All"}, "string"),
        (False, "any"),
        ({"anyOf": [False, S, {"not": {}}]}, "string"),
        ({"properties": {"a": S, "b": False, "c": {"not": {}}}}, "{a?: string}"),
        ({"properties": {"a": S}, "required": ["b"]}, "{a?: string, b: any}"),
        ({"patternProperties": {"^x-": S}}, "{/^x-/: string}"),
        ({"type": "array", "items": [S, I]}, "[string, integer]"),
        ({"$ref": "#/$defs/Node", "properties": {"w": S}}, "{v: integer, kids: array of Node, w?: string}"),
        (
            {"properties": {"kind": S}, "oneOf": [fields(x=S), fields(y=I)]},
            "{kind?: string, x: string} or {kind?: string, y: integer}",
        ),
        ({"allOf": [{"anyOf": [fields(a=S), fields(b=S)]}, {"oneOf": [fields(c=S)]}]}, BOTH),
        ({"if": fields(k=S), "then": fields(x=S), "else": {"then": {"oneOf": [fields(y=S)]}}, **fields(k=S)}, THEN),
        ({"dependentSchemas": {"k": fields(x=S)}, "dependencies": {"k": fields(y=S)}, **fields(k=S)}, THEN),
        ({"enum": list(range(101))}, f"{' or '.join(map(str, range(100)))} or ..."),
    ],
)
def test_what_a_value_may_be(schema: Any, told: str) -> None:
    root = {
        "$defs": {
            "Name": S,
            "Other": {"$ref": "#/$defs/Name"},
            "Node": fields(v=I, kids={"type": "array", "items": {"$ref": "#/$defs/Node"}}),
            "Loop": {"anyOf": [{"$ref": "#/$defs/Loop"}, S]},
            "Self": {"$ref": "#/$defs/Self"},
            "All": {"allOf": [{"$ref": "#/$defs/All"}, S]},
        },
        "definitions": {"Old/name": I},
    }
    assert Words(root).kind(schema) == told


@pytest.mark.parametrize(
    ("root", "told"),
    [
        ({}, [""]),
        ({"type": "object"}, [""]),
        (fields(a=I, b=S), ["a: integer, b: string"]),
        ({"properties": {"a b": I}}, ['"a b"?: integer']),
        ({"anyOf": [fields(card=S), fields(iban=S)]}, ["card: string", "iban: string"]),
        (
            {**fields(a=S), "oneOf": [fields(b=S), {"$ref": "#/$defs/C"}], "$defs": {"C": fields(c=S)}},
            ["a: string, b: string", "a: string, c: string"],
        ),
        (
            {"properties": {"a": S, "b": S}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
            ["a: string, b?: string", "a?: string, b: string"],
        ),
        ({**fields(a=S), "anyOf": [{"required": ["a"]}, {}]}, ["a: string"]),
        ({"anyOf": [fields(**{f"a{i}": S}) for i in range(9)]}, [*(f"a{i}: string" for i in range(8)), "..."]),
        ({"allOf": [fields(a=I), fields(b=I)]}, ["a: integer, b: integer"]),
        ({"$ref": "#/$defs/In", "$defs": {"In": fields(x=I)}}, ["x: integer"]),
        ({"patternProperties": {"^x-": S}, "additionalProperties": I}, ["/^x-/: string, ...: integer"]),
        ({"additionalProperties": True}, ["...: any"]),
    ],
)
def test_what_stands_between_the_parentheses_of_a_call(root: dict[str, Any], told: list[str]) -> None:
    assert Words(root).ways() == told


def test_what_fields_are_for_is_told_with_where_they_are() -> None:
    one = fields(name={**S, "description": "The\n name."}, more={**fields(x={**I, "description": "Far in."})})
    root = fields(
        items={"type": "array", "items": one, "description": "Things."},
        either={"anyOf": [S, {**fields(y={**I, "description": "Or this."})}]},
        node={"$ref": "#/$defs/Node"},
        plain=S,
    )
    root["$defs"] = {
        "Node": {"properties": {"next": {"$ref": "#/$defs/Node"}, "v": {**I, "description": "Its value."}}},
    }
    assert Words(root).purposes() == [
        "items: Things.",
        "items[].name: The name.",
        "items[].more.x: Far in.",
        "either.y: Or this.",
        "node.v: Its value.",
    ]


def test_a_schema_that_unfolds_without_end_is_cut_short() -> None:
    each = {
        f"d{i}": fields(**{key: {"$ref": f"#/$defs/d{i + 1}", "description": key} for key in "abcdefghij"})
        for i in range(9)
    }
    wide = {**fields(x={"$ref": "#/$defs/d0"}), "$defs": each}
    assert len(Words(wide).ways()[0]) < 10_000
    assert len(Words(wide).purposes()) < 500
    twice = {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(60)}
    assert Words({**fields(x={"$ref": "#/$defs/d0"}), "$defs": {**twice, "d60": S}}).ways() == ["x: string"]
    ways = {f"d{i}": {"oneOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(60)}
    assert Words({**fields(x={"$ref": "#/$defs/d0"}), "$defs": {**ways, "d60": S}}).ways() == ["x: string"]
    deep: dict[str, Any] = S
    for _ in range(2_000):
        deep = {"type": "array", "items": deep}
    assert Words(fields(x=deep)).ways() == [f"x: {'array of ' * 20}..."]
    assert Words(fields(x=deep)).purposes() == []


def test_what_the_ways_to_call_a_tool_are_for_is_told_once() -> None:
    a, b = ({**S, "description": name} for name in ("This.", "That."))
    assert Words({**fields(a=a), "anyOf": [fields(b=b), fields(c=b)]}).purposes() == [
        "a: This.",
        "b: That.",
        "c: That.",
    ]
