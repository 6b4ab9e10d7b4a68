"""Arguments against the schemas of a server: what fits, what is said of what does not, and how long it may take."""

from __future__ import annotations

import time
from typing import Any

import pytest

pytest.importorskip("mcp", reason="needs the extra mcp")

from agentgym.environments.mcp import checker
from agentgym.environments.mcp.checker import Checker
from agentgym.tools.patterns import Patterns
from agentgym.tools.schema import SchemaError, plain

TEXT, NUMBER = {"type": "string"}, {"type": "integer"}


def problem(schema: dict[str, Any], value: Any) -> str | None:
    """What is wrong with ``value``, and where."""
    error = Checker(schema, plain(schema)).problem(value)
    return None if error is None else f"{'.'.join(map(str, error.absolute_path))}: {Checker.words(error)}"


TREE = {
    "properties": {"node": {"$ref": "#/$defs/Node"}},
    "$defs": {"Node": {"properties": {"v": NUMBER, "kids": {"items": {"$ref": "#/$defs/Node"}}}, "required": ["v"]}},
}


WHO = {"properties": {"a": {"$ref": "#/definitions/A"}}, "definitions": {"A": TEXT}}
LOOP = {"properties": {"a": {"anyOf": [{"$ref": "#/properties/a"}, TEXT]}}}
X_ONLY = {"patternProperties": {"^x-": TEXT}, "additionalProperties": False}
REST = {"properties": {"o": {"properties": {"a": {}}, "additionalProperties": NUMBER}}}
SEVEN = {"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": {"items": [TEXT]}}}
FOUR = {"properties": {"a": {"maximum": 5, "exclusiveMaximum": True}}}


@pytest.mark.parametrize(
    ("schema", "value", "told"),
    [
        (TREE, {"node": {"v": 1, "kids": [{"v": 2}, {"v": 3, "kids": []}]}}, None),
        (TREE, {"node": {"v": 1, "kids": [{"v": 2}, {"v": "x"}]}}, "node.kids.1.v: 'x' is not of type 'integer'"),
        (TREE, {"node": {"v": 1, "kids": [{}]}}, "node.kids.0: 'v' is a required property"),
        (WHO, {"a": 1}, "a: 1 is not of type 'string'"),
        ({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"a": 1}, None),
        ({"if": {"required": ["a"]}, "then": {"required": ["b"]}}, {"a": 1}, ": 'b' is a required property"),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, ": 'b' is a dependency of 'a'"),
        ({"properties": {"a": {"pattern": "^x"}}}, {"a": "x1"}, None),
        ({"properties": {"a": {"pattern": "^x"}}}, {"a": "y"}, "a: 'y' does not match '^x'"),
        ({"properties": {"a": {"pattern": "^x"}}}, {"a": 7}, None),
        ({"properties": {"a": {"pattern": "("}}}, {"a": "y"}, None),
        ({"patternProperties": {"^x-": TEXT}}, {"x-a": 1}, "x-a: 1 is not of type 'string'"),
        (X_ONLY, {"x-a": "1", "b": 1}, ': there is no "b" here'),
        (REST, {"o": {"a": "x", "b": "x"}}, "o.b: 'x' is not of type 'integer'"),
        ({"propertyNames": {"pattern": "^[a-z]+$"}}, {"A": 1}, ": 'A' does not match '^[a-z]+$'"),
        ({"properties": {"a": {"items": False}}}, {"a": []}, None),
        ({"properties": {"a": {"allOf": [True, {"anyOf": [False, True]}]}}}, {"a": 1}, None),
        ({"properties": {"a": {"anyOf": [False, TEXT]}}}, {"a": 1}, "a: 1 is not of type 'string'"),
        ({"properties": {"a": {"anyOf": [False]}}}, {"a": 1}, "a: 1 is not valid under any of the given schemas"),
        (LOOP, {"a": "x"}, None),
        (LOOP, {"a": 1}, "a: 1 is not of type 'string'"),
        ({"properties": {"a": {"items": [TEXT, NUMBER]}}}, {"a": ["x", 1]}, None),
        (SEVEN, {"a": [1]}, "a.0: 1 is not of type 'string'"),
        (FOUR, {"a": 5}, "a: 5 is greater than or equal to the maximum of 5"),
        ({"properties": {"a": {"multipleOf": 0.5}}}, {"a": 10**400}, ": a number is too large"),
    ],
)
def test_what_fits_and_what_is_told_of_what_does_not(schema: dict[str, Any], value: Any, told: str | None) -> None:
    assert problem(schema, value) == told


def test_a_checker_may_be_asked_again() -> None:
    tree = Checker(TREE, plain(TREE))
    for _ in range(2):
        assert tree.problem({"node": {"v": 1}}) is None
        assert tree.problem({"node": {"v": "x"}}).message == "'x' is not of type 'integer'"


@pytest.mark.parametrize("key", ["allOf", "anyOf", "oneOf"])
def test_references_that_fan_out_are_each_tried_once_a_value(key: str) -> None:
    steps = {f"a{i}": {key: [{"$ref": f"#/$defs/a{i + 1}"}] * 2} for i in range(60)}
    schema = {"properties": {"v": {"$ref": "#/$defs/a0"}}, "$defs": {**steps, "a60": TEXT}}
    began = time.perf_counter()
    assert problem(schema, {"v": 1}) is not None
    assert (problem(schema, {"v": "x"}) is None) == (key != "oneOf")  # both of two that are the same: not one
    nested = {"properties": {"v": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"items": {key: [{"$ref": "#/$defs/A"}] * 2}}}}
    value: list[Any] = []
    for _ in range(30):
        value = [value]
    assert (problem(nested, {"v": value}) is None) == (key != "oneOf")
    assert time.perf_counter() - began < 10


def test_a_regular_expression_cannot_hold_a_call_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker, "Patterns", lambda: Patterns(0.02))
    schema = {"additionalProperties": {"pattern": "^(a|a)*$"}}
    began = time.perf_counter()
    assert problem(schema, {f"v{i}": "a" * 60 + "!" for i in range(500)}) is None
    assert time.perf_counter() - began < 8


def test_what_is_nested_too_deep_is_told() -> None:
    value: dict[str, Any] = {"v": 1}
    for _ in range(900):
        value = {"v": 1, "kids": [value]}
    assert problem(TREE, {"node": value}) == ": the arguments are nested too deep"


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"properties": {"a": {"type": "nummer"}}}, "'nummer' is not valid under any of the given schemas"),
        ({"properties": {"a": 7}}, "7 is not of type 'object', 'boolean'"),
        ({"required": "a"}, "'a' is not of type 'array'"),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "required": "a"}, "'a' is not of type 'array'"),
    ],
)
def test_a_schema_that_is_none_is_refused(schema: dict[str, Any], message: str) -> None:
    with pytest.raises(SchemaError) as error:
        Checker(schema, schema)
    assert str(error.value) == message
