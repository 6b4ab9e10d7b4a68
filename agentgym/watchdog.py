"""Silence is a failure too: a run that makes no progress ends with a dump instead of hanging for ever.

``Watchdog`` is a thread, so that it sees an event loop that is stuck. Whatever makes progress calls ``beat``. When
nothing has for long enough, the stacks of all threads and of all tasks are written down and the process is asked to
end as by Ctrl-C, which saves what can be saved; if it does not, it is ended. Where one thread keeps the interpreter to
itself, as a regular expression that backtracks does, this thread is stopped too: then ``LastResort``, which needs no
interpreter, writes the stacks to standard error and ends the process. ``LoopLag`` measures how late the event loop is,
which is how late every episode is; ``frozen_heap`` keeps garbage collection from making it late.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TextIO

__all__ = ["EXIT_CODE", "LastResort", "LoopLag", "Watchdog", "frozen_heap"]

_STDERR, _SLACK, _OFTEN = 2, 5.0, 1.0

EXIT_CODE = 70
"""Of a process that had to be ended by force (EX_SOFTWARE)."""


class LastResort:
    """Ends the process ``seconds`` after it was last armed, with exit code 1 and the stacks of all threads.

    It is a thread that runs no Python. A process has one: whoever arms it last has it. As a context manager it is
    armed for as long as the body takes. What is entered again in there begins to wait anew, once a second at most: to
    arm it starts a thread, and that costs as much as a turn of a small environment.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._depth, self._armed_at = 0, 0.0

    def arm(self) -> None:
        """Begin to wait, anew if need be."""
        faulthandler.dump_traceback_later(self.seconds, exit=True, file=_STDERR)

    def disarm(self) -> None:
        """Wait no longer."""
        faulthandler.cancel_dump_traceback_later()

    def __enter__(self) -> None:
        now = time.monotonic()
        if not self._depth or now - self._armed_at > _OFTEN:
            self.arm()
            self._armed_at = now
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            self.disarm()


class Watchdog:
    """Ends the process after ``seconds`` without a ``beat``, while it is ``watching``.

    ``grace`` is how long the process may take to end by itself.
    """

    def __init__(
        self,
        seconds: float | None,
        dump: Path,
        *,
        grace: float = 30.0,
        end: Callable[[int], None] = os._exit,
    ) -> None:
        self.seconds, self.dump, self.grace, self.end = seconds, dump, grace, end
        self._over = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def beat(self) -> None:
        """There is progress."""
        self._last = time.monotonic()

    @contextlib.contextmanager
    def watching(self, status: Callable[[], str] = lambda: "") -> Iterator[None]:
        """Watch the running event loop; ``status`` is asked for a line on what is going on."""
        self.beat()
        self._loop = asyncio.get_running_loop()
        if self.seconds is None:
            yield
            return
        thread = threading.Thread(target=self._watch, args=(self.seconds, status), name="watchdog", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()  # a process has one last resort: whoever arms it next must not lose it to this one

    def _watch(self, seconds: float, status: Callable[[], str]) -> None:
        between = min(1.0, seconds / 4)
        resort = LastResort(seconds + _SLACK)  # this thread comes first, where it can
        with resort:
            while not self._over.wait(between):
                resort.arm()
                if time.monotonic() - self._last > seconds:
                    LastResort(self.grace + _SLACK).arm()
                    self._bite(status)
                    return

    def _bite(self, status: Callable[[], str]) -> None:
        told = f"no progress for {self.seconds:g} s"
        try:
            with self.dump.open("w") as stream:
                self._write(stream, f"{told}. {status()}")
            where = f"is in {self.dump}"
        except OSError as error:  # a full disk may be why nothing goes on, and is no reason to hang
            self._write(sys.stderr, f"{told}. {status()}")
            where = f"stands above: {error}"
        print(f"error: {told}; what every thread and task was doing {where}", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGTERM)
        if not self._over.wait(self.grace):
            self.end(EXIT_CODE)

    def _write(self, stream: TextIO, told: str) -> None:
        stream.write(f"{told}\n\n")
        self._write_tasks(stream)
        stream.flush()
        faulthandler.dump_traceback(stream, all_threads=True)

    def _write_tasks(self, stream: TextIO) -> None:
        for task in asyncio.all_tasks(self._loop):
            task.print_stack(file=stream)


class LoopLag:
    """How late the running event loop is, while entered: ``async with LoopLag() as lag``."""

    interval = 0.01

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __aenter__(self) -> LoopLag:
        self._task = asyncio.create_task(self._measure())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _measure(self) -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(self.interval)
            self.seconds.append(time.perf_counter() - began - self.interval)

    def quantile(self, share: float) -> float:
        """The lag that ``share`` of the moments stay below, in seconds; 0.0 where nothing was measured."""
        ordered = sorted(self.seconds)
        return max(0.0, ordered[min(len(ordered) - 1, int(share * len(ordered)))]) if ordered else 0.0


@contextlib.contextmanager
def frozen_heap() -> Iterator[None]:
    """Leave what lives by now out of garbage collection, as imported packages stay anyway.

    A full collection walks over all of it, and stops the event loop for a quarter of a second with torch loaded. A heap
    that somebody has frozen already stays as it is.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
