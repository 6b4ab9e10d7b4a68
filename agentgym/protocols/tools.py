"""Tool calls in the form that the policy's family writes them in: ``agentgym.tools.forms`` has the table.

A reply may hold several calls. One without any is plain text to the environment, for instance an answer to
a user; environments that accept only calls say so in their reply. The tools come with the observation and
go to the chat template, which writes their schemas into the prompt. The reply stays in the conversation as it was
said, calls and all, so that its tokens stay too.

What has the marks of a call and is none is a mistake, told with the form that was expected: nothing of such a reply is
run, and it is no answer.
"""

from __future__ import annotations

import copy
import dataclasses
from typing import Literal, Self

from agentgym.errors import ParseError
from agentgym.protocol import Protocol
from agentgym.registry import register
from agentgym.tools.calls import ToolError
from agentgym.tools.forms import FORMS, Form, form_for, form_in
from agentgym.types import Action, ToolCall

__all__ = ["FormName", "Tools"]

FormName = Literal[
    "auto",
    "deepseek",
    "deepseek-v31",
    "mistral",
    "mistral-args",
    "xml",
    "hermes",
    "functionary",
    "functionary-v32",
    "pythonic",
    "llama",
]


@register
class Tools(Protocol):
    """Tool calls as the policy's family writes them.

    Args:
        form: how calls are written; "auto" is what the chat template teaches. Where it teaches none, the policy is told
            to write as Hermes does, and calls in every form are read.
    """

    def __init__(self, form: FormName = "auto") -> None:
        self._take(None if form == "auto" else FORMS[form])

    def _take(self, form: Form | None) -> None:
        self.form = form
        """The only one that is read; None where each is."""
        self.rules = self._spoken.rules

    @property
    def _spoken(self) -> Form:
        return self.form or FORMS["hermes"]

    def suited(self, template: str, prompt: str) -> Self:
        twin = copy.copy(super().suited(template, prompt))
        form = self.form or form_for(template)
        twin._take(form.suited(prompt) if form else None)
        return twin

    def parse(self, reply: str) -> Action:
        text = self.answer(reply)
        calls = self._calls(text) if text.strip() else []
        if calls:
            return Action(tool_calls=calls)
        words = self._spoken.words(text)
        if not words:
            raise ParseError("Your reply was empty. Call a tool or answer in words.")
        return Action(words)

    def _calls(self, text: str) -> list[ToolCall]:
        own = self.form if self.form and self.form.seen(text) else None
        form = own or form_in(text)
        if form is None:
            return []
        if self.form and not own:
            raise ParseError(f'This has a call in the form "{form.name}", which is not yours. {self.rules}')
        try:
            return form.read(text)
        except ToolError as error:
            raise ParseError(f"{error} {self.rules}") from None

    def format(self, action: Action) -> str:
        calls = action.tool_calls
        if not calls:
            return self.checked(str(action), action)
        form = self._spoken
        told = [dataclasses.replace(call, arguments=form.spelled(call.arguments)) for call in calls]
        return self.checked(form.write(calls), Action(tool_calls=told))  # whatever text the calls came with
