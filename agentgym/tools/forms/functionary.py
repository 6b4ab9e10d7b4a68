"""Functionary and Llama 3.1's custom tools: ``<function=name>{…}</function>``; Functionary 3.2: ``>>>name``, JSON."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Self

from agentgym.tools.calls import ToolError
from agentgym.tools.forms.form import Form, called, json_at, written
from agentgym.types import ToolCall

__all__ = ["Functionary", "Recipients"]

_OPEN = re.compile(r"<function=([^>\n]*)>")
_CLOSED = re.compile(r"\s*(?:</function>|\Z)")
_RECIPIENT = re.compile(r"^>>>([\w.-]+)[ \t]*(?:\n|(?=\{)|\Z)", re.MULTILINE)
_PLAIN = re.compile(r"all[ \t]*(?:\n|\Z)|[\w.-]+\s*\{\s*[\"}]")
_OPENED = re.compile(rf"{_PLAIN.pattern}|[\w.-]+[ \t]*(?:\n|\{{)")
"""How a reply begins whose first ``>>>`` is the template's; where that is not known, only what is no word."""
_TOKENS = re.compile(r"<\|(?:eom_id|eot_id)\|>\s*\Z")


class Functionary(Form):
    """JSON between tags that have the name. The last tag may be missing: engines stop at it."""

    name = "functionary"
    rules = "Call a tool by replying with <function=NAME>{...}</function>, with its arguments as JSON."

    def taught_by(self, template: str) -> bool:
        return "<function=" in template and "<parameter=" not in template

    def marked(self, text: str) -> bool:
        return re.search(r"<function=[^>\n]*>\s*\{", text) is not None

    def seen(self, text: str) -> bool:
        return "<function=" in text or "</function>" in text

    def read(self, text: str) -> list[ToolCall]:
        text = _TOKENS.sub("", text)
        calls, position = [], 0
        while (start := _OPEN.search(text, position)) is not None:
            self._no_close(text[position : start.start()])
            value, position = json_at(text, start.end())
            closed = _CLOSED.match(text, position)
            if closed is None:
                raise ToolError(f'The call of "{start[1][:60]}" has no </function> after its arguments.')
            calls.append(called(start[1], value))
            position = closed.end()
        self._no_close(text[position:])
        return calls

    def _no_close(self, words: str) -> None:
        if "<function=" in words or "</function>" in words:
            raise ToolError("There is a tag that belongs to no whole call.")

    def write(self, calls: Sequence[ToolCall]) -> str:
        return "".join(f"<function={call.name}>{written(call.arguments)}</function>" for call in calls)


class Recipients(Form):
    """``>>>`` and who is spoken to: "all", in words, or a tool, in JSON. The template may write the first ``>>>``."""

    name = "functionary-v32"
    rules = (
        "Call a tool by replying with >>>NAME and, on the next line, its arguments as JSON; speak to >>>all in words."
    )
    begun = ""
    """What the chat template writes of it before every reply."""

    def suited(self, prompt: str) -> Self:
        twin = copy.copy(self)
        twin.begun = ">>>" if prompt.endswith(">>>") else ""
        return twin

    def taught_by(self, template: str) -> bool:
        return ">>>" in template

    def marked(self, text: str) -> bool:
        return re.search(r"^>>>[\w.-]+\s*\{", text, re.MULTILINE) is not None

    def seen(self, text: str) -> bool:
        found = _RECIPIENT.finditer(self._whole(text))
        return any(recipient[1] != "all" for recipient in found)

    def read(self, text: str) -> list[ToolCall]:
        text = _TOKENS.sub("", self._whole(text))
        calls, position = [], 0
        while (recipient := _RECIPIENT.search(text, position)) is not None:
            position = recipient.end()
            if recipient[1] == "all":
                continue
            value, position = json_at(text, position)
            if re.match(r"\s*(?:>>>|\Z)", text[position:]) is None:
                raise ToolError(f'After the arguments of "{recipient[1][:60]}" there is more than JSON.')
            calls.append(called(recipient[1], value))
            text, position = text[position:].lstrip(), 0
        return calls

    def words(self, text: str) -> str:
        return re.sub(r"\A>>>all[ \t]*\n?", "", self._whole(text)).strip()

    def _whole(self, text: str) -> str:
        """The reply with the first ``>>>`` before it, where it was left to the template."""
        text = text.strip()
        first = _OPENED if self.begun else _PLAIN
        return f">>>{text}" if first.match(text) else text

    def write(self, calls: Sequence[ToolCall]) -> str:
        return "\n".join(f">>>{call.name}\n{written(call.arguments)}" for call in calls).removeprefix(self.begun)
