"""What is said of a stage in which nothing ends for long."""

from __future__ import annotations

import asyncio
import re
from types import SimpleNamespace
from typing import Any

import pytest

from agentgym.launch import patience
from agentgym.launch.patience import patient
from agentgym.rollout.latencies import Latencies


class Heard:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def begin(self, stage: str, total: int, unit: str) -> None:
        self.lines.append(f"{stage}: {total} {unit}")

    def advance(self, done: int, values: Any) -> None:
        self.lines.append(f"{done} done")

    def note(self, text: str) -> None:
        self.lines.append(text)


def replies(rollout: Any, num: int) -> None:
    for _ in range(num):
        with rollout.latencies.replying() as tokens:
            tokens.append(3)


async def said(heard: Heard, num: int) -> None:
    """Until there are so many lines."""
    async with asyncio.timeout(20):
        while len(heard.lines) < num:
            await asyncio.sleep(0.001)


def test_replies_since_it_began_are_told_again_and_again() -> None:
    async def scenario() -> list[str]:
        heard, rollout = Heard(), SimpleNamespace(latencies=Latencies())
        replies(rollout, 5)
        async with patient(heard, rollout, seconds=0.02) as told:  # type: ignore[arg-type]
            told.begin("test tasks", 2, "episodes")
            replies(rollout, 3)
            await said(heard, 2)
            replies(rollout, 1)
            await said(heard, 3)
        return heard.lines[:3]

    begun, first, second = asyncio.run(scenario())
    assert begun == "test tasks: 2 episodes"
    assert re.fullmatch(r"test tasks: \d+ s so far, 3 replies", first)
    assert re.fullmatch(r"test tasks: \d+ s so far, 4 replies", second)


@pytest.mark.parametrize("word", ["advance", "note"])
def test_nothing_is_added_for_a_while_after_others_spoke(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(patience, "time", SimpleNamespace(monotonic=lambda: now))

    async def scenario() -> tuple[int, int]:
        nonlocal now
        heard, rollout = Heard(), SimpleNamespace(latencies=Latencies())
        async with patient(heard, rollout, seconds=0.01) as told:  # type: ignore[arg-type]
            told.begin("training", 2, "updates")
            now = 0.009
            told.advance(1, {}) if word == "advance" else told.note("a word")
            now = 0.015
            await asyncio.sleep(0.1)
            quiet = len(heard.lines)
            now = 0.02
            await said(heard, 3)
        return quiet, len(heard.lines)

    assert asyncio.run(scenario()) == (2, 3)


def test_nothing_is_said_before_a_stage_begins() -> None:
    async def scenario() -> list[str]:
        heard, rollout = Heard(), SimpleNamespace(latencies=Latencies())
        async with patient(heard, rollout, seconds=0.01):  # type: ignore[arg-type]
            await asyncio.sleep(0.05)
        return heard.lines

    assert asyncio.run(scenario()) == []


def test_it_ends_with_what_it_watches() -> None:
    async def scenario() -> int:
        async with patient(Heard(), SimpleNamespace(latencies=Latencies())):  # type: ignore[arg-type]
            pass
        return len(asyncio.all_tasks())

    assert asyncio.run(scenario()) == 1
