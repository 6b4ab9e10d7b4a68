"""ReAct (Yao et al. 2023, arXiv 2210.03629): a thought, then an action on a line that starts with "Action:".

The last such line counts; a line "Observation:" after it, which models like to invent, is cut off.
What a reasoning model thinks before </think> is no part of it: an action in there counts for nothing.
"""

from __future__ import annotations

import re

from agentgym.errors import ParseError
from agentgym.protocol import Protocol
from agentgym.registry import register
from agentgym.types import Action

__all__ = ["React"]

_ACTION = re.compile(r"^[ \t*]*action[ \t*]*:[ \t*]*(.*?)[ \t*]*$", re.IGNORECASE | re.MULTILINE)
_INVENTED = re.compile(r"^\s*observation\s*:.*", re.IGNORECASE | re.MULTILINE | re.DOTALL)


@register
class React(Protocol):
    """``Thought: …`` then ``Action: …``."""

    rules = "Reply with one line 'Thought: <why>' and one line 'Action: <one action>'."

    def parse(self, reply: str) -> Action:
        found = _ACTION.findall(_INVENTED.sub("", self.answer(reply)))
        if not found or not found[-1]:
            raise ParseError("No action found. End your reply with a line 'Action: <one action>'.")
        return Action(found[-1])

    def format(self, action: Action) -> str:
        return self.checked(f"Action: {action}", action)

    def example(self, action: Action) -> str:
        return self.checked(f"Thought: This is what is to be done next.\nAction: {action}", action)
