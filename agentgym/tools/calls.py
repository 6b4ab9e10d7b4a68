"""Calls of tools as text, for protocols whose actions are text.

Two forms are read: JSON as models are taught it, one object or a list of them, and a short one::

    {"name": "get_order", "arguments": {"order": 12}}
    get_order(order=12)

For "arguments" an object may have "parameters", as Llama 3 writes it, and beside them an "id" and "type": "function".
With anything else in it, it is no call: one whose arguments go by another name is not run without them.

Values of the short form need no quotes. Such a value has no type until the tool's schema gives it one, so it is kept
as ``Untyped`` text. It ends at a comma or parenthesis; a text that has one of these is put into quotes, double ones as
in JSON or single ones as in Python, and lists and objects are written as JSON.

Text that sets out to be a call and cannot be read is a mistake, of which the policy is told: it is no answer. What has
nothing of a call is words.
"""

from __future__ import annotations

import difflib
import functools
import json
import re
from collections.abc import Collection
from typing import Any

from agentgym.errors import AgentGymError
from agentgym.types import Action, ToolCall

__all__ = [
    "QUOTING",
    "ToolError",
    "UnreadableError",
    "Untyped",
    "call",
    "call_of",
    "key_of",
    "named_in_json",
    "parse_calls",
    "read_json",
    "unique_names",
]

QUOTING = (
    'A text with a comma or a parenthesis goes in double quotes, as in argument="a, b"; lists and objects are JSON.'
)
"""How to write values, as policies are told it."""

_BLANK = re.compile(r"\s*")
_PLAIN_KEY = r"[^\s=,(){}\"']+"
_KEY = re.compile(rf"(?:({_PLAIN_KEY})|(\"(?:[^\"\\]|\\.)*\"))\s*=\s*")
_BARE = re.compile(r"[^,()]*")
_SINGLE = re.compile(r"'((?:[^'\\]|\\.)*)'(?=\s*[,)])", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:[nrt\\'\"]|u(?![dD][89a-fA-F])([0-9a-fA-F]{4}))")
_ESCAPES = {r"\n": "\n", r"\r": "\r", r"\t": "\t", r"\\": "\\", r"\'": "'", r"\"": '"'}
_HEAD = re.compile(r"\s*([^\s(){}\[\]=,\"']+)\s*\(")
_INSIDE = rf"\(\s*(?:\)|{_PLAIN_KEY}\s*=)"
"""How the arguments of a call begin, which no remark in parentheses does."""
_LIKE = re.compile(_INSIDE)
_QUOTED = re.compile(r"\(\s*(?:[\"'\[{]|\Z)")
"""How they begin where somebody writes values without names; right after a name this is no remark either."""
_COMPOUND = re.compile(r"\w[_/:.-]+\w")
"""What a name has that is no word."""
_NAMED = re.compile(r"\"(?:name|tool|tool_name|function|action)\"\s*:\s*\"([^\"\n]*)\"")
_MARKS = "`*:;\"' \n"
"""What may be around a tool's name that is said alone."""
_ONE = '{"name": "...", "arguments": {...}}'
_LIST = f"[{_ONE}, ...]"
_OTHERWISE = re.compile(rf"\[|\s*[\{{\uff08]|\s*[:,]?\s+{_PLAIN_KEY}\s*=|\s*(?:[-=]>|\u2192)|\s+--?[A-Za-z]")
"""What follows a tool's name where the call is written in a way that is not read here."""


class ToolError(AgentGymError):
    """A call that cannot be carried out. Its text is shown to the policy."""


class UnreadableError(ToolError):
    """A call whose text cannot be read. ``tool`` is the name in it."""

    def __init__(self, tool: str, problem: str) -> None:
        super().__init__(f"This call cannot be read: {problem}. {QUOTING}")
        self.tool = tool


class Untyped(str):
    """A value written without a type: text until a schema says what it is."""

    __slots__ = ()


def call(name: str, /, **arguments: Any) -> Action:
    """An action that calls one tool, whose text is the short form: what an expert says.

    >>> call("get_order", order=12), call("write", text="a, b")
    ('get_order(order=12)', 'write(text="a, b")')
    """
    given = ", ".join(f"{key_of(key)}={_written(value)}" for key, value in arguments.items())
    return Action(f"{name}({given})", tool_calls=[ToolCall(name=name, arguments=arguments)])


def key_of(argument: str) -> str:
    """An argument's name as the short form has it: in quotes where it would not be read without."""
    return argument if re.fullmatch(_PLAIN_KEY, argument) else json.dumps(argument, ensure_ascii=False)


def parse_calls(text: str, tools: Collection[str] = ()) -> list[ToolCall] | None:
    """The calls that ``text`` makes, in order; None where it is words. ``tools`` are the names that there are.

    Raises ToolError for a text that begins as a call does, or names a tool as a call would, and cannot be read.

    >>> parse_calls("get_order(order=12)"), parse_calls("Your order is on its way.")
    ([ToolCall(name='get_order', arguments={'order': '12'}, id='')], None)
    """
    found = _of_known(text, tools) or _of_any(text, tools)
    if found is not None:
        return [found]
    if text.lstrip()[:1] in ("{", "["):
        return _from_json(text)
    if tools and (named := _calling(tuple(tools)).search(text)):
        tool = next(filter(None, named.groups()))
        raise UnreadableError(
            tool, f"there is more than the call of {tool}; write {tool}(argument=value) alone, or words without a call"
        )
    return None


def _of_known(text: str, tools: Collection[str]) -> ToolCall | None:
    """The call of a tool that there is, whatever its name looks like; None where ``text`` does not begin as one."""
    text = text.strip()
    bare = text.strip(_MARKS)
    name = bare if bare in tools else max((name for name in tools if text.startswith(name)), key=len, default=None)
    if name is None:
        return None
    if bare == name or _OTHERWISE.match(text, len(name)):
        raise UnreadableError(name, f"its arguments stand in parentheses after the name; write {name}(argument=value)")
    start = _past_blanks(text, len(name))
    if text[start : start + 1] != "(" or (start > len(name) and name.isalpha() and not _LIKE.match(text, start)):
        return None  # another word, or a remark in parentheses after one that is a word too
    arguments, end = _arguments(name, text, start + 1)
    if text[end:].strip():
        found = f"after it comes {_shown(text[end:].strip())}"
        raise UnreadableError(name, f"{found}; write one call and nothing else, or several as a list: {_LIST}")
    return ToolCall(name=name, arguments=arguments)


def _of_any(text: str, tools: Collection[str]) -> ToolCall | None:
    """The call of a tool that there may not be; None where it is more likely that ``text`` is words."""
    head = _HEAD.match(text)
    if head is None:
        return None
    try:
        arguments, end = _arguments(head[1], text, head.end())
    except UnreadableError:
        is_whole = text.rstrip().endswith(")") or ")" not in text
        is_code = _LIKE.match(text, head.end() - 1) or (tools and _is_joined(text, head))
        if (is_whole and is_code) or _is_near(text[head.start(1) : head.end() - 1], tools):
            raise
        return None
    return None if text[end:].strip() else ToolCall(name=head[1], arguments=arguments)


def _is_joined(text: str, head: re.Match[str]) -> bool:
    """Whether a name and what follows it look like code, and not like a word and a remark, or a formula."""
    at_once = head.end(1) == head.end() - 1
    return at_once and bool(_QUOTED.match(text, head.end(1)) or _COMPOUND.search(head[1]))


def _is_near(name: str, tools: Collection[str]) -> bool:
    """Whether it is a tool's name but for a slip, and no word with a blank before a remark in parentheses."""
    known = [tool.casefold() for tool in tools]
    return name == name.rstrip() and bool(difflib.get_close_matches(name[:60].casefold(), known, n=1, cutoff=0.8))


@functools.lru_cache(maxsize=64)
def _calling(tools: tuple[str, ...]) -> re.Pattern[str]:
    """Finds a call of one of them among words, or a tag of its name."""
    names, compound = (
        "|".join(re.escape(name) for name in sorted(some, key=len, reverse=True)) or "(?!)"
        for some in (tools, list(filter(_COMPOUND.search, tools)))
    )
    return re.compile(
        rf"(?<![\w./-])(?:({names})(?:{_INSIDE}|\(\s*[\"'\[{{])|({compound})[(\uff08])"
        rf"|<({names})[\s/>]"
    )


def named_in_json(text: str, tools: Collection[str]) -> str | None:
    """The tool that an object of JSON among words names, as a call does; None where there is none.

    >>> named_in_json('Here: {"tool": "go"}', ["go"]), named_in_json('{"title": "go"}', ["go"])
    ('go', None)
    """
    found = (match[1] for match in _NAMED.finditer(text))
    return next((name for name in found if name in tools), None)


def _from_json(text: str) -> list[ToolCall]:
    try:
        value, end = read_json(text)
        if text[end:].strip():
            raise ValueError(f"Extra data: {_shown(text[end:].strip())}")
    except ValueError as error:
        raise ToolError(
            f"This is not valid JSON: {error}. Write {_ONE}, or an answer that begins with a word."
        ) from None
    calls = value if isinstance(value, list) else [value]
    if not calls:
        raise ToolError("The list of calls is empty.")
    return [call_of(one) for one in calls]


def read_json(text: str, start: int = 0, *, decoder: json.JSONDecoder | None = None) -> tuple[Any, int]:
    """The JSON value that begins at ``start``, blanks left out, and where it ends. Raises ValueError.

    An infinity, half of a character and a name that an object has twice are no JSON.
    """
    while text[start : start + 1].isspace():
        start += 1
    try:
        value, end = (decoder or _DECODER).raw_decode(text, start)
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
_LENIENT = json.JSONDecoder(object_pairs_hook=unique_names, strict=False)


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


def _arguments(tool: str, text: str, position: int) -> tuple[dict[str, Any], int]:
    """The arguments that begin at ``position``, and where their parenthesis has closed. Raises UnreadableError."""
    arguments: dict[str, Any] = {}
    position = _past_blanks(text, position)
    while text[position : position + 1] != ")":
        key = _KEY.match(text, position)
        if key is None:
            expected = f"{_next(text, position)} stands where argument=value or the end of the call was expected"
            raise UnreadableError(tool, expected)
        name = key[1] or _json_at(tool, "a name", text, key.start())[0]
        if name in arguments:
            raise UnreadableError(tool, f"the argument {_shown(name)} is there twice")
        arguments[name], position = _value(tool, name, text, key.end())
        position = _past_blanks(text, position)
        if text[position : position + 1] == ",":
            position = _past_blanks(text, position + 1)
        elif text[position : position + 1] != ")":
            after = f"after the value of {_shown(name)} comes {_next(text, position)}"
            raise UnreadableError(tool, f"{after}, where a comma or the end of the call was expected")
    return arguments, position + 1


def _past_blanks(text: str, position: int) -> int:
    blank = _BLANK.match(text, position)
    assert blank is not None
    return blank.end()


def _next(text: str, position: int) -> str:
    return _shown(text[position : position + 40]) if position < len(text) else "the end of the text"


def _value(tool: str, name: str, text: str, start: int) -> tuple[Any, int]:
    """The value that begins at ``start``, and where it ends."""
    if text[start : start + 1] in ('"', "[", "{"):
        return _json_at(tool, f"the value of {_shown(name)}", text, start)
    if single := _SINGLE.match(text, start):
        return _unquoted(single[1]), single.end()
    bare = _BARE.match(text, start)
    assert bare is not None
    if re.fullmatch(r"'.*'\s*", bare[0], re.DOTALL):
        raise UnreadableError(tool, f"the value of {_shown(name)} has quotes within quotes")
    return Untyped(bare[0].strip()), bare.end()


def _json_at(tool: str, what: str, text: str, start: int) -> tuple[Any, int]:
    """JSON in which a text may have line breaks as they are."""
    try:
        return read_json(text, start, decoder=_LENIENT)
    except ValueError as error:
        raise UnreadableError(tool, f"{what} is not valid JSON ({error})") from None


def _unquoted(text: str) -> str:
    """What stands between single quotes, with Python's common escapes read."""
    return _ESCAPE.sub(lambda found: _ESCAPES.get(found[0]) or chr(int(found[1], 16)), text)


def _written(value: Any) -> str:
    """A value as the short form has it."""
    bare = isinstance(value, str) and value == value.strip() and not re.search(r"[,()]|^[\"\[{']|^(?:null)?\Z", value)
    return value if bare else json.dumps(value, ensure_ascii=False)
