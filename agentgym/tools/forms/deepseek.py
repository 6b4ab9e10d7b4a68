"""DeepSeek: special tokens around the calls and around each call; V3 and R1 fence the arguments, V3.1 does not.

::

    <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_order
    ```json
    {"order": 12}
    ```<｜tool▁call▁end｜><｜tool▁calls▁end｜>

    <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_order<｜tool▁sep｜>{"n": 12}<｜tool▁call▁end｜><｜tool▁calls▁end｜>
"""

# ruff: noqa: RUF001

from __future__ import annotations

import re
from collections.abc import Sequence

from agentgym.tools.calls import ToolError
from agentgym.tools.forms.form import Form, called, json_at, written
from agentgym.types import ToolCall

__all__ = ["DeepSeek", "DeepSeek31"]

_ALL, _ALL_END = "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"
_ONE, _SEPARATOR, _ONE_END = "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>"
_ANY = re.compile("|".join((_ALL, _ALL_END, _ONE, _SEPARATOR, _ONE_END)))
_HEAD = re.compile(rf"(?:{_ALL}\s*)?{_ONE}\s*([^\s<{{]+)\s*{_SEPARATOR}(?:\s*([^\s`{{]+)\s*?\n)?\s*(```(?:json)?)?\s*")
_END = re.compile(rf"\s*(```)?\s*(?:{_ONE_END}\s*(?:{_ALL_END})?|\Z)")


class DeepSeek(Form):
    """As V3 and R1 write. Reads both."""

    name = "deepseek"
    rules = (
        "Call a tool by replying with your tokens for the begin of tool calls and of one call, the word function, your "
        "token for a separator, the name, then on lines of their own ```json, {...} and ```, and the end tokens."
    )

    def taught_by(self, template: str) -> bool:
        return _ONE in template and "```json" in template

    def marked(self, text: str) -> bool:
        return _ANY.search(text) is not None

    def read(self, text: str) -> list[ToolCall]:
        calls, position = [], 0
        while (head := _HEAD.search(text, position)) is not None:
            self._no_token(text[position : head.start()])
            value, position = json_at(text, head.end())
            end = _END.match(text, position)
            if end is None or (end[1] is None) != (head[3] is None):
                raise ToolError(f'The call of "{(head[2] or head[1])[:60]}" has no end after its arguments.')
            calls.append(called(self._name(head), value))
            position = end.end()
        self._no_token(text[position:])
        return calls

    def _name(self, head: re.Match[str]) -> str:
        if head[2] is not None and head[1] != "function":
            raise ToolError(f'A call is of the kind "function"; found "{head[1][:60]}".')
        return head[2] or head[1]

    def _no_token(self, words: str) -> None:
        if _ANY.search(words):
            raise ToolError("There is a token for tool calls that belongs to no whole call.")

    def write(self, calls: Sequence[ToolCall]) -> str:
        each = (
            f"{_ONE}function{_SEPARATOR}{call.name}\n```json\n{written(call.arguments)}\n```{_ONE_END}"
            for call in calls
        )
        return f"{_ALL}{chr(10).join(each)}{_ALL_END}"


class DeepSeek31(DeepSeek):
    """As V3.1 writes."""

    name = "deepseek-v31"
    rules = (
        "Call a tool by replying with your tokens for the begin of tool calls and of one call, the name, your token "
        "for a separator, {...}, and the end tokens."
    )

    def taught_by(self, template: str) -> bool:
        return _ONE in template and "```json" not in template

    def write(self, calls: Sequence[ToolCall]) -> str:
        each = (f"{_ONE}{call.name}{_SEPARATOR}{written(call.arguments)}{_ONE_END}" for call in calls)
        return f"{_ALL}{''.join(each)}{_ALL_END}"
