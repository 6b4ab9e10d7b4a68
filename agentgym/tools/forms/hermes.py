"""Hermes, Qwen 2.5, Qwen 3 and many others: ``<tool_call>{"name": …, "arguments": {…}}</tool_call>``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentgym.tools.calls import ToolError, call_of
from agentgym.tools.forms.form import Form, json_at, written
from agentgym.types import ToolCall

__all__ = ["Hermes"]

_OPEN, _CLOSE = "<tool_call>", "</tool_call>"
_CLOSED = re.compile(rf"\s*(?:{_CLOSE}|\Z)")


class Hermes(Form):
    """JSON between tags. The last tag may be missing: engines stop at it."""

    name = "hermes"
    rules = 'Call a tool by replying with <tool_call>{"name": "...", "arguments": {...}}</tool_call>.'

    def taught_by(self, template: str) -> bool:
        return _OPEN in template

    def marked(self, text: str) -> bool:
        return _OPEN in text or _CLOSE in text

    def read(self, text: str) -> list[ToolCall]:
        calls, position = [], 0
        while (start := text.find(_OPEN, position)) >= 0:
            self._no_close(text[position:start])
            value, end = json_at(text, start + len(_OPEN))
            closed = _CLOSED.match(text, end)
            if closed is None:
                raise ToolError(f"The tool call is not valid JSON: Extra data: {text[end : end + 40].strip()!r}.")
            calls.append(call_of(value))
            position = closed.end()
        self._no_close(text[position:])
        return calls

    def _no_close(self, words: str) -> None:
        if _CLOSE in words:
            raise ToolError(f"There is a {_CLOSE} without a {_OPEN} before it.")

    def write(self, calls: Sequence[ToolCall]) -> str:
        objects = [{"name": call.name, "arguments": call.arguments} for call in calls]
        return "\n".join(f"{_OPEN}{written(value, ascii=True)}{_CLOSE}" for value in objects)
