"""What a form of calls is, and what the forms have in common."""

from __future__ import annotations

import abc
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from agentgym.tools.calls import ToolError, call_of, read_json
from agentgym.types import ToolCall

__all__ = ["Form", "called", "json_at", "written"]


class Form(abc.ABC):
    """How a family of models writes calls into a reply. ``read`` understands what ``write`` writes."""

    name: ClassVar[str]
    rules: ClassVar[str]
    """How to call, as the policy is told. No special token is in it: in a message it would be defused."""

    @abc.abstractmethod
    def taught_by(self, template: str) -> bool:
        """Whether a chat template with this text has policies write so."""

    @abc.abstractmethod
    def marked(self, text: str) -> bool:
        """Whether ``text`` has what only calls in this form have."""

    def seen(self, text: str) -> bool:
        """Whether a policy that was taught this form means a call: also by what may be words of another policy's."""
        return self.marked(text)

    @abc.abstractmethod
    def read(self, text: str) -> list[ToolCall]:
        """The calls in ``text``, in which some are ``seen``; the words around them are left out. Raises ToolError."""

    @abc.abstractmethod
    def write(self, calls: Sequence[ToolCall]) -> str:
        """A reply that makes these calls."""

    def words(self, text: str) -> str:
        """What a reply without a call says."""
        return text.strip()

    def spelled(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as they are read back: the same, unless the form has no types."""
        return dict(arguments)

    def suited(self, prompt: str) -> Self:
        """The same for policies whose chat template writes ``prompt`` before a reply."""
        return self


def json_at(text: str, start: int) -> tuple[Any, int]:
    """The JSON value of a call that begins at ``start``, and where it ends. Raises ToolError."""
    try:
        return read_json(text, start)
    except ValueError as error:
        raise ToolError(f"The tool call is not valid JSON: {error}.") from None


def called(name: str, arguments: Any, id: str = "") -> ToolCall:
    """A call whose name stood outside of its JSON. Raises ToolError where the arguments are no object."""
    if not name.strip():
        raise ToolError("The tool call has no name.")
    return call_of({"name": name.strip(), "arguments": arguments, "id": id})


def written(value: Any, *, ascii: bool = False) -> str:
    """``value`` as JSON in which no thought ends, whatever its texts say."""
    return re.sub(r"(?<=[<\[])/(?=think>|THINK\])", r"\\/", json.dumps(value, ensure_ascii=ascii))
