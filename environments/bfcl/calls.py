"""The tool calls in a reply: JSON, or BFCL's Python form, ``[f(a=1), g(b='x')]``.

Nothing is evaluated: the Python form is parsed, and of what is parsed only literals are taken. Departs from BFCL's
decoder, which hands text on to ``eval``, in what an argument may be: a JSON value. Nested calls, names and attributes
are refused; ``true``, ``false`` and ``null`` are read as in JSON. A reply that looks like a call and is none is told
so (there: it counts as an answer).
"""

from __future__ import annotations

import ast
import dataclasses
import json
import math
import re
from collections.abc import Iterator
from typing import Any

from agentgym.errors import ParseError
from agentgym.tools.calls import ToolError, call_of, unique_names
from agentgym.types import Action

__all__ = ["MAX_CALLS", "Call", "parse_call", "parse_calls", "written"]

MAX_CALLS = 50
"""Calls that one reply may hold; a ground truth has up to 34."""
_MAX_CHARACTERS = 50_000
_MAX_DEPTH = 20

_FENCED = re.compile(r"```(?:\w*\n)?(.*?)```", re.DOTALL)
_LONE_CALL = re.compile(r"[A-Za-z_]\w*\(.*\)", re.DOTALL)
_JSON = re.compile(r"\{|\[\s*\{")
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONSTANTS = {"true": True, "false": False, "null": None}

_VALUES = "An argument is text, a number, true, false, null, a list or an object of these."
_FORMS = 'Calls are written [tool(name="value")] or [{"name": "tool", "arguments": {"name": "value"}}].'


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One call, not yet bound to a tool; all values are JSON values."""

    name: str
    arguments: dict[str, Any]
    positional: tuple[Any, ...] = ()


def parse_calls(action: str) -> list[Call]:
    """The calls in a reply; none where it is an answer in words. Raises ParseError, whose text the policy is shown.

    >>> parse_calls("[cd(folder='a'), ls()]")
    [Call(name='cd', arguments={'folder': 'a'}, positional=()), Call(name='ls', arguments={}, positional=())]
    >>> parse_calls("I have done that.")
    []
    """
    calls = list(_found(action))
    if len(calls) > MAX_CALLS:
        raise ParseError(f"A reply may hold {MAX_CALLS} calls, found {len(calls)}.")
    for call in calls:
        _check([call.name, call.arguments, list(call.positional)])
    return calls


def _found(action: str) -> Iterator[Call]:
    if isinstance(action, Action) and action.tool_calls:
        return (Call(call.name, call.arguments) for call in action.tool_calls)
    text = action.strip()
    if fenced := _FENCED.fullmatch(text):
        text = fenced[1].strip()
    if not (text.startswith(("[", "{")) or _LONE_CALL.fullmatch(text)):
        return iter(())
    if len(text) > _MAX_CHARACTERS:
        raise ParseError(f"Calls may take {_MAX_CHARACTERS} characters, found {len(text)}.")
    return _from_json(text) if _JSON.match(text) else _from_python(text)


def _from_json(text: str) -> Iterator[Call]:
    try:
        value = json.loads(text, object_pairs_hook=unique_names)
    except (ValueError, RecursionError) as error:
        raise ParseError(f"The call is not valid JSON: {error}. {_FORMS}") from None
    for item in value if isinstance(value, list) else [value]:
        try:
            call = call_of(item)
        except ToolError as error:
            raise ParseError(f"{error} {_FORMS}") from None
        yield Call(call.name, call.arguments)


def _from_python(text: str) -> Iterator[Call]:
    try:
        node = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ParseError(f"The call cannot be read: {type(error).__name__}. {_FORMS}") from None
    return map(_call, node.elts if isinstance(node, ast.List) else [node])


def parse_call(text: str) -> Call:
    """The one call that ``text`` writes in Python. Raises ParseError."""
    return next(_from_python(text.strip()))


def _call(node: ast.expr) -> Call:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        raise ParseError(f"A call is the name of a tool with arguments in parentheses. {_FORMS}")
    named: dict[str, Any] = {}
    for keyword in node.keywords:
        if keyword.arg is None or keyword.arg in named:
            raise ParseError(f"Every argument of {node.func.id} is given once, by its name. {_FORMS}")
        named[keyword.arg] = _value(keyword.value)
    return Call(node.func.id, named, tuple(map(_value, node.args)))


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    try:
        return ast.literal_eval(_JSON_CONSTANTS.visit(node))
    except (ValueError, TypeError, RecursionError, MemoryError):
        raise ParseError(f"{_VALUES} {_FORMS}") from None


class _JsonConstants(ast.NodeTransformer):
    """JSON's names for constants → the constants."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(_CONSTANTS[node.id]) if node.id in _CONSTANTS else node


_JSON_CONSTANTS = _JsonConstants()


def _check(value: Any, depth: int = 0) -> None:
    """Raise ParseError for what is no JSON value, or none that UTF-8 can carry."""
    match value:
        case str():
            if not value.isascii() and _SURROGATE.search(value):
                raise ParseError("Text holds half of a character (a lone surrogate).")
        case bool() | None:
            pass
        case int() | float():
            if not math.isfinite(value):
                raise ParseError("A number must be finite.")
        case list() | dict():
            if depth > _MAX_DEPTH:
                raise ParseError(f"Arguments are nested deeper than {_MAX_DEPTH} levels.")
            for item in value if isinstance(value, list) else _parts(value):
                _check(item, depth + 1)
        case _:
            raise ParseError(f"{_VALUES} {_FORMS}")


def _parts(value: dict[Any, Any]) -> Iterator[Any]:
    for name, item in value.items():
        if not isinstance(name, str):
            raise ParseError(f"The names in an object are text, found {name!r:.40}.")
        yield from (name, item)


def written(name: str, arguments: dict[str, Any]) -> str:
    """A call in the Python form."""
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"
