"""The whole reply, after its thought, is the action: the shortest form, for policies that are trained from nothing."""

from __future__ import annotations

from agentgym.errors import ParseError
from agentgym.protocol import Protocol
from agentgym.registry import register
from agentgym.types import Action

__all__ = ["Plain"]


@register
class Plain(Protocol):
    """Reply = action."""

    def parse(self, reply: str) -> Action:
        said = self.answer(reply).strip()
        if not said:
            raise ParseError("Your reply was empty. Reply with an action.")
        return Action(said)

    def format(self, action: Action) -> str:
        return self.checked(str(action), action)
