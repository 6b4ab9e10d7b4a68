"""Judges for tests: what they say is a function of the episodes that they are shown."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Any

from agentgym.judge import Answer, Asking, Judge, JudgeSettings
from agentgym.types import Message

__all__ = ["Reads", "appointed"]


class Reads(Judge):
    """Says ``verdict`` of the episodes' quoted texts, in the form that it is asked for."""

    def __init__(self, verdict: Callable[..., str]) -> None:
        self.verdict = verdict
        self.asked: list[tuple[str, ...]] = []

    async def ask(self, messages: Sequence[Message], *, max_tokens: int) -> Answer:
        await asyncio.sleep(0)
        mark = re.findall(r"verdict ([0-9a-f]{16}) \[", str(messages[-1]["content"]))[-1]
        shown = re.findall(rf"begin {mark} \w+\n(.*?)\nend {mark}", str(messages[-1]["content"]), re.DOTALL)
        self.asked.append(tuple(shown))
        return Answer(f"As I see it:\nverdict {mark} [{self.verdict(*shown)}]", 10)


def appointed(reward: Any, judge: Judge, **settings: Any) -> Any:
    """``reward`` with its judge."""
    assert isinstance(reward, Asking)
    reward.take(JudgeSettings(**settings))
    reward.appoint(judge)
    return reward
