"""Silence ends a process, with a dump; and how late an event loop is."""

from __future__ import annotations

import asyncio
import gc
import signal
import subprocess
import sys
import time
from pathlib import Path

from agentgym.watchdog import EXIT_CODE, LoopLag, Watchdog, frozen_heap

STUCK = """
import asyncio, signal, sys, time
from pathlib import Path
from agentgym.watchdog import Watchdog

how = sys.argv[2]
if how == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))

async def waits_for_ever():
    await asyncio.Event().wait()

async def main():
    with Watchdog(0.3, Path(sys.argv[1]), grace=0.5).watching(lambda: "7 episodes under way"):
        waiting = asyncio.create_task(waits_for_ever())
        if how == "busy":
            while True:
                sum(range(1000))
        await waiting

try:
    asyncio.run(main())
except KeyboardInterrupt:
    sys.exit(130)
"""


def ended(tmp_path: Path, how: str) -> tuple[int, str, str]:
    dump = tmp_path / "watchdog.txt"
    done = subprocess.run(
        [sys.executable, "-c", STUCK, str(dump), how], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, dump.read_text(), done.stderr


def test_silence_ends_the_process_with_a_dump_of_threads_and_tasks(tmp_path: Path) -> None:
    code, dump, told = ended(tmp_path, "waiting")
    assert code == 130
    assert dump.startswith("no progress for 0.3 s. 7 episodes under way\n")
    assert "waits_for_ever" in dump
    assert "Thread 0x" in dump
    assert "error: no progress for 0.3 s; what every thread and task was doing is in" in told


def test_a_loop_that_is_stuck_is_seen_too(tmp_path: Path) -> None:
    code, dump, _ = ended(tmp_path, "busy")
    assert code == EXIT_CODE  # a loop that never comes back cannot be asked to end
    assert "in main" in dump


def test_a_process_that_does_not_end_is_ended(tmp_path: Path) -> None:
    code, _, _ = ended(tmp_path, "stubborn")
    assert code == EXIT_CODE


def test_progress_keeps_it_quiet(tmp_path: Path) -> None:
    def fail(code: int) -> None:
        raise AssertionError(code)

    async def main() -> None:
        watchdog = Watchdog(0.4, tmp_path / "dump", grace=0.0, end=fail)
        with watchdog.watching():
            for _ in range(8):
                await asyncio.sleep(0.1)
                watchdog.beat()
        await asyncio.sleep(0.6)  # it is over: nobody is waited for any more

    before = signal.signal(signal.SIGTERM, lambda *_: fail(-1))
    try:
        asyncio.run(main())
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not (tmp_path / "dump").exists()


def test_the_lag_is_how_long_the_loop_was_held_up() -> None:
    async def main() -> LoopLag:
        async with LoopLag() as lag:
            await asyncio.sleep(0.05)
            time.sleep(0.3)
            await asyncio.sleep(0.05)
        return lag

    lag = asyncio.run(main())
    assert 0.2 < lag.quantile(1.0) < 2
    assert lag.quantile(0.0) < 0.1
    assert LoopLag().quantile(0.99) == 0.0


def test_a_frozen_heap_is_not_walked_over_and_comes_back() -> None:
    before = gc.get_freeze_count()
    with frozen_heap():
        assert gc.get_freeze_count() > before + 10_000
        assert len(gc.get_objects(generation=2)) < 1_000
    assert gc.get_freeze_count() == 0
