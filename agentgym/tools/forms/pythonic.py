"""Llama 3.2 and 4, ToolACE and others: ``[get_order(order=12), leave()]``.

Nothing is evaluated: the text is parsed, and of what is parsed only literals are taken.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from typing import Any

from agentgym.tools.calls import ToolError
from agentgym.tools.forms.form import Form
from agentgym.types import ToolCall

__all__ = ["Pythonic", "python_calls"]

_TOKENS = re.compile(r"<\|(?:python_tag|python_start|python_end|eom_id|eot_id|eot|eom)\|>")
_NAME = r"[A-Za-z_][\w.]*"
_BEGUN = re.compile(rf"^[ \t]*\[\s*{_NAME}\((?:\s*\)|\s*{_NAME}\s*=)", re.MULTILINE)
_WHOLE = re.compile(rf"\s*\[\s*{_NAME}\s*\(.*", re.DOTALL)
_ALONE = re.compile(rf"\s*{_NAME}\((?:\s*\)|\s*{_NAME}\s*=.*\))\s*", re.DOTALL)
_PARTS = re.compile(r"""[()\[\]{}]|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\"""", re.DOTALL)
_CONSTANTS = {"true": True, "false": False, "null": None}
_LONGEST = 50_000


class Pythonic(Form):
    """A list of calls as Python has them."""

    name = "pythonic"
    rules = 'Call tools by replying with [NAME(ARGUMENT="...", OTHER=1)]; write "," between several calls in the list.'

    def taught_by(self, template: str) -> bool:
        return re.search(r"\[\s*func(?:tion)?_?name\d?\(", template) is not None

    def marked(self, text: str) -> bool:
        return _BEGUN.search(_TOKENS.sub("", text)) is not None

    def seen(self, text: str) -> bool:
        bare = _TOKENS.sub("", text)
        return self.marked(text) or _WHOLE.match(bare) is not None or _ALONE.fullmatch(bare) is not None

    def read(self, text: str) -> list[ToolCall]:
        text = _TOKENS.sub("", text)
        if _ALONE.fullmatch(text):
            return python_calls(f"[{text.strip()}]")
        calls, position = [], 0
        while (found := _BEGUN.search(text, position) or (_WHOLE.match(text) if not position else None)) is not None:
            position = _end(text, found.start())
            calls += python_calls(text[found.start() : position].strip())
        return calls

    def write(self, calls: Sequence[ToolCall]) -> str:
        return f"[{', '.join(_written(call) for call in calls)}]"


def python_calls(text: str) -> list[ToolCall]:
    """The calls in a list of them. Raises ToolError."""
    if len(text) > _LONGEST:
        raise ToolError(f"Calls may take {_LONGEST} characters, found {len(text)}.")
    try:
        node = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        problem = error.msg if isinstance(error, SyntaxError) else type(error).__name__
        raise ToolError(f"The calls cannot be read: {problem}.") from None
    if not isinstance(node, ast.List):
        raise ToolError("The calls are not in a list.")
    return [_call(one) for one in node.elts]


def _call(node: ast.expr) -> ToolCall:
    name = _dotted(node.func) if isinstance(node, ast.Call) else None
    if not isinstance(node, ast.Call) or name is None:
        raise ToolError("Each item of the list must be a call: a tool's name, and arguments in parentheses.")
    if node.args:
        raise ToolError(f"{name[:60]}: every argument is given by its name, as in ARGUMENT=1.")
    arguments: dict[str, Any] = {}
    for keyword in node.keywords:
        if keyword.arg is None or keyword.arg in arguments:
            raise ToolError(f"{name[:60]}: every argument is given once, by its name.")
        arguments[keyword.arg] = _value(keyword.value)
    return ToolCall(name=name, arguments=arguments)


def _dotted(node: ast.expr) -> str | None:
    """``a`` or ``a.b.c``; None for anything else that could be called."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else None


def _value(node: ast.expr) -> Any:
    try:
        value = ast.literal_eval(_JsonConstants().visit(node))
        same = json.loads(json.dumps(value, ensure_ascii=False, allow_nan=False).encode())
    except (ValueError, TypeError, RecursionError, MemoryError):
        same = value = NotImplemented
    if value is NotImplemented or same != value:  # a tuple, and an object whose names are numbers, are no JSON
        raise ToolError("An argument is text, a number, True, False, None, a list or an object of these.")
    return value


class _JsonConstants(ast.NodeTransformer):
    """JSON's names for constants → the constants."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(_CONSTANTS[node.id]) if node.id in _CONSTANTS else node


def _end(text: str, start: int) -> int:
    """Where the bracket that opens first is closed again; the end of the text where it is not."""
    depth = 0
    for part in _PARTS.finditer(text, start):
        depth += (part[0] in "([{") - (part[0] in ")]}")
        if depth == 0:
            return part.end()
    return len(text)


def _written(call: ToolCall) -> str:
    # Escapes keep a thought's end out of texts.
    values = {name: re.sub(r"(?<=[<\[])/(?=think>|THINK\])", r"\\x2f", repr(v)) for name, v in call.arguments.items()}
    return f"{call.name}({', '.join(f'{name}={value}' for name, value in values.items())})"
