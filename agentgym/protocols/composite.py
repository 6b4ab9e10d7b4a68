"""Composite actions (Agent Q, arXiv 2408.07199, §4.1): a plan at first, then for each turn a thought, a command and an
explanation of it, and of all pages only the newest.

A reply is made of parts, each of which begins on a line with its name::

    PLAN:                            (in the first reply alone)
    1. Find the restaurant.
    2. Book the table.
    THOUGHT: The place is empty.
    COMMANDS: TYPE[place][rome]
    STATUS: CONTINUE                 (may be left out; or DONE)
    EXPLANATION: I typed the place.

All parts are the policy's own words and stay in the conversation, so that the explanations are what it knows of the
pages that it sees no more: of these only a note is left that they were there (``keep_observations``). Each turn so
rewrites the conversation, and the token stream forks: an episode of T turns is T samples, each as long as the replies
and one page. What is trained on is all of a reply, its reasoning no less than its command.

Departs from the paper, which says nothing of the form: a status is read and has no effect, since an episode ends where
the environment ends it; which reply is the first is not looked at, so that a plan is asked for there and allowed
everywhere.
"""

from __future__ import annotations

import re
from typing import Literal

from agentgym.errors import ParseError
from agentgym.protocol import Protocol
from agentgym.registry import register
from agentgym.types import Action

__all__ = ["Composite"]

_PART = re.compile(r"^[ \t*#]*(plan|thought|command|status|explanation)s?[ \t*]*:[ \t*]*", re.IGNORECASE | re.MULTILINE)
_ORDER = ("plan", "thought", "command", "status", "explanation")
_STATUS = ("continue", "done")
_PLAN = "PLAN:\n1. Do what the task asks for, step by step."
_AGAIN = "Reply with 'THOUGHT: <why>', 'COMMANDS: <one command>' and 'EXPLANATION: <what it does>', each on its line."


@register
class Composite(Protocol):
    """A plan at first, then ``THOUGHT: …``, ``COMMANDS: …`` and ``EXPLANATION: …``; only the newest page stays.

    Args:
        needs: what a reply must have: "all" parts but plan and status, or the "command" alone; an expert says as much.
    """

    keep_observations = 1
    rules = (
        "Reply with 'THOUGHT: <why>', then 'COMMANDS: <one command>', then 'EXPLANATION: <what it does and why>', each "
        "on its line; begin your first reply with 'PLAN:' and a numbered list. You see only the newest page."
    )

    def __init__(self, needs: Literal["all", "command"] = "all") -> None:
        self.needs = needs

    def parse(self, reply: str) -> Action:
        parts = _parts(self.answer(reply))
        command = parts.get("command", "").rstrip("* \t")
        if not command:
            raise ParseError(f"No command found. {_AGAIN}")
        if "\n" in command:
            raise ParseError(f"More than one command found. {_AGAIN}")
        if parts.get("status", "continue").strip(" \t*.").lower() not in _STATUS:
            raise ParseError("The status is CONTINUE or DONE, and may be left out.")
        for name in ("thought", "explanation") if self.needs == "all" else ():
            if not parts.get(name):
                raise ParseError(f"No {name} found. {_AGAIN}")
        return Action(command)

    def format(self, action: Action) -> str:
        return self.checked(self._said(action), action)

    def first(self, action: Action) -> str:
        return self.checked(f"{_PLAN}\n{self._said(action)}" if self.needs == "all" else self._said(action), action)

    def example(self, action: Action) -> str:
        return self.checked(f"{_PLAN}\n{_whole(action)}", action)

    def _said(self, action: Action) -> str:
        return _whole(action) if self.needs == "all" else f"COMMANDS: {action}"


def _whole(action: Action) -> str:
    return f"THOUGHT: This comes next.\nCOMMANDS: {action}\nEXPLANATION: I did the next step."


def _parts(text: str) -> dict[str, str]:
    """Name → what stands under it. Raises ParseError for parts that come twice or in another order."""
    found = list(_PART.finditer(text))
    names = [part[1].lower() for part in found]
    for name in names:
        if names.count(name) > 1:
            raise ParseError(f"More than one {name} found. {_AGAIN}")
    if names != [name for name in _ORDER if name in names]:
        raise ParseError(f"The parts stand in another order. {_AGAIN}")
    ends = [*(part.start() for part in found[1:]), len(text)]
    return {name: text[part.end() : end].strip() for name, part, end in zip(names, found, ends, strict=False)}
