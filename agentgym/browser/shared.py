"""The one browser that all windows of a process share, in a thread with an event loop of its own.

It is started when the first window is opened, started again where it has died, and ended once no window has been open
for a while: to start it takes as long as an episode. A process that is forked has none: its windows start another.
Whatever calls from another thread waits with a deadline.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from agentgym.browser.failures import BrowserLost
from agentgym.browser.running import CLOSE_SECONDS, Running

__all__ = ["IDLE_SECONDS", "Shared", "end_idle", "give_back", "lend"]

T = TypeVar("T")

IDLE_SECONDS = 20.0
"""That a browser without windows is kept for whoever opens the next one."""


class Shared:
    """A thread, its event loop and the browser in it."""

    def __init__(self) -> None:
        self.pid, self.num_users = os.getpid(), 0
        self.idle: threading.Timer | None = None
        """Ends it, unless there is another user before."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="agentgym-browser", daemon=True)
        self._thread.start()
        self._running: Running | None = None
        self._starting = asyncio.Lock()

    @property
    def is_here(self) -> bool:
        """Whether it is this process's: a fork has the memory of it, but not the thread."""
        return self.pid == os.getpid()

    def call(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        """What ``work`` returns, in the browser's thread. Raises BrowserLost when it takes longer."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(seconds)
        except concurrent.futures.TimeoutError:
            if future.done():  # the work itself raised one
                raise
            future.cancel()
            raise BrowserLost(f"the browser gave no answer within {seconds:g} s") from None
        except BaseException:
            future.cancel()
            raise

    async def running(self, *, but: Running | None = None) -> Running:
        """The browser, started where there is none that lives, or ``but`` this. To be awaited in its own loop."""
        async with self._starting:
            if self._running is not None and (self._running is but or not self._running.is_alive):
                await self._end()
            if self._running is None:
                self._running = await Running.start()
            return self._running

    def close(self) -> None:
        """End the browser, the loop and the thread."""
        try:
            self.call(self._end(), 3 * CLOSE_SECONDS)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(CLOSE_SECONDS)
            if not self._thread.is_alive():
                self._loop.close()

    async def _end(self) -> None:
        if self._running is not None:
            running, self._running = self._running, None
            await running.close()


_LOCK = threading.RLock()
_SHARED: dict[int, Shared] = {}
"""Process id → its browser."""


def lend() -> Shared:
    """The browser of this process, to be given back."""
    with _LOCK:
        shared = _SHARED.get(os.getpid()) or _SHARED.setdefault(os.getpid(), Shared())
        shared.num_users += 1
        if shared.idle is not None:
            shared.idle.cancel()
            shared.idle = None
        return shared


def give_back(shared: Shared) -> None:
    """One user less; after the last one it is ended, in a while. What was lent before a fork is the other process's."""
    with _LOCK:
        if not shared.is_here:
            return
        shared.num_users -= 1
        if shared.num_users:
            return
        if not IDLE_SECONDS:
            end_idle()
            return
        shared.idle = threading.Timer(IDLE_SECONDS, end_idle)
        shared.idle.daemon = True
        shared.idle.start()


def end_idle() -> None:
    """End the browser of this process now, where no window is open."""
    with _LOCK:
        shared = _SHARED.get(os.getpid())
        if shared is not None and not shared.num_users:
            del _SHARED[shared.pid]
            if shared.idle is not None:
                shared.idle.cancel()
            shared.close()


def _forget() -> None:
    """In a forked process: the thread is not there, and the lock may have been held."""
    global _LOCK
    _LOCK = threading.RLock()
    _SHARED.clear()


os.register_at_fork(after_in_child=_forget)


@atexit.register
def _close_all() -> None:
    for shared in list(_SHARED.values()):
        shared.close()
