"""A tool: its name, what it is for, the JSON schema of its arguments, and the check of what it is called with.

``FunctionTool`` takes all of that from a function's signature, type hints and docstring; pydantic makes the schema and
does the checking, strictly: "12" is no number. Other sources of tools derive from ``Tool`` with a schema of their own.
"""

from __future__ import annotations

import abc
import functools
import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.json_schema import GenerateJsonSchema

from agentgym.errors import UserError, did_you_mean
from agentgym.signature import described
from agentgym.tools.arguments import Arguments, alternatives, arguments_of
from agentgym.tools.calls import ToolError, Untyped, key_of
from agentgym.tools.patterns import Patterns
from agentgym.tools.schema import SchemaError, plain
from agentgym.tools.usage import Words

__all__ = ["FunctionTool", "Tool", "ToolError", "is_tool", "tool", "typed"]

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "__agentgym_tool__"


def tool(method: F) -> F:
    """Mark a method as a tool. It needs a docstring, and a type hint for each argument."""
    setattr(method, _MARK, True)
    return method


def is_tool(member: Any) -> bool:
    """Whether ``member`` was marked by ``tool``."""
    return getattr(member, _MARK, False) is True


class Tool(abc.ABC):
    """What can be called by name. ``parameters`` is the JSON schema of the arguments, an object, as it is written.

    Raises UserError for a schema whose references lead nowhere.
    """

    plain: dict[str, Any]
    """The schema with every reference as ``#/$defs/NAME``."""
    named: Arguments
    """The arguments that any part of the schema names."""

    def __init__(self, name: str, description: str, parameters: Mapping[str, Any]) -> None:
        self.name, self.description, self.parameters = name, description, dict(parameters)
        try:
            self.plain = plain(self.parameters)
        except SchemaError as error:
            raise UserError(f"the tool {name} has no valid JSON schema: {error}") from None
        self.named = arguments_of(self.plain, self.definitions)

    @abc.abstractmethod
    def check(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as ``run`` takes them. Raises ToolError, whose text says what is wrong and what is expected."""

    @abc.abstractmethod
    def run(self, owner: Any, arguments: Mapping[str, Any]) -> Any:
        """Call the tool with checked arguments, for the environment ``owner``; an awaitable where it is async."""

    @functools.cached_property
    def schema(self) -> dict[str, Any]:
        """The form in which chat templates take tools."""
        function = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": function}

    @property
    def usage(self) -> str:
        """One line for people and policies: name, arguments and their types, required ones first."""
        return " or ".join(f"{self.name}({arguments})" for arguments in Words(self.plain).ways())

    @property
    def explained(self) -> str:
        """The usage, what the tool is for, and on lines of their own what each argument and each field of it is for."""
        return "\n    ".join((f"{self.usage}: {self.description}", *Words(self.plain).purposes()))

    @property
    def template(self) -> str:
        """A call with blanks, in the manner of ``search[<query>]``."""
        needed = [name for name in self.properties if name in self.named.first]
        return f"{self.name}({', '.join(f'{key_of(name)}=<{name}>' for name in needed)})"

    @property
    def properties(self) -> dict[str, Any]:
        """Schema of each argument, in plain form."""
        return dict(self.named.named)

    @property
    def definitions(self) -> dict[str, Any]:
        """What the references in plain schemas lead to."""
        return dict(self.plain.get("$defs", {}))

    @property
    def required(self) -> list[str]:
        """Arguments that every call has, in order."""
        return [name for name in self.properties if name in self.named.required]

    def schema_of(self, name: str, patterns: Patterns) -> Any:
        """The schema of an argument, by its name, its form, or as one of the rest; None where there is no such one."""
        found = [self.properties[name]] if name in self.properties else []
        matches = {pattern: patterns.found(pattern, name) for pattern in self.named.patterns}
        found += [self.named.patterns[pattern] for pattern, is_match in matches.items() if is_match]
        if found:
            return found[0] if len(found) == 1 else {"allOf": found}
        if None in matches.values():  # who knows
            return {}
        rest = self.named.rest
        return (None if self.named.names_any else {}) if rest is None else None if rest is False else rest

    def read(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments with types given to values that were written without."""
        patterns = Patterns()
        return {
            name: typed(value, {} if (schema := self.schema_of(name, patterns)) is None else schema, self.definitions)
            if type(value) is Untyped
            else value
            for name, value in arguments.items()
        }

    def refusal(self, problem: str) -> ToolError:
        """The error for a call that does not fit."""
        return ToolError(
            f"{self.name}: {problem.rstrip('.')}{'' if problem.endswith('?') else '.'} Usage: {self.usage}"
        )


class FunctionTool(Tool):
    """A tool that is a function of ``owner`` and the arguments. Raises UserError for one that is not described."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        name = function.__name__
        description, of_arguments = described(function)
        if not description:
            raise UserError(f"tool {name}: it has no docstring, which is what a policy learns of it")
        self._model = _model(function, of_arguments)
        parameters = self._model.model_json_schema(schema_generator=_WithoutTitles)
        parameters.pop("title", None)
        super().__init__(name, description, {"type": "object", "properties": {}, **parameters})

    def check(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        try:
            model = self._model.model_validate_json(json.dumps(self.read(arguments)))
        except ValidationError as error:
            raise self.refusal("; ".join(self._told(problem) for problem in error.errors()[:3])) from None
        fields = type(model).model_fields
        return {str(fields[key].alias): getattr(model, key) for key in fields if key in model.model_fields_set}

    def run(self, owner: Any, arguments: Mapping[str, Any]) -> Any:
        return self.function(owner, **arguments)

    def _told(self, problem: Any) -> str:
        path = ".".join(map(str, problem["loc"]))
        match problem["type"]:
            case "missing":
                return f'the argument "{path}" is missing'
            case "extra_forbidden":
                hint = did_you_mean(path[:60], self.properties)
                return f'there is no argument "{path[:60]}"{f".{hint}" if hint else ""}'
            case _:
                return f'the argument "{path}" is {_shown(problem["input"])}: {problem["msg"]}'


def typed(text: str, schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Any:
    """The value that untyped ``text`` stands for under ``schema``: itself where text fits, else what it is as JSON.

    "null" is null, also where only text would fit: who means the text puts it in quotes.

    >>> typed("12", {"type": "integer"}, {}), typed("12", {"type": "string"}, {}), typed("x", {"type": "integer"}, {})
    (12, '12', 'x')
    """
    kinds = alternatives(schema, definitions)
    if text == "null" and not any("null" in one.get("enum", ()) and None not in one["enum"] for one in kinds):
        return None
    if any(text in one["enum"] if "enum" in one else one.get("type") == "string" for one in kinds):
        return str(text)
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return str(text)
    return value


def _model(function: Callable[..., Any], described: Mapping[str, str]) -> type[BaseModel]:
    """A model with one field for each argument, under an alias: a field cannot be called "copy" or "json"."""
    name = function.__name__
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError as error:
        raise UserError(
            f"tool {name}: a type hint cannot be resolved ({error}); import it at the top of the module"
        ) from None
    fields: dict[str, Any] = {}
    for number, parameter in enumerate(list(inspect.signature(function).parameters.values())[1:]):
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise UserError(f"tool {name}: {parameter} cannot be called by name; a tool takes named arguments only")
        if parameter.name not in hints:
            raise UserError(f"tool {name}: the argument {parameter.name} has no type hint; write {parameter.name}: str")
        default = ... if parameter.default is parameter.empty else parameter.default
        about = described.get(parameter.name)
        fields[f"argument{number}"] = (hints[parameter.name], Field(default, alias=parameter.name, description=about))
    return create_model(name, __config__=ConfigDict(extra="forbid", strict=True), **fields)


class _WithoutTitles(GenerateJsonSchema):
    """Titles only repeat the names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)  # escaped: half a character cannot be told back
    return text if len(text) <= 40 else text[:40] + "…"
