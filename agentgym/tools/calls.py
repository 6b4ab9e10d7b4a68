"""Calls of tools as text, for protocols whose actions are text.

Two forms are read: JSON as models are taught it, one object or a list of them, and a short one::

    {"name": "get_order", "arguments": {"order": 12}}
    get_order(order=12)

For "arguments" an object may have "parameters", as Llama 3 writes it, and beside them an "id" and "type": "function".
With anything else in it, it is no call: one whose arguments go by another name is not run without them.

Values of the short form need no quotes. Such a value has no type until the tool's schema gives it one, so it is kept
as ``Untyped`` text. It ends at a comma or parenthesis; a text that has one of these is written as a JSON string, and
lists and objects are written as JSON too. Text in neither form is words.
"""

from __future__ import annotations

import json
import re
from typing import Any

from agentgym.errors import AgentGymError
from agentgym.types import Action, ToolCall

__all__ = ["ToolError", "Untyped", "call", "call_of", "parse_calls", "read_json", "unique_names"]

_SHORT = re.compile(r"\s*([A-Za-z_][\w.-]*)\s*\((.*)\)\s*", re.DOTALL)
_KEY = re.compile(r"\s*([A-Za-z_][\w-]*)\s*=\s*")
_BARE = re.compile(r"[^,()]*")
_COMMA = re.compile(r"\s*(?:,|\Z)")


class ToolError(AgentGymError):
    """A call that cannot be carried out. Its text is shown to the policy."""


class Untyped(str):
    """A value written without a type: text until a schema says what it is."""

    __slots__ = ()


def call(name: str, /, **arguments: Any) -> Action:
    """An action that calls one tool, whose text is the short form: what an expert says.

    >>> call("get_order", order=12), call("write", text="a, b")
    ('get_order(order=12)', 'write(text="a, b")')
    """
    given = ", ".join(f"{key}={_written(value)}" for key, value in arguments.items())
    return Action(f"{name}({given})", tool_calls=[ToolCall(name=name, arguments=arguments)])


def parse_calls(text: str) -> list[ToolCall] | None:
    """The calls that ``text`` makes, in order; None where it is words.

    Raises ToolError for a text that begins as JSON does and is no call.

    >>> parse_calls("get_order(order=12)"), parse_calls("Your order is on its way.")
    ([ToolCall(name='get_order', arguments={'order': '12'}, id='')], None)
    """
    if text.lstrip()[:1] in ("{", "["):
        return _from_json(text)
    found = _SHORT.fullmatch(text)
    arguments = _arguments(found[2]) if found else None
    return None if found is None or arguments is None else [ToolCall(name=found[1], arguments=arguments)]


def _from_json(text: str) -> list[ToolCall]:
    try:
        value, end = read_json(text)
        if text[end:].strip():
            raise ValueError(f"Extra data: {_shown(text[end:].strip())}")
    except ValueError as error:
        raise ToolError(f"This is not valid JSON: {error}.") from None
    calls = value if isinstance(value, list) else [value]
    if not calls:
        raise ToolError("The list of calls is empty.")
    return [call_of(one) for one in calls]


def read_json(text: str, start: int = 0) -> tuple[Any, int]:
    """The JSON value that begins at ``start``, blanks left out, and where it ends. Raises ValueError.

    An infinity, half of a character and a name that an object has twice are no JSON.
    """
    while text[start : start + 1].isspace():
        start += 1
    try:
        value, end = _DECODER.raw_decode(text, start)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    return value, end


def unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, for a decoder's ``object_pairs_hook``. Raises ValueError for a name that is there twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the name {_shown(next(name for name in names if names.count(name) > 1))} is there twice")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=unique_names)


def call_of(value: Any) -> ToolCall:
    """The call that a JSON value is. Raises ToolError, whose text says what was found."""
    keys = set(value) if isinstance(value, dict) else set()
    if not keys:
        found = "an empty object" if value == {} else _shown(value)
    elif not isinstance(value.get("name"), str):
        found = f'"name": {_shown(value["name"])}' if "name" in keys else f"the keys {_listed(value)}"
    elif {"arguments", "parameters"} <= keys or keys - _KEYS or value.get("type", "function") != "function":
        found = f"the keys {_listed(value)}"
    else:
        arguments = value.get("arguments", value.get("parameters", {}))
        if isinstance(arguments, dict):
            id = value.get("id")
            return ToolCall(name=value["name"], arguments=arguments, id=id if isinstance(id, str) else "")
        found = f"the arguments {_shown(arguments)}"
    raise ToolError(f'A call is an object with "name" (text) and "arguments" (object); found {found}.')


_KEYS = {"name", "arguments", "parameters", "id", "type"}


def _listed(value: dict[str, Any]) -> str:
    return ", ".join(_shown(key) for key in list(value)[:8])


def _shown(value: Any) -> str:
    text = json.dumps(value)  # escaped: half a character cannot be told back
    return text if len(text) <= 60 else text[:60] + "…"


def _arguments(text: str) -> dict[str, Any] | None:
    """``key=value`` pairs with commas between them; None where it is something else."""
    arguments: dict[str, Any] = {}
    position = 0
    while text[position:].strip():
        key = _KEY.match(text, position)
        value = _value(text, key.end()) if key else None
        comma = _COMMA.match(text, value[1]) if value else None
        if key is None or value is None or comma is None or key[1] in arguments:
            return None
        arguments[key[1]], position = value[0], comma.end()
    return arguments


def _value(text: str, start: int) -> tuple[Any, int] | None:
    """The value that begins at ``start``, and where it ends."""
    if text[start : start + 1] in ('"', "[", "{"):
        try:
            return read_json(text, start)
        except ValueError:
            return None
    bare = _BARE.match(text, start)
    assert bare is not None
    return Untyped(bare[0].strip()), bare.end()


def _written(value: Any) -> str:
    """A value as the short form has it."""
    bare = isinstance(value, str) and value and value == value.strip() and not re.search(r"[,()]|^[\"\[{]", value)
    return value if bare else json.dumps(value, ensure_ascii=False)
