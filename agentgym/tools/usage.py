"""A tool's arguments in words: their types, the fields of objects and the items of lists, and what each is for.

Written from the JSON schema as a signature is: ``get(a: integer, b?: array of {x: string, y?: integer = 0})``. A "?"
marks what may be left out. A schema that refers to itself is told by its name where it comes again, and one that
unfolds into hundreds of parts is cut short.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from agentgym.tools.calls import key_of

__all__ = ["Words"]

Schema: TypeAlias = Mapping[str, Any]

_MOST_PARTS = 400
_DEEPEST = 20
_MOST_WAYS = 8


class Words:
    """Tells parts of the schema ``root``, in which references are looked up."""

    def __init__(self, root: Schema) -> None:
        self.root = root
        self._open: list[str] = []
        self._num_parts = 0
        self._depth = 0

    def ways(self) -> list[str]:
        """What stands between the parentheses of a call, in each of the ways to make one."""
        told = dict.fromkeys(", ".join(self.fields(way)) for way in self._ways())
        return [*list(told)[:_MOST_WAYS], *(["..."] if len(told) > _MOST_WAYS else [])]

    def purposes(self) -> list[str]:
        """``field: what it is for``, of each field that says so and of what is within it."""
        return list(dict.fromkeys(told for way in self._ways() for told in self._purposes_in(way, "")))

    def _ways(self) -> list[Schema]:
        whole = self._whole(self._referred(self.root))
        choices = [self._referred(one) for one in _choices(whole) if isinstance(one, Mapping)]
        return [_both(whole, self._whole(one)) for one in choices] or [whole]

    def fields(self, schema: Schema) -> Iterator[str]:
        """Each property of an object with its type, and its default where it has one."""
        required = schema.get("required", ())
        for name, field in _properties(schema).items():
            is_optional = name not in required
            has_default = is_optional and isinstance(field, Mapping) and "default" in field
            default = f" = {_json(field['default'])}" if has_default else ""
            yield f"{key_of(name)}{'?' if is_optional and not has_default else ''}: {self.kind(field)}{default}"
        others = schema.get("additionalProperties")
        if _properties(schema) and others:
            yield f"...: {self.kind(others)}"

    def kind(self, schema: Any) -> str:
        """What a value may be."""
        self._depth += 1
        kinds = dict.fromkeys(self._kinds(schema))
        self._depth -= 1
        return " or ".join(kinds) or "any"

    def _kinds(self, schema: Any) -> Iterator[str]:
        self._num_parts += 1
        if not isinstance(schema, Mapping):
            yield "any"
        elif (name := schema.get("$ref")) in self._open:
            yield str(name).rpartition("/")[2].strip("#") or "object"
        elif self._is_cut:
            yield "..."
        else:
            self._open.append(str(name))
            yield from self._alternatives(self._whole(self._referred(schema)))
            self._open.pop()

    @property
    def _is_cut(self) -> bool:
        return self._num_parts > _MOST_PARTS or self._depth > _DEEPEST

    def _alternatives(self, schema: Schema) -> Iterator[str]:
        choices = _choices(schema)
        if choices and not _properties(schema):
            for choice in choices:
                yield from self._kinds(choice)
        elif "const" in schema:
            yield _json(schema["const"])
        elif "enum" in schema:
            yield from map(_json, schema["enum"])
        else:
            types = schema.get("type", _type_of(schema))
            for one in [types] if isinstance(types, str) else types:
                yield self._typed(one, schema)

    def _typed(self, name: str, schema: Schema) -> str:
        if name == "array" and schema.get("prefixItems"):
            return f"[{', '.join(map(self.kind, schema['prefixItems']))}]"
        if name == "array" and "items" in schema:
            return f"array of {self._inner(schema['items'])}"
        if name == "object" and _properties(schema):
            return f"{{{', '.join(self.fields(schema))}}}"
        if name == "object" and isinstance(schema.get("additionalProperties"), Mapping):
            return f"object of {self._inner(schema['additionalProperties'])}"
        return name

    def _inner(self, schema: Any) -> str:
        told = self.kind(schema)
        return f"({told})" if " or " in told and told[0] != "{" else told

    def _purposes_in(self, schema: Schema, path: str) -> Iterator[str]:
        for name, field in _properties(schema).items():
            yield from self._purposes(field, f"{path}{key_of(name)}")

    def _purposes(self, schema: Any, path: str) -> Iterator[str]:
        self._num_parts += 1
        if not isinstance(schema, Mapping) or self._is_cut or schema.get("$ref") in self._open:
            return
        self._open.append(str(schema.get("$ref")))
        self._depth += 1
        whole = self._whole(self._referred(schema))
        if about := " ".join(str(whole.get("description", "")).split()):
            yield f"{path}: {about}"
        for choice in _choices(whole):
            yield from self._purposes(choice, path)
        yield from self._purposes(whole.get("items"), f"{path}[]")
        yield from self._purposes_in(whole, f"{path}.")
        self._depth -= 1
        self._open.pop()

    def _referred(self, schema: Schema) -> Schema:
        """What a schema refers to, however often, with what it says itself."""
        seen = set()
        while isinstance(name := schema.get("$ref"), str) and name not in seen:
            seen.add(name)
            schema = {**self._at(name), **{key: value for key, value in schema.items() if key != "$ref"}}
        return schema

    def _at(self, name: str) -> Schema:
        found: Any = self.root
        for part in name.lstrip("#").split("/")[1:]:
            part = part.replace("~1", "/").replace("~0", "~")
            found = found.get(part) if isinstance(found, Mapping) else None
        return found if isinstance(found, Mapping) else {}

    def _whole(self, schema: Schema, within: frozenset[str] = frozenset()) -> Schema:
        """A schema with those that must hold beside it."""
        whole: dict[str, Any] = {}
        for part in schema.get("allOf", ()):
            name = str(part.get("$ref")) if isinstance(part, Mapping) else ""
            if name and name not in within:
                whole = _both(whole, self._whole(self._referred(part), within | {name} - {"None"}))
        return _both(whole, {key: value for key, value in schema.items() if key != "allOf"})


def _both(one: Schema, other: Schema) -> dict[str, Any]:
    both = {**one, **other}
    if "properties" in one:
        both["properties"] = {**_properties(one), **_properties(other)}
    if "required" in one:
        both["required"] = [*one["required"], *other.get("required", ())]
    return both


def _properties(schema: Schema) -> Mapping[str, Any]:
    found = schema.get("properties")
    return found if isinstance(found, Mapping) else {}


def _choices(schema: Schema) -> Sequence[Any]:
    found = schema.get("anyOf") or schema.get("oneOf") or ()
    return found if isinstance(found, Sequence) else ()


def _type_of(schema: Schema) -> str:
    """The type of a schema that names none."""
    if _properties(schema):
        return "object"
    return "array" if "items" in schema else "any"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
