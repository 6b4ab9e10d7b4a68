"""What stays in a conversation that is shortened: the opening, all replies, and the last of what was shown."""

from __future__ import annotations

from collections.abc import Sequence

from agentgym.types import Message

__all__ = ["LEFT_OUT", "keep_last"]

LEFT_OUT = "(earlier observation left out)"


def keep_last(messages: Sequence[Message], num_opening: int, num: int) -> list[Message]:
    """``messages`` with all but the last ``num`` observations left out; the opening and the replies stay."""
    shown = [i for i, message in enumerate(messages) if i >= num_opening and message["role"] != "assistant"]
    dropped = set(shown[: max(0, len(shown) - num)])
    return [{**message, "content": LEFT_OUT} if i in dropped else message for i, message in enumerate(messages)]
