"""Which arguments a schema names, in whichever of its parts, and of which kinds their values may be."""

from __future__ import annotations

from typing import Any

import pytest

from agentgym.tools.arguments import alternatives, arguments_of

TEXT, NUMBER = {"type": "string"}, {"type": "integer"}


def names(schema: Any, **definitions: Any) -> tuple[list[str], list[str], list[str]]:
    """The arguments, those of every call, and those of a call in the first way."""
    found = arguments_of(schema, definitions)
    return list(found.named), sorted(found.required), sorted(found.first)


CARD = {"properties": {"card": TEXT}, "required": ["card"]}
IBAN = {"properties": {"iban": TEXT}, "required": ["iban"]}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"properties": {"a": TEXT, "b": TEXT}, "required": ["b"]}, (["a", "b"], ["b"], ["b"])),
        ({"anyOf": [CARD, IBAN]}, (["card", "iban"], [], ["card"])),
        (
            {"oneOf": [CARD, IBAN], "properties": {"n": NUMBER}, "required": ["n"]},
            (["n", "card", "iban"], ["n"], ["card", "n"]),
        ),
        ({"allOf": [CARD, IBAN]}, (["card", "iban"], ["card", "iban"], ["card", "iban"])),
        ({"$ref": "#/$defs/Card"}, (["card"], ["card"], ["card"])),
        ({"$ref": "#/$defs/Both"}, (["card", "iban"], ["card", "iban"], ["card", "iban"])),
        (
            {"anyOf": [{"required": ["a"]}, {"required": ["b"]}], "properties": {"a": TEXT, "b": TEXT}},
            (["a", "b"], [], ["a"]),
        ),
        ({"if": CARD, "then": IBAN, "else": {"properties": {"x": TEXT}}}, (["card", "iban", "x"], [], [])),
        ({"dependentSchemas": {"card": IBAN}}, (["iban"], [], [])),
        ({"dependencies": {"card": IBAN, "iban": ["x"]}}, (["iban"], [], [])),
        ({"required": ["a"]}, (["a"], ["a"], ["a"])),
        ({"properties": {"a": True, "b": False, "c": {}}}, (["a", "c"], [], [])),
        ({"anyOf": [True, CARD, False]}, (["card"], [], [])),
        (True, ([], [], [])),
    ],
)
def test_arguments_are_found_in_every_part(schema: Any, expected: Any) -> None:
    definitions = {"Card": CARD, "Both": {"allOf": [{"$ref": "#/$defs/Card"}, IBAN]}}
    assert names(schema, **definitions) == expected


def test_an_argument_of_several_ways_may_be_what_each_of_them_says() -> None:
    walk, jump = ({"properties": {"kind": {"const": kind}}} for kind in ("walk", "jump"))
    found = arguments_of({"oneOf": [walk, jump], "properties": {"kind": {"type": "string", "description": "How."}}}, {})
    assert found.named["kind"] == {
        "description": "How.",
        "allOf": [{"type": "string", "description": "How."}, {"anyOf": [{"const": "walk"}, {"const": "jump"}]}],
    }
    assert [way["enum"] for way in alternatives(found.named["kind"], {})] == [["walk"], ["jump"]]
    same = arguments_of({"anyOf": [CARD, CARD]}, {})
    assert same.named == {"card": TEXT}


@pytest.mark.parametrize(
    ("schema", "names_any", "rest"),
    [
        ({"type": "object"}, False, None),
        ({"properties": {}}, True, None),
        ({"patternProperties": {"^x-": TEXT}}, True, None),
        ({"additionalProperties": False}, True, False),
        ({"properties": {"a": TEXT}, "additionalProperties": NUMBER}, True, NUMBER),
        ({"properties": {"a": TEXT}, "unevaluatedProperties": False}, True, False),
        ({"allOf": [{"properties": {"a": TEXT}, "additionalProperties": True}, CARD]}, True, True),
        ({"anyOf": [{"additionalProperties": False}, {"additionalProperties": NUMBER}]}, True, NUMBER),
        ({"$ref": "#/$defs/Closed"}, True, False),
    ],
)
def test_what_is_said_of_other_names(schema: Any, names_any: bool, rest: Any) -> None:
    found = arguments_of(schema, {"Closed": {"additionalProperties": False}})
    assert (found.names_any, found.rest) == (names_any, rest)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, [{}]),
        (True, [{}]),
        (False, [{}]),
        (TEXT, [TEXT]),
        ({"type": ["integer", "null"]}, [{"type": "integer"}, {"type": "null"}]),
        ({"$ref": "#/$defs/Chain"}, [TEXT]),
        ({"allOf": [{"$ref": "#/$defs/Name"}], "description": "x"}, [{"type": "string", "description": "x"}]),
        ({"$ref": "#/$defs/Name", "default": "a"}, [{"type": "string", "default": "a"}]),
        ({"anyOf": [TEXT, TEXT, {"$ref": "#/$defs/Name"}]}, [TEXT]),
        ({"type": "string", "anyOf": [{"minLength": 1}, {"type": "null"}]}, [{"minLength": 1, "type": "string"}]),
        ({"allOf": [{"enum": ["a", "b"]}, {"enum": ["b", "c"]}]}, [{"enum": ["b"]}]),
        ({"allOf": [{"type": "number"}, NUMBER]}, [NUMBER]),
        ({"allOf": [TEXT, NUMBER]}, [{}]),
        ({"anyOf": [True, TEXT]}, [{}, TEXT]),
        ({"$ref": "#/$defs/Loop"}, [{}]),
    ],
)
def test_the_kinds_of_a_value(schema: Any, expected: Any) -> None:
    definitions = {"Name": TEXT, "Chain": {"$ref": "#/$defs/Name"}, "Loop": {"$ref": "#/$defs/Loop"}}
    assert alternatives(schema, definitions) == expected


@pytest.mark.parametrize("key", ["allOf", "anyOf", "oneOf"])
def test_references_that_fan_out_take_no_time(key: str) -> None:
    steps = {f"a{i}": {key: [{"$ref": f"#/$defs/a{i + 1}"}] * 2} for i in range(100)}
    definitions = {**steps, "a100": {**CARD, **TEXT}}
    assert names({"$ref": "#/$defs/a0"}, **definitions) == (["card"], ["card"], ["card"])
    assert [way["type"] for way in alternatives({"$ref": "#/$defs/a0"}, definitions)] == ["string"]


def test_of_very_many_ways_some_are_told() -> None:
    choices = {"anyOf": [{"const": number} for number in range(1000)]}
    assert len(alternatives(choices, {})) == 64
    assert len(alternatives({"allOf": [choices, {"anyOf": [{"minimum": n} for n in range(1000)]}]}, {})) == 64
