"""Mistral: ``[TOOL_CALLS][{"name": …, "arguments": {…}}]``; since 2025 ``[TOOL_CALLS]name[ARGS]{…}`` for each call."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentgym.tools.calls import ToolError, call_of
from agentgym.tools.forms.form import Form, called, json_at, written
from agentgym.types import ToolCall

__all__ = ["Mistral", "MistralArgs"]

_MARK = "[TOOL_CALLS]"
_HEAD = re.compile(r"\s*([^\s\[\]{}]+)\s*(?:\[CALL_ID\]\s*([^\s\[\]{}]*)\s*)?(?:\[ARGS\])?(?=\s*\{)")


class Mistral(Form):
    """A list of objects after a token. Reads both."""

    name = "mistral"
    rules = 'Call tools by replying with your token for tool calls, then [{"name": "...", "arguments": {...}}].'

    def taught_by(self, template: str) -> bool:
        return _MARK in template and "[ARGS]" not in template

    def marked(self, text: str) -> bool:
        return _MARK in text or "[ARGS]" in text

    def read(self, text: str) -> list[ToolCall]:
        calls, position = [], 0
        while (start := text.find(_MARK, position)) >= 0:
            found, position = self._from(text, start + len(_MARK))
            calls += found
            if re.match(r"\s*[\[\]{},]", text[position:]) and not text[position:].lstrip().startswith(_MARK):
                raise ToolError(f"The tool call is not valid JSON: Extra data: {text[position : position + 40]!r}.")
        if not calls:
            raise ToolError("There are arguments without the token for tool calls before them.")
        return calls

    def _from(self, text: str, start: int) -> tuple[list[ToolCall], int]:
        """The calls after one mark, and where they end."""
        head = _HEAD.match(text, start)
        value, end = json_at(text, head.end() if head else start)
        if head:
            return [called(head[1], value, head[2] or "")], end
        values = value if isinstance(value, list) else [value]
        if not values:
            raise ToolError("The list of calls is empty.")
        return [call_of(one) for one in values], end

    def write(self, calls: Sequence[ToolCall]) -> str:
        return _MARK + written([{"name": call.name, "arguments": call.arguments} for call in calls])


class MistralArgs(Mistral):
    """Name and arguments, a token before each."""

    name = "mistral-args"
    rules = "Call a tool by replying with your token for tool calls, its name, your token for arguments, then {...}."

    def taught_by(self, template: str) -> bool:
        return _MARK in template and "[ARGS]" in template

    def write(self, calls: Sequence[ToolCall]) -> str:
        return "".join(f"{_MARK}{call.name}[ARGS]{written(call.arguments)}" for call in calls)
