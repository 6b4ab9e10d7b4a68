"""What a plain JSON schema says of the arguments of a tool: their names, which of them must be given, their kinds.

A schema may name arguments in any of its parts: at the top, where a reference leads, and in each of several ways to
call the tool. References are looked up in ``definitions``, and each of them once: a schema whose references fan out
takes no longer than its text.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["Arguments", "alternatives", "arguments_of"]

_MAX_WAYS = 64
_CHOICES = ("anyOf", "oneOf")
_NOTES = ("title", "description", "default")


@dataclasses.dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments that a schema names."""

    named: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Name → schema."""
    required: frozenset[str] = frozenset()
    """Names that every call has."""
    first: frozenset[str] = frozenset()
    """Names that a call has which is made in the first of several ways."""
    patterns: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Regular expression for other names → schema."""
    rest: Any = None
    """The schema of arguments of any other name; None where none is given, and False where there may be none."""
    names_any: bool = False
    """Whether it says anything about names: what does not takes any."""


def arguments_of(schema: Any, definitions: Mapping[str, Any]) -> Arguments:
    """The arguments that a plain schema of an object names, in whichever of its parts.

    >>> arguments_of({"anyOf": [{"properties": {"a": {}}, "required": ["a"]}, {"properties": {"b": {}}}]}, {}).named
    {'a': {}, 'b': {}}
    """
    found = _Reader(definitions).arguments(schema)
    unnamed: dict[str, Any] = {name: {} for name in sorted(found.required | found.first) if name not in found.named}
    return dataclasses.replace(found, named={**found.named, **unnamed})


def alternatives(schema: Any, definitions: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Schemas without references or choices, of one type each, of which one fits each value that ``schema`` allows.

    >>> alternatives({"anyOf": [{"type": ["string", "null"]}, {"$ref": "#/$defs/N"}]}, {"N": {"const": 1}})
    [{'type': 'string'}, {'type': 'null'}, {'const': 1, 'enum': [1]}]
    """
    return _Reader(definitions).ways(schema) or [{}]


class _Reader:
    """Reads plain schemas, every definition once."""

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._ways: dict[str, list[Mapping[str, Any]]] = {}
        self._arguments: dict[str, Arguments] = {}

    # -- of which kinds a value may be -----------------------------------------------------------------

    def ways(self, schema: Any) -> list[Mapping[str, Any]]:
        """As ``alternatives``; empty where nothing fits."""
        if not isinstance(schema, Mapping):
            return [] if schema is False else [{}]
        own = {key: value for key, value in schema.items() if key not in ("$ref", "allOf", *_CHOICES)}
        found: list[Mapping[str, Any]] = list(_of_one_type(own))
        if "$ref" in schema:
            found = _both(found, self._referred_ways(_name_in(schema)))
        for part in _listed(schema, "allOf"):
            found = _both(found, self.ways(part))
        for key in _CHOICES:
            if choices := _listed(schema, key):
                found = _both(found, _distinct(way for choice in choices for way in self.ways(choice)))
        return found

    def _referred_ways(self, name: str) -> list[Mapping[str, Any]]:
        if name not in self._ways:
            self._ways[name] = []  # for a definition that leads back to itself
            self._ways[name] = self.ways(self._definitions.get(name, {}))
        return self._ways[name]

    # -- which arguments there are ---------------------------------------------------------------------

    def arguments(self, schema: Any) -> Arguments:
        """As ``arguments_of``, of names that have a schema."""
        if not isinstance(schema, Mapping):
            return Arguments()
        found = _own(schema)
        if "$ref" in schema:
            found = _all_of(found, self._referred_arguments(_name_in(schema)))
        for part in _listed(schema, "allOf"):
            found = _all_of(found, self.arguments(part))
        for key in _CHOICES:
            if choices := _listed(schema, key):
                found = _all_of(found, _one_of([self.arguments(choice) for choice in choices]))
        sometimes = [schema[key] for key in ("if", "then", "else") if key in schema]
        for key in ("dependentSchemas", "dependencies"):
            sometimes += _mapped(schema, key).values()
        for part in sometimes:
            found = _all_of(found, _one_of([Arguments(), self.arguments(part)]))
        return found

    def _referred_arguments(self, name: str) -> Arguments:
        if name not in self._arguments:
            self._arguments[name] = Arguments()  # for a definition that leads back to itself
            self._arguments[name] = self.arguments(self._definitions.get(name, {}))
        return self._arguments[name]


def _own(schema: Mapping[str, Any]) -> Arguments:
    """What a schema says itself, without its parts."""
    named = {name: one if isinstance(one, Mapping) else {} for name, one in _mapped(schema, "properties").items()}
    for name, one in _mapped(schema, "properties").items():
        if one is False or one == {"not": {}}:
            del named[name]
    required = frozenset(name for name in _listed(schema, "required") if isinstance(name, str))
    rest = schema.get("additionalProperties", schema.get("unevaluatedProperties"))
    says = ("properties", "patternProperties", "additionalProperties", "unevaluatedProperties")
    return Arguments(
        named, required, required, dict(_mapped(schema, "patternProperties")), rest, any(key in schema for key in says)
    )


def _all_of(a: Arguments, b: Arguments) -> Arguments:
    named = {**a.named, **b.named}
    named.update({name: _joined("allOf", a.named[name], b.named[name]) for name in a.named if name in b.named})
    return Arguments(
        named,
        a.required | b.required,
        a.first | b.first,
        {**a.patterns, **b.patterns},
        _wider(a.rest, b.rest),
        a.names_any or b.names_any,
    )


def _one_of(ways: list[Arguments]) -> Arguments:
    found = ways[0]
    for one in ways[1:]:
        named = {**found.named, **one.named}
        for name in found.named:
            if name in one.named:
                named[name] = _joined("anyOf", found.named[name], one.named[name])
        found = Arguments(
            named,
            found.required & one.required,
            found.first,
            {**found.patterns, **one.patterns},
            _wider(found.rest, one.rest),
            found.names_any or one.names_any,
        )
    return found


def _wider(a: Any, b: Any) -> Any:
    """Of two words on other arguments the one that allows more: what it allows too much the schema itself refuses."""
    said = [rest for rest in (a, b) if rest is not None]
    return next((rest for rest in said if rest is not False), said[0] if said else None)


def _joined(how: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> Mapping[str, Any]:
    """One schema of two, with what the first of them says about itself."""
    if a == b or (how == "allOf" and not b):
        return a
    if how == "allOf" and not a:
        return b
    before = a[how] if isinstance(a.get(how), list) and not a.keys() - {how, *_NOTES} else [a]
    notes = {key: one[key] for key in _NOTES for one in (b, a) if key in one}
    return {**notes, how: [*before, *([b] if b not in before else [])]}


def _of_one_type(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "const" in schema:
        yield {**schema, "enum": [schema["const"]]}
    elif isinstance(schema.get("type"), list):
        yield from ({**schema, "type": kind} for kind in schema["type"])
    else:
        yield schema


def _both(some: list[Mapping[str, Any]], others: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Every way that is one of ``some`` and one of ``others``, as far as types and values tell."""
    return _distinct(both for a in some for b in others if (both := _met(a, b)) is not None)


def _met(a: Mapping[str, Any], b: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Both of two ways; None where no value is both."""
    met = {**b, **a}
    if isinstance(a.get("enum"), list) and isinstance(b.get("enum"), list):
        met["enum"] = [value for value in a["enum"] if value in b["enum"]]
        if not met["enum"]:
            return None
    kinds = {one["type"] for one in (a, b) if isinstance(one.get("type"), str)}
    if kinds == {"integer", "number"}:
        met["type"] = "integer"
    return met if len(kinds) < 2 or kinds == {"integer", "number"} else None


def _distinct(ways: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for way in ways:
        if way not in found:
            found.append(way)
            if len(found) == _MAX_WAYS:
                break
    return found


def _name_in(schema: Mapping[str, Any]) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _listed(schema: Mapping[str, Any], key: str) -> list[Any]:
    value = schema.get(key)
    return value if isinstance(value, list) else []


def _mapped(schema: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = schema.get(key)
    return value if isinstance(value, Mapping) else {}
