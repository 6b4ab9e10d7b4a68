"""Llama 3: ``{"name": …, "parameters": {…}}``, with or without ``<|python_tag|>`` before it.

Its built-in tools are called as ``<|python_tag|>brave_search.call(query="…")``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentgym.tools.calls import ToolError, call_of
from agentgym.tools.forms.form import Form, json_at, written
from agentgym.tools.forms.pythonic import python_calls
from agentgym.types import ToolCall

__all__ = ["Llama"]

_TAG = "<|python_tag|>"
_TOKENS = re.compile(r"<\|(?:python_tag|python_start|python_end|eom_id|eot_id|eot|eom)\|>")
_KEYS = "name|type|function|id|parameters|arguments"
_OBJECT = re.compile(rf'\{{\s*"(?:{_KEYS})"\s*:')
_BEGUN = re.compile(rf"""\s*(?:\[\s*)?\{{\s*(?:["']?(?:{_KEYS})["']?\s*:|"?\w*\Z)""")
_MARKED = re.compile(
    r'\{\s*(?:"type"\s*:\s*"function"\s*,\s*)?"name"\s*:\s*"[^"]*"\s*,\s*"(?:parameters|arguments)"\s*:'
    r'|\A\s*(?:\[\s*)?\{\s*"(?:parameters|arguments)"\s*:'
)


class Llama(Form):
    """JSON objects, nothing around them."""

    name = "llama"
    rules = 'Call a tool by replying with {"name": "...", "parameters": {...}}; write ";" between several.'

    def taught_by(self, template: str) -> bool:
        return _TAG in template or '"parameters": dictionary' in template

    def marked(self, text: str) -> bool:
        return _TAG in text or _MARKED.search(text) is not None

    def seen(self, text: str) -> bool:
        return self.marked(text) or _BEGUN.match(text) is not None

    def read(self, text: str) -> list[ToolCall]:
        text = _TOKENS.sub(" ", text)
        calls, position = [], 0
        while (start := _OBJECT.search(text, position)) is not None:
            value, position = json_at(text, start.start())
            calls.append(call_of(value))
        if calls:
            return calls
        if found := re.fullmatch(r"\s*([\w.]+?)\.call(\(.*\))\s*", text, re.DOTALL):
            return python_calls(f"[{found[1]}{found[2]}]")
        if "{" in text:
            json_at(text, text.find("{"))  # says what is wrong with it
        raise ToolError("There is no call in this.")

    def write(self, calls: Sequence[ToolCall]) -> str:
        return "; ".join(written({"name": call.name, "parameters": call.arguments}) for call in calls)
