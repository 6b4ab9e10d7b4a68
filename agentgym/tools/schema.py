"""JSON schemas as they are written, brought into one form that is easy to read: ``plain``.

References may stand anywhere and lead anywhere within their document: by pointer, by anchor, by the address of a part.
In the plain form each reads ``#/$defs/NAME``, and none leads back to itself with no value in between: what only says
"like itself" says nothing, and is left out. Where several lead to each other so, each has the others in it.
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

_DRAFT_4 = "http://json-schema.org/draft-04/"
_OF_SCHEMAS = ("http://json-schema.org/", "https://json-schema.org/")
"""Where the schemas of schemas are: a value that is to be a schema is not looked at here."""
_MAX_NODES = 20_000
_MAX_STEPS = 200_000
"""Along references, in looking for those that lead back."""
_TOO_LARGE = "it is too large, or its references lead to each other in too many ways"
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
        self.id_key = "id" if str(schema.get("$schema")).startswith(_DRAFT_4) else "$id"
        self._enter(schema, "")

    def _enter(self, node: Any, base: str) -> None:
        if isinstance(node, list):
            for one in node:
                self._enter(one, base)
        if not isinstance(node, Mapping):
            return
        base = self.base_of(node, base)
        if isinstance(node.get(self.id_key), str):
            # In old drafts an anchor, with its "#".
            self._named.setdefault(urljoin(base, node[self.id_key]), (node, base))
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
            base = self.base_of(node, base)
        return node, base

    def base_of(self, node: Any, base: str) -> str:
        """The address that references in ``node`` start from, where those around it start from ``base``."""
        id = node.get(self.id_key) if isinstance(node, Mapping) else None
        return base if not isinstance(id, str) or id.startswith("#") else urljoin(base, id).partition("#")[0]


class _Plain:
    """The work of ``plain``. Schemas are told apart by identity: one that is referred to twice is one."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._document = _Document(schema)
        self._names: dict[int, str] = {}
        self._loops: dict[int, frozenset[int]] = {}
        self._next: dict[int, list[tuple[Any, str]]] = {}
        self._waiting: list[tuple[str, Any, str]] = []
        self._nodes = self._steps = 0
        self.made: dict[str, Any] = self._whole(schema, "")
        definitions: dict[str, Any] = {}
        while self._waiting:
            name, node, base = self._waiting.pop()
            definitions[name] = self._whole(node, base)
        if definitions:
            self.made["$defs"] = definitions

    def _whole(self, node: Any, base: str) -> Any:
        """A schema with none above it."""
        made = self._made(node, base, frozenset())
        return {} if made is _NOTHING else made

    def _of_value(self, node: Any, base: str, name: str) -> Any:
        """A schema that is not of the same value as the one around it; one that leads back to itself is named."""
        return self._named(node, base, name) if self._loop(node, base) else self._whole(node, base)

    def _made(self, node: Any, base: str, above: frozenset[int]) -> Any:
        """The plain form of a schema; nothing where it says nothing but to be like one of those ``above`` it."""
        if not isinstance(node, Mapping):
            return node
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise SchemaError(_TOO_LARGE)
        base, above = self._document.base_of(node, base), above | {id(node)}
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
            return {name: self._of_value(one, base, name) for name, one in value.items()}
        if key in _PARTS and isinstance(value, list):
            return [self._of_value(one, base, key) for one in value]
        if key in _PARTS:
            return self._of_value(value, base, key)
        return self._same_value(key, value, base, above) if key in _SAME else value

    def _same_value(self, key: str, value: Any, base: str, above: frozenset[int]) -> Any:
        if isinstance(value, list) and value:
            return [made for one in value if (made := self._made(one, base, above)) is not _NOTHING] or _NOTHING
        if key in _MAPS and isinstance(value, Mapping) and value:
            each = {name: self._made(one, base, above) for name, one in value.items()}
            return {name: made for name, made in each.items() if made is not _NOTHING} or _NOTHING
        return self._made(value, base, above)

    def _followed(self, reference: str, base: str, above: frozenset[int]) -> Any:
        """A reference in plain form; what it leads to, where that leads back here; nothing where it is above already.

        ``above`` are the schemas of the same value, so that what one of them is led to from here leads back.
        """
        if urljoin(base, reference).startswith(_OF_SCHEMAS):
            return {}
        node, base = self._document.find(reference, base)
        if not isinstance(node, Mapping):
            if not isinstance(node, bool):
                raise SchemaError(f'the reference "{reference[:80]}" leads to {node!r:.40}, which is no schema')
            return {} if node else {"not": {}}
        if id(node) in above:
            return _NOTHING
        if above & self._loop(node, base):
            return self._made(node, base, above)
        return self._named(node, base, unquote(reference).rpartition("/")[2].strip("#"))

    def _named(self, node: Any, base: str, name: str) -> dict[str, str]:
        """A reference to a schema, by this name or one like it."""
        if id(node) not in self._names:
            stem = re.sub(r"[^\w.-]", "_", name) or "root"
            taken = set(self._names.values())
            self._names[id(node)] = next(name for name in _numbered(stem) if name not in taken)
            self._waiting.append((self._names[id(node)], node, base))
        return {"$ref": f"#/$defs/{self._names[id(node)]}"}

    def _loop(self, node: Any, base: str) -> frozenset[int]:
        """The schemas that a value's check against this one comes to, if it comes to this one again; else none."""
        if id(node) not in self._loops:
            seen: set[int] = set()
            open = [*self._same(node, base)]
            while open:
                one, base = open.pop()
                self._steps += 1
                if self._steps > _MAX_STEPS:
                    raise SchemaError(_TOO_LARGE)
                if id(one) not in seen:
                    seen.add(id(one))
                    open += self._same(one, base)
            self._loops[id(node)] = frozenset(seen if id(node) in seen else ())
        return self._loops[id(node)]

    def _same(self, node: Any, base: str) -> list[tuple[Any, str]]:
        """The schemas of the same value that stand in this one or that it refers to."""
        if not isinstance(node, Mapping):
            return []
        if id(node) not in self._next:
            base = self._document.base_of(node, base)
            led = [node[key] for key in _REFERENCES if isinstance(node.get(key), str)]
            found = [self._document.find(one, base) for one in led if not urljoin(base, one).startswith(_OF_SCHEMAS)]
            inside = [one for key in _LISTS for one in _listed(node, key)]
            inside += [node[key] for key in _ONES if key in node]
            inside += [one for key in _MAPS for one in _mapped(node, key).values()]
            self._next[id(node)] = found + [(one, base) for one in inside]
        return self._next[id(node)]


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
