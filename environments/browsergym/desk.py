"""The one thread of this process that BrowserGym runs in, and the Chromium that it is given.

BrowserGym keeps one synchronous Playwright for the whole process, and that answers only the thread it was started in.
So every call goes there. It launches Playwright's own build of Chromium, for the task's page and once more for its
chat; here it is handed a Playwright that launches the system's instead, by the hook that BrowserGym has for it.
"""

from __future__ import annotations

import concurrent.futures
import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from agentgym.browser.chromium import executable
from agentgym.errors import EnvError
from agentgym.extras import require

__all__ = ["INSTALL", "Desk", "sit_down"]

INSTALL = (
    "pip install 'agentgym-lab[browsergym]' && "
    "pip install --no-deps browsergym-core==0.14.3 browsergym-miniwob==0.14.3 "
    "(with its dependencies it would put Playwright 1.44 in the place of the newer one that is needed here)"
)
"""What to type where it is missing."""

_SECONDS = 180.0
"""That any call may take: what BrowserGym waits for has shorter deadlines of its own."""

T = TypeVar("T")


class _Chromium:
    """Playwright's launcher, but for which Chromium it is."""

    def __init__(self, chromium: Any) -> None:
        self._chromium = chromium

    def launch(self, **given: Any) -> Any:
        """As Playwright does, with the system's executable; a sandbox is not to be had in containers."""
        flags = [*given.pop("args", ()), "--no-sandbox"]
        return self._chromium.launch(**{"executable_path": executable(), **given, "args": flags})


class _Playwright:
    """What BrowserGym asks of Playwright."""

    def __init__(self, playwright: Any) -> None:
        self.chromium, self.selectors = _Chromium(playwright.chromium), playwright.selectors


class Desk:
    """The thread. Whoever sits there leaves again; the last one ends it, and Playwright with it."""

    def __init__(self) -> None:
        self.pid, self.seats = os.getpid(), 0
        self.is_lost = False
        """Whether a call was given up here, which may still be under way."""
        self._thread = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="agentgym-browsergym")
        self._turn = threading.Lock()
        self._playwright: Any = None

    def call(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call it there. Raises what it raises, and EnvError where no answer comes."""
        if self.is_lost:
            raise EnvError("BrowserGym does not answer any more; call reset()")
        with self._turn:  # so that the deadline is that of this call, and not of those before it
            work = self._thread.submit(function, *args, **kwargs)
            try:
                return work.result(_SECONDS)
            except concurrent.futures.TimeoutError:
                if work.done():  # an error of its own that is called the same
                    raise
                self._give_up()
                raise EnvError(f"BrowserGym gave no answer in {_SECONDS:g} s") from None

    def _give_up(self) -> None:
        """Whoever sits down from now on has another desk."""
        global _desk
        self.is_lost = True
        with _opening:
            if _desk is self:
                _desk = None

    def start(self) -> None:
        """Start Playwright, once."""
        if self._playwright is None:
            self._playwright = self.call(require("playwright.sync_api", extra="gui").sync_playwright().start)
            core = require("browsergym.core", extra="browsergym", install=INSTALL)
            core._set_global_playwright(_Playwright(self._playwright))

    def leave(self) -> None:
        """Be done here."""
        global _desk
        with _opening:
            self.seats -= 1
            if self.seats or self.is_lost or self.pid != os.getpid():
                return
            if _desk is self:
                _desk = None
            try:
                if self._playwright is not None:
                    require("browsergym.core", extra="browsergym", install=INSTALL)._set_global_playwright(None)
                    self.call(self._playwright.stop)
            finally:
                self._thread.shutdown(wait=False)


_opening = threading.Lock()
_desk: Desk | None = None


def sit_down() -> Desk:
    """The process's desk; to be left again. Raises MissingExtraError."""
    global _desk
    with _opening:
        if _desk is None or _desk.pid != os.getpid():  # a fork has the object, and not the thread
            _desk = Desk()
        _desk.start()
        _desk.seats += 1
        return _desk
