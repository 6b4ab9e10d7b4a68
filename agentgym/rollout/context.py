"""What happens when an episode outgrows its context.

Nothing is patched: a shorter conversation is another conversation, so the token stream forks and a new training
sample begins with it. The old one stays as it was sampled.

- "stop": the episode is cut, as truncated;
- "keep-last": earlier observations are left out, the last few stay (``conversation.keep_last``);
- "summarize": the policy is asked to sum up, in a turn of its own that is trained like any other, and goes on from
  its summary and the last observation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentgym.types import Message, Observation

__all__ = ["SUMMARY_REQUEST", "asked_to_summarize", "clipped", "resumed_from"]

SUMMARY_REQUEST = (
    "The conversation becomes too long to go on with. Do not act now. Write down all that you need to know to go on: "
    "what was asked, what was done, what was found, what to do next."
)
_SUMMARY = "What happened so far, in your own words:"


def asked_to_summarize(messages: Sequence[Message]) -> list[Message]:
    """``messages`` with the request in the last one: templates want the roles to take turns."""
    *before, last = messages
    return [*before, {**last, "content": _extended(last["content"], after=f"\n\n{SUMMARY_REQUEST}")}]


def resumed_from(summary: str, opening: Sequence[Message], last: Message) -> list[Message]:
    """The conversation that goes on from a summary and the last observation."""
    return [*opening, {**last, "content": _extended(last["content"], before=f"{_SUMMARY}\n{summary}\n\n")}]


def _extended(content: Any, *, before: str = "", after: str = "") -> Any:
    """``content``, text or parts, with more text at its ends."""
    if isinstance(content, str):
        return f"{before}{content}{after}"
    return [*_part(before), *content, *_part(after)]


def _part(text: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text}] if text else []


def clipped(observation: Observation, max_chars: int) -> Observation:
    """``observation`` without its middle where it is longer than ``max_chars``, saying how much is missing.

    >>> str(clipped(Observation("abcdefghij"), 4))
    'ab\\n(6 characters left out)\\nij'
    """
    missing = len(observation) - max_chars
    if missing <= 0:
        return observation
    head = max_chars - max_chars // 2
    tail = observation[len(observation) - max_chars // 2 :]
    return Observation(
        f"{observation[:head]}\n({missing} characters left out)\n{tail}",
        admissible=observation.admissible,
        tools=observation.tools,
        images=observation.images,
    )
