"""Tool calls in the form most chat templates teach: ``<tool_call>{"name": …, "arguments": {…}}</tool_call>``.

A reply may hold several calls. One without any is plain text to the environment, for instance an answer to
a user; environments that accept only calls say so in their reply. The tools come with the observation and
go to the chat template, which writes their schemas into the prompt.
"""

from __future__ import annotations

import json
import re
from typing import Any

from agentgym.errors import ParseError
from agentgym.protocol import Protocol
from agentgym.registry import register
from agentgym.types import Action, ToolCall

__all__ = ["Tools"]

_CALL = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)


@register
class Tools(Protocol):
    """Hermes-style tool calls."""

    rules = 'Call a tool by replying with <tool_call>{"name": "...", "arguments": {...}}</tool_call>.'

    def parse(self, reply: str) -> Action:
        calls = [self._call(text) for text in _CALL.findall(reply)]
        if calls:
            return Action(tool_calls=calls)
        if not reply.strip():
            raise ParseError("Your reply was empty. Call a tool or answer in words.")
        return Action(reply.strip())

    def _call(self, text: str) -> ToolCall:
        try:
            call: Any = json.loads(text)
            json.dumps(call, ensure_ascii=False, allow_nan=False).encode()  # no infinity, no half of a character
        except (ValueError, RecursionError) as error:
            raise ParseError(f"The tool call is not valid JSON: {error}. {self.rules}") from None
        named = isinstance(call, dict) and isinstance(call.get("name"), str)
        if not (named and isinstance(call.get("arguments", {}), dict)):
            raise ParseError(f'A tool call is an object with "name" (text) and "arguments" (object). {self.rules}')
        return ToolCall(name=call["name"], arguments=call.get("arguments", {}))

    def format(self, action: Action) -> str:
        calls = [{"name": call.name, "arguments": call.arguments} for call in action.tool_calls]
        reply = "\n".join(f"<tool_call>{json.dumps(call)}</tool_call>" for call in calls)
        if not calls:
            return self.checked(str(action), action)
        return self.checked(reply, Action(tool_calls=action.tool_calls))  # whatever text the calls came with
