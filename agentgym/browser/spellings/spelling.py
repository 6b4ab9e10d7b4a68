"""A spelling: how actions of a browser are written, and read again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from agentgym.browser.actions import Action
from agentgym.browser.seen import Node
from agentgym.errors import ParseError

__all__ = ["LONGEST", "Spelling", "quoted"]

LONGEST = 4_000
"""Characters; what is longer is no action."""


@dataclasses.dataclass(frozen=True, slots=True)
class Spelling:
    """One of them.

    ``parse`` raises ParseError, which says what was expected; ``format`` raises ValueError for an action that cannot be
    written in it.
    """

    parse: Callable[[str], Action]
    format: Callable[[Action], str]
    usage: str
    """How actions are written, for a policy's instructions."""
    templates: Callable[[Node], Sequence[str]]
    """What could be done with an element, ``<text>`` standing for any."""
    always: Sequence[str] = ()
    """What can be done in any case."""
    tools: Sequence[Mapping[str, Any]] = ()
    """Schemas, for policies that call tools."""

    def admissible(self, nodes: Iterable[Node]) -> list[str]:
        """Actions on what is seen that can have an effect."""
        able = [node for node in nodes if node.ref and "disabled" not in node.states]
        return [*(action for node in able for action in self.templates(node)), *self.always]


def quoted(text: str, most: int = 60) -> str:
    """What was said, in an error."""
    return repr(text if len(text) <= most else f"{text[:most]}…")


def checked_length(text: str) -> str:
    """``text`` without blanks around it. Raises ParseError where it is too long, or no text."""
    if len(text) > LONGEST:
        raise ParseError(f"an action has {LONGEST} characters at most, found {len(text)}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ParseError("this is not text: it has half of a character") from None
    return text.strip()
