"""Whether arguments fit a tool's JSON schema, told in a time that neither a server nor a policy can draw out.

The keywords are those of ``jsonschema``, in the draft that the schema names. Three are different: a reference is tried
once for each value, however many ways lead to it; regular expressions have a limited time, and what they cannot tell in
it is the server's to judge, as is what "unevaluated" parts may hold.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from agentgym.extras import require
from agentgym.tools.patterns import Patterns
from agentgym.tools.schema import SchemaError

__all__ = ["Checker"]

_MAX_ERRORS = 3
"""Of one value against what one reference leads to: enough to tell one that helps."""


class Checker:
    """Checks values against ``plain``, the plain form of ``schema``. Raises SchemaError for a schema that is none."""

    def __init__(self, schema: Mapping[str, Any], plain: Mapping[str, Any]) -> None:
        self._definitions = plain.get("$defs", {})
        self._known: dict[tuple[str, int], list[Any]] = {}
        self._patterns = Patterns()
        jsonschema, validators = (require(name, extra="mcp") for name in ("jsonschema", "jsonschema.validators"))
        self._error, self._relevance = jsonschema.ValidationError, jsonschema.exceptions.relevance
        mine = {
            "$ref": self._reference,
            "pattern": self._pattern,
            "patternProperties": self._pattern_properties,
            "additionalProperties": self._additional_properties,
            "unevaluatedProperties": _left_to_the_server,
            "unevaluatedItems": _left_to_the_server,
        }
        self._validator = validators.extend(_dialect(schema, validators), mine)(dict(plain))

    def problem(self, value: Any) -> Any:
        """What does not fit first of all, an error of ``jsonschema``; None where all does."""
        self._known, self._patterns = {}, Patterns()
        try:
            return max(self._validator.iter_errors(value), key=self._relevance, default=None)
        except RecursionError:
            return self._error("the arguments are nested too deep")
        except OverflowError:  # of a number with hundreds of digits
            return self._error("a number is too large")

    @staticmethod
    def words(error: Any) -> str:
        """What an error says; of one that several ways were open to, what is wrong in each of the first three."""
        real = [one for one in error.context if one.relative_schema_path]  # a way that is never open has no place
        ways = {one.relative_schema_path[0]: one for one in reversed(real)}
        said = [f"{'.'.join(map(str, ways[number].relative_path))}: {ways[number].message}" for number in sorted(ways)]
        return " or ".join(one.removeprefix(": ")[:120] for one in said[:3]) or str(error.message)[:120]

    def _reference(self, validator: Any, reference: str, value: Any, schema: Any) -> Iterator[Any]:
        key = (reference, id(value))
        if key not in self._known:
            target = self._definitions[reference.rpartition("/")[2]]
            errors = validator.evolve(schema=target).iter_errors(value)
            self._known[key] = list(itertools.islice(errors, _MAX_ERRORS))
        yield from map(self._error.create_from, self._known[key])

    def _pattern(self, validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[Any]:
        if isinstance(value, str) and self._patterns.found(pattern, value) is False:
            yield self._error(f"{value!r:.60} does not match {pattern!r}")

    def _pattern_properties(self, validator: Any, schemas: Any, value: Any, schema: Any) -> Iterator[Any]:
        for pattern, one in schemas.items() if isinstance(value, dict) else ():
            for name in value:
                if self._patterns.found(pattern, name):
                    yield from validator.descend(value[name], one, path=name, schema_path=pattern)

    def _additional_properties(self, validator: Any, one: Any, value: Any, schema: Any) -> Iterator[Any]:
        if not isinstance(value, dict):
            return
        patterns = schema.get("patternProperties", {})
        for name in value:
            if name in schema.get("properties", {}) or any(
                self._patterns.found(pattern, name) is not False for pattern in patterns
            ):
                continue
            if one is False:
                yield self._error(f'there is no "{name[:60]}" here')
            else:
                yield from validator.descend(value[name], one, path=name)


def _left_to_the_server(validator: Any, one: Any, value: Any, schema: Any) -> tuple[()]:
    return ()


def _dialect(schema: Mapping[str, Any], validators: Any) -> Any:
    """The draft that a schema names, or else the newest that it is valid in."""
    newest = validators.validator_for(schema, default=validators.Draft202012Validator)
    problem = None
    for validator in (
        newest,
        *(() if "$schema" in schema else (validators.Draft7Validator, validators.Draft4Validator)),
    ):
        try:
            validator.check_schema(schema, format_checker=None)  # expressions are read elsewhere
        except Exception as error:  # whatever jsonschema makes of a schema that is none
            problem = problem or str(error).partition("\n")[0]
        else:
            return validator
    raise SchemaError(problem)
