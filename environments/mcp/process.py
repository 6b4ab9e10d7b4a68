"""The program behind a server that was started here: what it writes to its standard error, and its end.

A server may start programs of its own. All of them inherit a mark in their environment, by which they are found when
the server's time is over, even those that left its process group. They are found through ``/proc``: on Linux.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import IO

from agentgym.sandbox.inside.marks import marked, signaled

__all__ = ["MARK", "Tail", "end_all"]

MARK = "AGENTGYM_MCP_SERVER"
"""The environment variable that says whose server a program is, or belongs to."""

_KEPT = 8_000
_GRACE_SECONDS = 1.0


class Tail:
    """A file to write to, of which the end is kept. It is read by an event loop, and when its text is asked for."""

    def __init__(self) -> None:
        self._read, write = os.pipe()
        os.set_blocking(self._read, False)
        self.file: IO[str] = os.fdopen(write, "w", encoding="utf-8", errors="replace")
        self._kept = b""

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read what is written as it comes, so that nobody waits for room. To be called by the loop."""
        loop.add_reader(self._read, self._take)

    def unwatch(self, loop: asyncio.AbstractEventLoop) -> None:
        """No longer."""
        loop.remove_reader(self._read)

    @property
    def text(self) -> str:
        """The end of what was written."""
        if not self.file.closed:
            self.file.flush()
            while self._take():
                continue
        return self._kept.decode("utf-8", errors="replace")

    def close(self) -> None:
        """What comes later is lost. May be called again."""
        if not self.file.closed:
            self.file.close()
            os.close(self._read)

    def _take(self) -> bool:
        """Take one piece; whether there was one."""
        try:
            piece = os.read(self._read, 65_536)
        except BlockingIOError:
            return False
        self._kept = (self._kept + piece)[-_KEPT:]
        return bool(piece)


def end_all(mark: str) -> None:
    """End every program that has ``mark``: ask, and after a second insist."""
    variable = f"{MARK}={mark}"
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not signaled(variable, number):
            return
        given_up = time.monotonic() + _GRACE_SECONDS
        while marked(variable) and time.monotonic() < given_up:
            time.sleep(0.01)
