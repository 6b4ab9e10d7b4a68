"""How either side is driven: a line asks for a round, a line tells its time. Needs the standard library alone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

Round: TypeAlias = Callable[[], Awaitable[None]]
Prepare: TypeAlias = Callable[[int, int], contextlib.AbstractAsyncContextManager[Round]]
"""Given the number of episodes and of turns: a context that yields what plays them all. Only that is timed."""


async def serve(prepare: Prepare) -> None:
    """Say that this side is up, then play the rounds that standard input asks for, until it ends."""
    print(json.dumps("ready"), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        asked = json.loads(line)
        async with prepare(asked["episodes"], asked["turns"]) as play:
            began, processor_began = time.perf_counter(), processor_time()
            await play()
            told = {"seconds": time.perf_counter() - began, "processor": processor_time() - processor_began}
        print(json.dumps(told), flush=True)


def processor_time() -> float:
    """Seconds of this process and of those it started that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


__all__ = ["AsyncIterator", "Prepare", "Round", "processor_time", "serve"]
