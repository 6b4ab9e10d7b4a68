"""How observations become chat messages and how a reply becomes an action.

Protocols live in ``agentgym/protocols``, one file each; any of them works with any environment it fits.
"""

from __future__ import annotations

import abc
from typing import ClassVar

from agentgym.errors import ConfigError, ParseError
from agentgym.types import Action, Message, Observation

__all__ = ["Protocol"]


class Protocol(abc.ABC):
    """The form of a conversation. ``parse(format(action)) == action``, or ``format`` refuses the action."""

    plugin_kind: ClassVar[str] = "protocols"
    rules: str = ""
    """How to reply, in the words the policy is told."""

    def opening(self, instructions: str) -> list[Message]:
        """The messages before the first observation."""
        content = "\n".join(part for part in (instructions, self.rules) if part)
        return [{"role": "system", "content": content}] if content else []

    def show(self, observation: Observation) -> Message:
        """What the policy sees this turn; where there are images the content is a list of parts, images first."""
        if not observation.images:
            return {"role": "user", "content": str(observation)}
        images = [{"type": "image", "image": image} for image in observation.images]
        return {"role": "user", "content": [*images, {"type": "text", "text": str(observation)}]}

    def complain(self, error: str) -> Message:
        """What the policy is told when its reply cannot be read."""
        return {"role": "user", "content": error}

    def said(self, reply: str) -> Message:
        """The policy's own reply as a message, verbatim."""
        return {"role": "assistant", "content": reply}

    @abc.abstractmethod
    def parse(self, reply: str) -> Action:
        """The action in ``reply``. Raises ParseError, whose text the policy is shown."""

    @abc.abstractmethod
    def format(self, action: Action) -> str:
        """A reply that says ``action``: how an expert would put it. Raises ConfigError where none can."""

    def checked(self, reply: str, action: Action) -> str:
        """``reply``, if it is read as ``action``; the last line of a ``format``."""
        try:
            understood = self.parse(reply) == action
        except ParseError:
            understood = False
        if not understood:
            name = type(self).__name__.lower()
            raise ConfigError(f"the protocol {name} cannot say the action {str(action)!r}; choose another --protocol")
        return reply
