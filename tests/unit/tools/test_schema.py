"""JSON schemas in plain form: what references lead to, those that lead back to themselves, and those that fan out."""

from __future__ import annotations

from typing import Any

import pytest

from agentgym.tools.schema import SchemaError, plain

TEXT = {"type": "string"}
NUMBER = {"type": "integer"}
DRAFT_4 = "http://json-schema.org/draft-04/schema#"


def of(value: Any, **more: Any) -> dict[str, Any]:
    """A schema of an object with the argument ``v``."""
    return {"properties": {"v": value}, **more}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "object"}, {"type": "object"}),
        (
            of({"$ref": "#/$defs/A"}, **{"$defs": {"A": TEXT}}),
            of({"$ref": "#/$defs/A"}, **{"$defs": {"A": TEXT}}),
        ),
        (
            of({"$ref": "#/definitions/A"}, definitions={"A": TEXT}),
            of({"$ref": "#/$defs/A"}, **{"$defs": {"A": TEXT}}),
        ),
        (
            of({"$ref": "#/properties/w"}, **{"$defs": {"unused": {"$ref": "#/nowhere"}}}),
            SchemaError,
        ),
        (
            {"properties": {"w": TEXT, "v": {"$ref": "#/properties/w", "description": "x"}}},
            {"properties": {"w": TEXT, "v": {"description": "x", "$ref": "#/$defs/w"}}, "$defs": {"w": TEXT}},
        ),
        (
            of({"$ref": "#/$defs/A"}, **{"$defs": {"A": {"$ref": "#/$defs/B"}, "B": TEXT}}),
            of({"$ref": "#/$defs/A"}, **{"$defs": {"A": {"$ref": "#/$defs/B"}, "B": TEXT}}),
        ),
        (
            of({"$ref": "#here"}, extra={"$anchor": "here", **TEXT}),
            of({"$ref": "#/$defs/here"}, extra={"$anchor": "here", **TEXT}, **{"$defs": {"here": TEXT}}),
        ),
        (
            of({"$ref": "#here"}, definitions={"A": {"$id": "#here", **TEXT}}),
            of({"$ref": "#/$defs/here"}, **{"$defs": {"here": TEXT}}),
        ),
        (
            of({"$ref": "#here"}, **{"$schema": DRAFT_4, "definitions": {"A": {"id": "#here", **TEXT}}}),
            of({"$ref": "#/$defs/here"}, **{"$schema": DRAFT_4, "$defs": {"here": TEXT}}),
        ),
        (
            {"properties": {"id": TEXT, "v": {"$ref": "#/properties/id"}}},
            {"properties": {"id": TEXT, "v": {"$ref": "#/$defs/id"}}, "$defs": {"id": TEXT}},
        ),
        (
            of(
                {"$ref": "http://a/b.json#/$defs/N"},
                **{"$id": "http://a/a.json", "$defs": {"B": {"$id": "b.json", "$defs": {"N": NUMBER}}}},
            ),
            of({"$ref": "#/$defs/N"}, **{"$defs": {"N": NUMBER}}),
        ),
        (
            of({"$ref": "#/$defs/a~1b%20c"}, **{"$defs": {"a/b c": TEXT}}),
            of({"$ref": "#/$defs/a_1b_c"}, **{"$defs": {"a_1b_c": TEXT}}),
        ),
        (
            of({"anyOf": [{"$ref": "#/x/A"}, {"$ref": "#/y/A"}]}, x={"A": TEXT}, y={"A": NUMBER}),
            of(
                {"anyOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/A2"}]},
                x={"A": TEXT},
                y={"A": NUMBER},
                **{"$defs": {"A2": NUMBER, "A": TEXT}},
            ),
        ),
        (of({"$ref": "#/$defs/Any"}, **{"$defs": {"Any": True}}), of({"allOf": [{}]})),
        (of({"$ref": "#/$defs/No"}, **{"$defs": {"No": False}}), of({"allOf": [{"not": {}}]})),
        (of({"$ref": "https://json-schema.org/draft/2020-12/schema"}), of({"allOf": [{}]})),
        (of({"enum": [{"$ref": "#/no/reference"}]}), of({"enum": [{"$ref": "#/no/reference"}]})),
        ({"properties": {"$ref": TEXT, "$id": True}}, {"properties": {"$ref": TEXT, "$id": True}}),
        (
            of({"items": [{"$ref": "#/x"}, True]}, x=TEXT),
            of({"items": [{"$ref": "#/$defs/x"}, True]}, x=TEXT, **{"$defs": {"x": TEXT}}),
        ),
    ],
)
def test_references_read_alike(schema: dict[str, Any], expected: Any) -> None:
    if expected is SchemaError:
        with pytest.raises(SchemaError, match='the reference "#/properties/w" leads nowhere'):
            plain(schema)
    else:
        assert plain(schema) == expected


def test_a_value_that_holds_others_of_its_kind_refers_to_itself() -> None:
    node = {"properties": {"kids": {"items": {"$ref": "#/$defs/Node"}}}}
    tree = of({"$ref": "#/$defs/Node"}, **{"$defs": {"Node": node}})
    assert plain(tree) == tree
    whole = {"properties": {"child": {"$ref": "#"}}}
    assert plain(whole) == {
        "properties": {"child": {"$ref": "#/$defs/root"}},
        "$defs": {"root": {"properties": {"child": {"$ref": "#/$defs/root"}}}},
    }


@pytest.mark.parametrize(
    ("definitions", "expected"),
    [
        ({"A": {"$ref": "#/$defs/A"}}, {}),
        ({"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}}, {}),
        ({"A": {"anyOf": [{"$ref": "#/$defs/A"}, TEXT]}}, {"anyOf": [TEXT]}),
        ({"A": {"allOf": [TEXT, {"$ref": "#/$defs/A"}]}}, {"allOf": [TEXT]}),
        ({"A": {**TEXT, "not": {"$ref": "#/$defs/A"}}}, TEXT),
        ({"A": {**TEXT, "dependentSchemas": {"x": {"$ref": "#/$defs/A"}}}}, TEXT),
        (
            {"A": {"anyOf": [{"$ref": "#/$defs/B"}, TEXT]}, "B": {"oneOf": [{"$ref": "#/$defs/A"}, NUMBER]}},
            {"anyOf": [{"allOf": [{"oneOf": [NUMBER]}]}, TEXT]},
        ),
        (
            {"A": {"anyOf": [{"$ref": "#/$defs/A"}, {"items": {"$ref": "#/$defs/A"}}]}},
            {"anyOf": [{"items": {"$ref": "#/$defs/A"}}]},
        ),
    ],
)
def test_what_only_says_like_itself_says_nothing(definitions: dict[str, Any], expected: dict[str, Any]) -> None:
    made = plain(of({"$ref": "#/$defs/A"}, **{"$defs": definitions}))
    assert made == of({"$ref": "#/$defs/A"}, **{"$defs": {"A": expected}})


def test_what_leads_back_to_a_value_and_to_what_is_in_it_is_named() -> None:
    schema = {"$ref": "#/properties/a", "properties": {"a": {"$ref": "#", "maximum": 5}, "b": {"items": [True]}}}
    a = {"maximum": 5, "allOf": [{"properties": {"a": {"$ref": "#/$defs/a"}, "b": {"items": [True]}}}]}
    assert plain(schema) == {
        "properties": {"a": {"$ref": "#/$defs/a"}, "b": {"items": [True]}},
        "allOf": [{"maximum": 5}],
        "$defs": {"a": a},
    }


def test_references_that_fan_out_are_each_written_once() -> None:
    steps = {f"a{i}": {"allOf": [{"$ref": f"#/$defs/a{i + 1}"}] * 2} for i in range(200)}
    assert plain(of({"$ref": "#/$defs/a0"}, **{"$defs": {**steps, "a200": TEXT}}))["$defs"] == {**steps, "a200": TEXT}


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (of({"$ref": "#/$defs/Nothing"}), 'the reference "#/$defs/Nothing" leads nowhere'),
        (of({"$ref": "#nothing"}), 'the reference "#nothing" leads nowhere'),
        (of({"$ref": "other.json"}), 'the reference "other.json" leads nowhere'),
        (of({"$ref": "http://localhost:9/a.json#/b"}), 'the reference "http://localhost:9/a.json#/b" leads nowhere'),
        (of({"$ref": "#/x/7"}, x=[TEXT]), 'the reference "#/x/7" leads nowhere'),
        (of({"$ref": "#/x"}, x=7), 'the reference "#/x" leads to 7, which is no schema'),
        (
            of(
                {"$ref": "#/$defs/a0"},
                **{"$defs": {f"a{i}": {"anyOf": [{"$ref": f"#/$defs/a{j}"} for j in range(9)]} for i in range(9)}},
            ),
            "it is too large, or its references lead to each other in too many ways",
        ),
    ],
)
def test_what_cannot_be_followed_is_told(schema: dict[str, Any], message: str) -> None:
    with pytest.raises(SchemaError) as error:
        plain(schema)
    assert str(error.value) == message


def test_a_schema_that_is_nested_too_deep_is_told() -> None:
    schema: dict[str, Any] = {}
    for _ in range(2000):
        schema = {"items": schema}
    with pytest.raises(SchemaError, match="it is nested too deep"):
        plain(schema)


def test_a_long_chain_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = {f"a{i}": {"$ref": f"#/$defs/a{i + 1}"} for i in range(20)}
    schema = of({"$ref": "#/$defs/a0"}, **{"$defs": {**chain, "a20": TEXT}})
    assert plain(schema)["$defs"] == {**chain, "a20": TEXT}
    monkeypatch.setattr("agentgym.tools.schema._MAX_STEPS", 100)
    with pytest.raises(SchemaError, match="it is too large, or its references lead to each other in too many ways"):
        plain(schema)
