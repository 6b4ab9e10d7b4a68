"""What is said while nothing is: how many replies there are so far, where nothing ends for a minute.

A large model on a small machine may take minutes for an episode. Whoever waits wants to know that it plays, and how
fast.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping

from agentgym.launch.reporting import Reporter
from agentgym.rollout import Rollout

__all__ = ["patient"]

_QUIET_SECONDS = 60.0


class _Patient:
    """Passes on what is said, and knows when that was."""

    def __init__(self, reporter: Reporter, rollout: Rollout) -> None:
        self._reporter, self._rollout = reporter, rollout
        self._stage, self._before = "", 0
        self._began = self.said_at = time.monotonic()

    def begin(self, stage: str, total: int, unit: str) -> None:
        self._stage, self._before = stage, self._replies
        self._began = self.said_at = time.monotonic()
        self._reporter.begin(stage, total, unit)

    def advance(self, done: int, values: Mapping[str, float]) -> None:
        self.said_at = time.monotonic()
        self._reporter.advance(done, values)

    def note(self, text: str) -> None:
        self.said_at = time.monotonic()
        self._reporter.note(text)

    def tell(self) -> None:
        """Say how far it is, if a stage has begun."""
        seconds, replies = time.monotonic() - self._began, self._replies - self._before
        if self._stage:
            self.note(f"{self._stage}: {seconds:.0f} s so far, {replies} replies")
        self.said_at = time.monotonic()

    @property
    def _replies(self) -> int:
        return self._rollout.latencies.counts["reply"].total()


@contextlib.asynccontextmanager
async def patient(reporter: Reporter, rollout: Rollout, *, seconds: float = _QUIET_SECONDS) -> AsyncIterator[Reporter]:
    """A reporter to speak to in place of ``reporter``, while entered. After ``seconds`` without a word it says one."""
    told = _Patient(reporter, rollout)
    watching = asyncio.create_task(_watch(told, seconds))
    try:
        yield told
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _watch(told: _Patient, seconds: float) -> None:
    while True:
        left = told.said_at + seconds - time.monotonic()
        if left <= 0:
            told.tell()
        await asyncio.sleep(max(left, seconds / 10))
