"""Tools whose schemas are written in other ways than as one list of properties: what is shown, read and needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from agentgym.errors import UserError
from agentgym.tools import Tool
from agentgym.tools.calls import Untyped
from agentgym.tools.patterns import Patterns


class Foreign(Tool):
    """A tool of another source."""

    def check(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return self.read(arguments)

    def run(self, owner: Any, arguments: Mapping[str, Any]) -> Any:
        return arguments


def made(**schema: Any) -> Foreign:
    return Foreign("go", "Go.", {"type": "object", **schema})


def test_what_is_shown_is_the_schema_as_it_is_written() -> None:
    written = {"properties": {"a": {"$ref": "#/definitions/A"}}, "definitions": {"A": {"type": "string"}}}
    assert made(**written).schema["function"]["parameters"] == {"type": "object", **written}


@pytest.mark.parametrize(
    ("schema", "template", "required"),
    [
        (
            {"anyOf": [{"properties": {"card": {}}, "required": ["card"]}, {"properties": {"iban": {}}}]},
            "go(card=<card>)",
            [],
        ),
        (
            {"$ref": "#/$defs/In", "$defs": {"In": {"properties": {"x": {}, "y": {}}, "required": ["y"]}}},
            "go(y=<y>)",
            ["y"],
        ),
        ({"allOf": [{"required": ["b"]}, {"properties": {"a": {}, "b": {}}}]}, "go(b=<b>)", ["b"]),
    ],
)
def test_a_call_with_blanks_is_one_that_can_be_made(schema: dict[str, Any], template: str, required: list[str]) -> None:
    tool = made(**schema)
    assert (tool.template, tool.required) == (template, required)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"properties": {"a": {"$ref": "#/definitions/A"}}, "definitions": {"A": {"type": "string"}}}, "12"),
        ({"properties": {"a": {"$ref": "#/definitions/A"}}, "definitions": {"A": {"type": "integer"}}}, 12),
        ({"properties": {"a": {"$ref": "#/properties/b"}, "b": {"enum": ["12"]}}}, "12"),
        ({"anyOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"b": {}}}]}, "12"),
        ({"patternProperties": {"^a": {"type": "string"}}}, "12"),
        ({"patternProperties": {"^b": {"type": "string"}}}, 12),
        ({"properties": {"a": {}}, "patternProperties": {"^a": {"type": "string"}}}, "12"),
        ({"additionalProperties": {"type": "string"}}, "12"),
        ({"properties": {"b": {}}, "additionalProperties": {"$ref": "#/x"}, "x": {"type": "string"}}, "12"),
        ({"properties": {"a": True}}, 12),
        ({}, 12),
    ],
)
def test_untyped_values_get_the_type_that_any_part_of_the_schema_tells(schema: dict[str, Any], value: Any) -> None:
    read = made(**schema).read({"a": Untyped("12")})
    assert (read, type(read["a"])) == ({"a": value}, type(value))


@pytest.mark.parametrize(
    ("schema", "known"),
    [
        ({"properties": {"a": {}}}, {"a": {}, "x-b": None}),
        ({"properties": {"a": False}}, {"a": None}),
        ({"patternProperties": {"^x-": {"type": "string"}}}, {"a": None, "x-b": {"type": "string"}}),
        ({"properties": {"a": {}}, "patternProperties": {"(": {}}}, {"a": {}, "x-b": {}}),
        ({"properties": {"a": {}}, "additionalProperties": True}, {"a": {}, "x-b": True}),
        ({}, {"a": {}}),
    ],
)
def test_which_names_an_argument_may_have(schema: dict[str, Any], known: dict[str, Any]) -> None:
    tool, patterns = made(**schema), Patterns()
    assert {name: tool.schema_of(name, patterns) for name in known} == known


def test_a_reference_that_leads_nowhere_is_an_error_of_whoever_wrote_it() -> None:
    with pytest.raises(
        UserError, match=r'^the tool go has no valid JSON schema: the reference "#/\$defs/A" leads nowhere$'
    ):
        made(properties={"a": {"$ref": "#/$defs/A"}})
