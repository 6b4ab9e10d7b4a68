"""Qwen3-Coder: tags for the call, its function and each parameter.

::

    <tool_call>
    <function=get_order>
    <parameter=order>
    12
    </parameter>
    </function>
    </tool_call>
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from agentgym.tools.calls import ToolError, Untyped
from agentgym.tools.forms.form import Form, called, written
from agentgym.types import ToolCall

__all__ = ["Xml"]

_FUNCTION = re.compile(r"<function=([^>\n]*)>\s*")
_PARAMETER = re.compile(r"<parameter=([^>\n]*)>(?:\r?\n)?(.*?)(?:\r?\n)?</parameter>\s*", re.DOTALL)
_CLOSE = re.compile(r"</function>\s*(?:</tool_call>)?")
_MARKED = re.compile(r"<function=[^>\n]*>\s*(?:<parameter=|</function>)")
_TAG = re.compile(r"</?tool_call>|</?function\b|</?parameter\b")


class Xml(Form):
    """Values between tags. They have no type until the tool's schema gives them one."""

    name = "xml"
    rules = (
        "Call a tool by replying with <tool_call>\n<function=NAME>\n<parameter=NAME>\nVALUE\n</parameter>\n"
        "</function>\n</tool_call>, with one <parameter=NAME> for each argument."
    )

    def taught_by(self, template: str) -> bool:
        return "<function=" in template and "<parameter=" in template

    def marked(self, text: str) -> bool:
        return _MARKED.search(text) is not None

    def seen(self, text: str) -> bool:
        return _TAG.search(text) is not None

    def read(self, text: str) -> list[ToolCall]:
        calls, position = [], 0
        while (function := _FUNCTION.search(text, position)) is not None:
            self._no_tag(re.sub(r"<tool_call>\s*\Z", "", text[position : function.start()]))
            arguments, position = self._arguments(text, function.end())
            close = _CLOSE.match(text, position)
            if close is None:
                raise ToolError(f'The call of "{function[1][:60]}" has no </function> after its parameters.')
            calls.append(called(function[1], arguments))
            position = close.end()
        self._no_tag(text[position:])
        return calls

    def _arguments(self, text: str, position: int) -> tuple[dict[str, Any], int]:
        arguments: dict[str, Any] = {}
        while (parameter := _PARAMETER.match(text, position)) is not None:
            name = parameter[1].strip()
            if name in arguments:
                raise ToolError(f'The parameter "{name[:60]}" is there twice.')
            if "<parameter=" in parameter[2]:
                raise ToolError(f'The parameter "{name[:60]}" has no </parameter> before the next one.')
            arguments[name], position = Untyped(parameter[2]), parameter.end()
        return arguments, position

    def _no_tag(self, words: str) -> None:
        if found := _TAG.search(words):
            raise ToolError(f'There is a "{found[0]}" that belongs to no whole call.')

    def write(self, calls: Sequence[ToolCall]) -> str:
        return "\n".join(self._written(call) for call in calls)

    def _written(self, call: ToolCall) -> str:
        values = self.spelled(call.arguments).items()
        parameters = "".join(f"<parameter={name}>\n{value}\n</parameter>\n" for name, value in values)
        return f"<tool_call>\n<function={call.name}>\n{parameters}</function>\n</tool_call>"

    def spelled(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value if isinstance(value, str) else written(value) for name, value in arguments.items()}
