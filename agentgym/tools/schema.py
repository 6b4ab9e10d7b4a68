"""JSON schemas as they are written, brought into one form that is easy to read: ``plain``.

References may stand anywhere and lead anywhere within their document: by pointer, by anchor, by the address of a part.
In the plain form each reads ``#/$defs/NAME``, and none leads back to itself with no value in between: what only says
"like itself" says nothing, and is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urljoin

__all__ = ["SchemaError", "plain"]

_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_LISTS = ("allOf", "anyOf", "oneOf")
_ONES = ("not", "if", "then", "else")
_MAPS = ("dependentSchemas", "dependencies")
"""Keywords whose schemas are of the same value as the schema around them: lists of schemas, one, several by name."""
_SAME = frozenset(_LISTS + _ONES + _MAPS)
_OF_OBJECTS = ("additionalProperties", "unevaluatedProperties", "propertyNames")
_PARTS = frozenset((*_OF_OBJECTS, "contains", "items", "prefixItems", "additionalItems", "unevaluatedItems"))
_PART_MAPS = frozenset(("properties", "patternProperties"))
"""Keywords whose schemas are of parts of the value."""
_NAMES = frozenset(("$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$defs", "definitions", *_REFERENCES))
_NOTES = frozenset(("title", "description", "default", "examples", "$comment", "deprecated", "$schema"))
_VALUES = frozenset(("const", "enum", "default", "examples"))

_OF_SCHEMAS = ("http://json-schema.org/", "https://json-schema.org/")
"""Where the schemas of schemas are: a value that is to be a schema is not looked at here."""
_MAX_NODES = 20_000
_NOTHING = object()
"""Stands for a schema of which nothing is left."""


class SchemaError(ValueError):
    """A schema that cannot be used. The text says what was found."""


def plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with every reference in the form ``#/$defs/NAME``. Raises SchemaError.

    >>> plain({"properties": {"a": {"$ref": "#/definitions/A"}}, "definitions": {"A": {"type": "string"}}})
    {'properties': {'a': {'$ref': '#/$defs/A'}}, '$defs': {'A': {'type': 'string'}}}
    """
    try:
        return _Plain(schema).made
    except RecursionError:
        raise SchemaError("it is nested too deep") from None


class _Document:
    """A schema and the parts of it that have names."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._named: dict[str, tuple[Any, str]] = {"": (schema, "")}
        self._enter(schema, "")

    def _enter(self, node: Any, base: str) -> None:
        if isinstance(node, list):
            for one in node:
                self._enter(one, base)
        if not isinstance(node, Mapping):
            return
        base = base_of(node, base)
        if isinstance(node.get("$id"), str):
            self._named.setdefault(urljoin(base, node["$id"]), (node, base))  # in old drafts an anchor, with its "#"
            self._named.setdefault(base, (node, base))
        for key in ("$anchor", "$dynamicAnchor"):
            if isinstance(node.get(key), str):
                self._named.setdefault(f"{base}#{node[key]}", (node, base))
        for key, value in node.items():
            if key not in _VALUES or isinstance(value, Mapping):
                self._enter(value, base)

    def find(self, reference: str, base: str) -> tuple[Any, str]:
        """What a reference leads to, and the address that references in it start from. Raises SchemaError."""
        address, _, fragment = reference.partition("#")
        address = urljoin(base, address) if address else base
        fragment = unquote(fragment)
        by_name = fragment and not fragment.startswith("/")
        found = self._named.get(f"{address}#{fragment}" if by_name else address)
        if found is None:
            raise SchemaError(f'the reference "{reference[:80]}" leads nowhere')
        if by_name:
            return found
        node, base = found
        for step in fragment.split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            try:
                node = node[int(step)] if isinstance(node, list) else node[step]
            except (LookupError, TypeError, ValueError):
                raise SchemaError(f'the reference "{reference[:80]}" leads nowhere') from None
            base = base_of(node, base)
        return node, base


def base_of(node: Any, base: str) -> str:
    """The address that references in ``node`` start from, where those around it start from ``base``."""
    id = node.get("$id") if isinstance(node, Mapping) else None
    return base if not isinstance(id, str) or id.startswith("#") else urljoin(base, id).partition("#")[0]


class _Plain:
    """The work of ``plain``. Schemas are told apart by identity: one that is referred to twice is one."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._document = _Document(schema)
        self._names: dict[int, str] = {}
        self._loops: dict[int, bool] = {}
        self._waiting: list[tuple[str, Any, str]] = []
        self._nodes = 0
        self.made: dict[str, Any] = self._of_value(schema, "")
        definitions: dict[str, Any] = {}
        while self._waiting:
            name, node, base = self._waiting.pop()
            definitions[name] = self._of_value(node, base)
        if definitions:
            self.made["$defs"] = definitions

    def _of_value(self, node: Any, base: str) -> Any:
        """A schema that is not of the same value as the one around it."""
        made = self._made(node, base, frozenset())
        return {} if made is _NOTHING else made

    def _made(self, node: Any, base: str, above: frozenset[int]) -> Any:
        """The plain form of a schema; nothing where it says nothing but to be like one of those ``above`` it."""
        if not isinstance(node, Mapping):
            return node
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise SchemaError("it is too large, or its references lead to each other in too many ways")
        base, above = base_of(node, base), above | {id(node)}
        each = {key: self._at(key, value, base, above) for key, value in node.items() if key not in _NAMES}
        made = {key: one for key, one in each.items() if one is not _NOTHING}
        for key in _REFERENCES:
            if isinstance(node.get(key), str):
                each[key] = self._followed(node[key], base, above)
                _put(made, each[key])
        lost = any(one is _NOTHING for one in each.values())
        return _NOTHING if lost and not made.keys() - _NOTES else made

    def _at(self, key: str, value: Any, base: str, above: frozenset[int]) -> Any:
        """The plain form of what stands at a keyword."""
        if key in _PART_MAPS and isinstance(value, Mapping):
            return {name: self._of_value(one, base) for name, one in value.items()}
        if key in _PARTS:
            return (
                [self._of_value(one, base) for one in value] if isinstance(value, list) else self._of_value(value, base)
            )
        return self._same_value(key, value, base, above) if key in _SAME else value

    def _same_value(self, key: str, value: Any, base: str, above: frozenset[int]) -> Any:
        if isinstance(value, list) and value:
            return [made for one in value if (made := self._made(one, base, above)) is not _NOTHING] or _NOTHING
        if key in _MAPS and isinstance(value, Mapping) and value:
            each = {name: self._made(one, base, above) for name, one in value.items()}
            return {name: made for name, made in each.items() if made is not _NOTHING} or _NOTHING
        return self._made(value, base, above)

    def _followed(self, reference: str, base: str, above: frozenset[int]) -> Any:
        """A reference in plain form; what it leads to, where that leads back; nothing where it is above already."""
        if urljoin(base, reference).startswith(_OF_SCHEMAS):
            return {}
        node, base = self._document.find(reference, base)
        if not isinstance(node, Mapping):
            if not isinstance(node, bool):
                raise SchemaError(f'the reference "{reference[:80]}" leads to {node!r:.40}, which is no schema')
            return {} if node else {"not": {}}
        if id(node) in above:
            return _NOTHING
        if self._leads_back(node, base):
            return self._made(node, base, above)
        if id(node) not in self._names:
            stem = re.sub(r"[^\w.-]", "_", unquote(reference).rpartition("/")[2].strip("#")) or "root"
            taken = set(self._names.values())
            name = next(name for name in _numbered(stem) if name not in taken)
            self._names[id(node)] = name
            self._waiting.append((name, node, base))
        return {"$ref": f"#/$defs/{self._names[id(node)]}"}

    def _leads_back(self, node: Any, base: str) -> bool:
        """Whether a value's check against this schema would come to the same schema and value again."""
        if id(node) not in self._loops:
            seen: set[int] = set()
            open = [*self._same(node, base)]
            while open and id(node) not in seen:
                one, base = open.pop()
                if id(one) not in seen:
                    seen.add(id(one))
                    open += self._same(one, base)
            self._loops[id(node)] = id(node) in seen
        return self._loops[id(node)]

    def _same(self, node: Any, base: str) -> Iterator[tuple[Any, str]]:
        """The schemas of the same value that stand in this one or that it refers to."""
        if not isinstance(node, Mapping):
            return
        base = base_of(node, base)
        for key in _REFERENCES:
            if isinstance(node.get(key), str) and not urljoin(base, node[key]).startswith(_OF_SCHEMAS):
                yield self._document.find(node[key], base)
        for key in _LISTS:
            yield from ((one, base) for one in _listed(node, key))
        yield from ((node[key], base) for key in _ONES if key in node)
        for key in _MAPS:
            yield from ((one, base) for one in _mapped(node, key).values())


def _put(schema: dict[str, Any], one: Any) -> None:
    """Let ``schema`` say also what ``one`` says, which stands for a reference in it."""
    if one is _NOTHING:
        return
    if set(one) == {"$ref"} and "$ref" not in schema:
        schema["$ref"] = one["$ref"]
    else:
        schema["allOf"] = [*schema.get("allOf", ()), one]


def _numbered(stem: str) -> Iterator[str]:
    yield stem
    number = 2
    while True:
        yield f"{stem}{number}"
        number += 1


def _listed(schema: Mapping[str, Any], key: str) -> Sequence[Any]:
    value = schema.get(key)
    return value if isinstance(value, list) else ()


def _mapped(schema: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = schema.get(key)
    return value if isinstance(value, Mapping) else {}
