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
_MOST_VALUES = 100
_CHOICES = ("anyOf", "oneOf")
_EITHER, _SOMETIMES = "either", "sometimes"


class Words:
    """Tells parts of the schema ``root``, in which references are looked up."""

    def __init__(self, root: Schema) -> None:
        self.root = root
        self._open: list[str] = []
        self._num_parts = 0
        self._depth = 0

    def ways(self) -> list[str]:
        """What stands between the parentheses of a call, in each of the ways to make one."""
        told = dict.fromkeys(", ".join(self.fields(way)) for way in self._ways(self.root))
        return [*list(told)[:_MOST_WAYS], *(["..."] if len(told) > _MOST_WAYS else [])]

    def purposes(self) -> list[str]:
        """``field: what it is for``, of each field that says so and of what is within it."""
        return list(dict.fromkeys(told for way in self._ways(self.root) for told in self._purposes_in(way, "")))

    def fields(self, schema: Schema) -> Iterator[str]:
        """Each property of an object with its type, and its default where it has one."""
        required = schema.get("required", ())
        for name, field in self._named(schema).items():
            is_optional = name not in required
            has_default = is_optional and isinstance(field, Mapping) and "default" in field
            default = f" = {_json(field['default'])}" if has_default else ""
            yield f"{key_of(name)}{'?' if is_optional and not has_default else ''}: {self.kind(field)}{default}"
        for pattern, field in _mapped(schema, "patternProperties").items():
            yield f"/{pattern}/: {self.kind(field)}"
        if others := schema.get("additionalProperties"):
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
            yield _name(name)
        elif self._is_cut:
            yield "..."
        else:
            self._open.append(str(name))
            for way in self._ways(schema):
                yield from [_name(way["$ref"])] if "$ref" in way else self._of_way(way)
            self._open.pop()

    @property
    def _is_cut(self) -> bool:
        return self._num_parts > _MOST_PARTS or self._depth > _DEEPEST

    def _of_way(self, schema: Schema) -> Iterator[str]:
        if "const" in schema:
            yield _json(schema["const"])
        elif "enum" in schema:
            yield from map(_json, schema["enum"][:_MOST_VALUES])
            yield from ["..."] if len(schema["enum"]) > _MOST_VALUES else []
        else:
            types = schema.get("type", _type_of(schema))
            for one in [types] if isinstance(types, str) else types:
                yield self._typed(one, schema)

    def _typed(self, name: str, schema: Schema) -> str:
        items = schema.get("items")
        first = schema.get("prefixItems") or (items if isinstance(items, list) else None)
        if name == "array" and first:
            return f"[{', '.join(map(self.kind, first))}]"
        if name == "array" and "items" in schema:
            return f"array of {self._inner(items)}"
        if name == "object" and (self._named(schema) or _mapped(schema, "patternProperties")):
            return f"{{{', '.join(self.fields(schema))}}}"
        if name == "object" and isinstance(schema.get("additionalProperties"), Mapping):
            return f"object of {self._inner(schema['additionalProperties'])}"
        return name

    def _inner(self, schema: Any) -> str:
        told = self.kind(schema)
        return f"({told})" if " or " in told and told[0] != "{" else told

    def _purposes_in(self, schema: Schema, path: str) -> Iterator[str]:
        for name, field in self._named(schema).items():
            yield from self._purposes(field, f"{path}{key_of(name)}")
        for pattern, field in _mapped(schema, "patternProperties").items():
            yield from self._purposes(field, f"{path}/{pattern}/")

    def _purposes(self, schema: Any, path: str) -> Iterator[str]:
        self._num_parts += 1
        if not isinstance(schema, Mapping) or self._is_cut or schema.get("$ref") in self._open:
            return
        self._open.append(str(schema.get("$ref")))
        self._depth += 1
        whole = self._whole(schema)
        if about := " ".join(str(whole.get("description", "")).split()):
            yield f"{path}: {about}"
        for choices in whole[_EITHER]:
            for choice in choices:
                yield from self._purposes(choice, path)
        yield from self._purposes(whole.get("items"), f"{path}[]")
        yield from self._purposes(whole.get("additionalProperties"), f"{path}....")
        yield from self._purposes_in(whole, f"{path}.")
        self._depth -= 1
        self._open.pop()

    # -- schemas without references and parts ----------------------------------------------------------

    def _ways(self, schema: Schema) -> Iterator[Schema]:
        """The schema without references and choices, in each of the ways that its choices leave, or the first of many.

        A way that is one of the schemas around it is only a reference to that.
        """
        waiting = [(self._whole(schema), frozenset[str]())]
        while waiting:
            whole, within = waiting.pop()
            if not whole[_EITHER]:
                self._num_parts += 1
                yield whole
                continue
            if self._num_parts > _MOST_PARTS:
                return
            choices, *others = whole[_EITHER]
            more = []
            for choice in choices:
                name = choice.get("$ref") if isinstance(choice, Mapping) else None
                if name in self._open:
                    more.append(({"$ref": name, _EITHER: []}, within))
                elif name in within:  # is said already
                    more.append(({**whole, _EITHER: others}, within))
                elif not _is_never(choice):
                    both = _both({**whole, _EITHER: others}, self._whole(choice if isinstance(choice, Mapping) else {}))
                    more.append((both, within | {name} if name else within))
            waiting += reversed(more)

    def _whole(self, schema: Schema, seen: set[str] | None = None) -> dict[str, Any]:
        """A schema with what it refers to and what must hold beside it, each of them once.

        Of the result the choices and what holds sometimes are lists, under names of their own.
        """
        seen = set() if seen is None else seen
        chain = [schema]
        while isinstance(name := chain[-1].get("$ref"), str) and name not in seen:
            seen.add(name)
            chain.append(self._at(name))
        whole: dict[str, Any] = {_EITHER: [], _SOMETIMES: []}
        for one in reversed(chain):
            for part in one.get("allOf", ()):
                if isinstance(part, Mapping):
                    whole = _both(whole, self._whole(part, seen))
            own = {key: value for key, value in one.items() if key not in ("$ref", "allOf", *_CHOICES)}
            whole = _both(whole, {**own, _EITHER: _choices(one), _SOMETIMES: _conditions(one)})
        return whole

    def _named(self, schema: Schema) -> dict[str, Any]:
        """The properties of an object, those that it may have sometimes and those that are only required too."""
        named = dict(_mapped(schema, "properties"))
        waiting, num_parts = list(schema.get(_SOMETIMES, ())), 0
        while waiting and num_parts < _MOST_VALUES:
            num_parts += 1
            whole = self._whole(waiting.pop(0))
            named = {**named, **{name: one for name, one in _mapped(whole, "properties").items() if name not in named}}
            choices = [one for choices in whole[_EITHER] for one in choices if isinstance(one, Mapping)]
            waiting += [*whole[_SOMETIMES], *choices]
        named |= {name: {} for name in schema.get("required", ()) if name not in named}
        return {name: field for name, field in named.items() if not _is_never(field)}

    def _at(self, name: str) -> Schema:
        found: Any = self.root
        for part in name.lstrip("#").split("/")[1:]:
            part = part.replace("~1", "/").replace("~0", "~")
            found = found.get(part) if isinstance(found, Mapping) else None
        return found if isinstance(found, Mapping) else {}


def _both(one: Schema, other: Schema) -> dict[str, Any]:
    both = {**one, **other}
    for key in ("properties", "patternProperties"):
        if key in one:
            both[key] = {**_mapped(one, key), **_mapped(other, key)}
    for key in ("required", _EITHER, _SOMETIMES):
        if key in one:
            both[key] = [*one[key], *other.get(key, ())]
    return both


def _mapped(schema: Schema, key: str) -> Mapping[str, Any]:
    found = schema.get(key)
    return found if isinstance(found, Mapping) else {}


def _choices(schema: Schema) -> list[Sequence[Any]]:
    return [schema[key] for key in _CHOICES if isinstance(schema.get(key), list) and schema[key]]


def _conditions(schema: Schema) -> list[Schema]:
    """What holds of a value sometimes."""
    found = [schema.get("then"), schema.get("else")]
    for key in ("dependentSchemas", "dependencies"):
        found += _mapped(schema, key).values()
    return [one for one in found if isinstance(one, Mapping)]


def _is_never(schema: Any) -> bool:
    """Whether no value fits."""
    return schema is False or schema == {"not": {}}


def _type_of(schema: Schema) -> str:
    """The type of a schema that names none."""
    if schema.get("properties") or schema.get("required") or schema.get("patternProperties"):
        return "object"
    return "array" if "items" in schema else "any"


def _name(reference: Any) -> str:
    return str(reference).rpartition("/")[2].strip("#") or "object"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
