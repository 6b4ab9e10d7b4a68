"""One running Chromium, with Playwright's driver beside it: started, watched, ended for certain.

All of it belongs to the event loop that started it. Between Playwright and Chromium stands ``keeper``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from agentgym.browser import keeper
from agentgym.browser.chromium import FLAGS, check_installed, executable
from agentgym.browser.failures import BrowserLost
from agentgym.extras import require
from agentgym.scratch import scratch

if TYPE_CHECKING:
    from playwright.async_api import Browser, Playwright

__all__ = ["Running"]

START_SECONDS, CLOSE_SECONDS, KEEPER_SECONDS = 60.0, 10.0, 5.0
_LONGEST = 32
"""Characters: the name of a socket has 107 at most."""


class Running:
    """A Chromium and its driver."""

    def __init__(self, playwright: Playwright, browser: Browser, directory: Path, held: contextlib.ExitStack) -> None:
        self.browser = browser
        self._playwright, self._directory = playwright, directory
        self.pid = int((directory / keeper.PID_FILE).read_text())
        """Of the keeper, and of the process group that it leads."""
        self._held = held.pop_all()
        """The directory: of this from now on, of whoever starts it where that fails."""

    @classmethod
    async def start(cls) -> Running:
        """Start both. Raises MissingExtraError where one is not installed, BrowserLost where it does not start."""
        check_installed()
        with contextlib.ExitStack() as held:
            directory = held.enter_context(scratch(_place()))
            playwright = await require("playwright.async_api", extra="gui").async_playwright().start()
            try:
                browser = await playwright.chromium.launch(
                    executable_path=_stub(directory),
                    args=list(FLAGS),
                    artifacts_dir=directory / "artifacts",
                    env={**os.environ, "TMPDIR": str(directory)},  # what it leaves there when it is killed goes with it
                    timeout=START_SECONDS * 1000,
                    handle_sigint=False,  # Ctrl-C is the trainer's to answer
                    handle_sigterm=False,
                    handle_sighup=False,
                )
                return cls(playwright, browser, directory, held)
            except BaseException as error:
                await playwright.stop()
                if isinstance(error, Exception):
                    raise BrowserLost(f"Chromium ({executable()}) does not start: {_why(error)}") from error
                raise

    @property
    def is_alive(self) -> bool:
        """Whether pages can be opened in it, as far as is known yet."""
        return bool(self.browser.is_connected()) and Path(f"/proc/{self.pid}").exists()

    async def close(self) -> None:
        """End it, kindly, and then in any case."""
        (self._directory / keeper.CLOSING_FILE).touch()
        with contextlib.suppress(Exception):  # whatever it says now, its processes are killed below
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.browser.close()
        await self._keeper_ended()
        self.kill()
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._playwright.stop()
        self._held.close()

    async def _keeper_ended(self) -> None:
        """Until it has: it removes what the browser leaves. A few seconds at most."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        loop.add_reader(handle, ended.set)
        try:
            async with asyncio.timeout(KEEPER_SECONDS):
                await ended.wait()
        except TimeoutError:
            return
        finally:
            loop.remove_reader(handle)
            os.close(handle)

    def kill(self) -> None:
        """Kill Chromium; what is going on in it raises BrowserLost."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


def _place() -> Path:
    """For temporary files, where its name is short: Chromium keeps a socket there."""
    place = tempfile.gettempdir()
    return Path(place if len(place) <= _LONGEST else "/tmp")


def _why(error: BaseException) -> str:
    """What Chromium said before it ended, or else the first line."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    fatal = [line for line in lines if "FATAL" in line or "error while loading" in line]
    return (fatal or lines)[0].strip()[:500]


def _stub(directory: Path) -> Path:
    """A program that is the keeper: Playwright takes a path and no arguments before its own."""
    words = [sys.executable, "-IS", keeper.__file__, str(os.getpid()), str(directory), executable()]
    stub = directory / "chromium"
    stub.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    stub.chmod(0o700)
    return stub
