"""One context of the browser, with storage of its own, and the pages in it: what they show, and what comes up in them.

A new page, such as a link may open, is the one that is looked at from then on, as in a browser. Dialogs are answered
and told, downloads are refused and told. What cannot be gone on with (a crash, a page that hangs, navigates or asks
without end) raises PageLost.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import re
import time
from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from agentgym.browser.failures import BrowserLost, PageLost
from agentgym.browser.lock import Lock
from agentgym.browser.running import Running
from agentgym.errors import EnvError
from agentgym.extras import require

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Dialog, Download, Page

__all__ = ["Answer", "Pages", "Setup"]

T = TypeVar("T")
Answer: TypeAlias = Literal["accept", "dismiss"]

MAX_PAGES, MAX_DIALOGS = 5, 20
_OPEN_SECONDS = 5.0
_STILL_MS = 5_000
_LOST_SECONDS = 20.0
"""That anything a page is asked may take beyond what it is given to become still."""

_BEGINNING = 1_767_225_600_000
"""When time begins for pages that have their own: the first of January 2026."""
_OWN = ("still.js", "look.js", "act.js")
_IS_EMPTY = """async () => {
    const stores = [window.localStorage, window.sessionStorage];
    const databases = await window.indexedDB.databases();
    const caches = window.caches ? await window.caches.keys() : [];
    return !document.cookie && !window.name && !databases.length && !caches.length && !stores.some((one) => one.length);
}"""
"""Whether a page has stored nothing where another could find it."""
_NAVIGATED = ("Execution context was destroyed", "frame was detached", "navigat", "Cannot find context")
_GONE = ("Target crashed", "Target page, context or browser has been closed", "Page crashed", "Target closed")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How a context is made."""

    width: int = 1280
    height: int = 720
    lock: Lock = dataclasses.field(default_factory=Lock)
    scripts: Sequence[str] = ()
    """JavaScript that runs in every page before its own."""
    dialogs: Answer = "accept"
    """How confirmations are answered."""
    still_ms: int = _STILL_MS
    """Milliseconds that a page gets to become still after an action."""
    turn_ms: int | None = None
    """Milliseconds of the page's own time that pass with each action, and at no other time; None: it has real time."""


class Pages:
    """The pages of one context."""

    def __init__(self, running: Running, context: BrowserContext, setup: Setup) -> None:
        self.setup = setup
        self._running, self._context = running, context
        self._pages: list[Page] = []
        self._lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._num_dialogs, self._num_opened, self._is_used = 0, 0, False
        self._has_opened = asyncio.Event()
        self.news: list[str] = []
        """What came up since it was last told."""
        self.clip = ""
        """What was copied last."""

    @classmethod
    async def open(cls, running: Running, setup: Setup) -> Pages:
        """A new context with one empty page. Raises BrowserLost."""
        error_type = require("playwright.async_api", extra="gui").Error
        try:
            context = await running.browser.new_context(
                viewport={"width": setup.width, "height": setup.height},
                service_workers="block",
                accept_downloads=False,
                proxy=setup.lock.proxy,  # type: ignore[arg-type]
                locale="en-US",
                timezone_id="UTC",
                reduced_motion="reduce",
            )
            pages = cls(running, context, setup)
            await pages._prepare()
        except error_type as error:
            raise BrowserLost(f"a page cannot be opened: {_first_line(error)}") from error
        return pages

    async def _prepare(self) -> None:
        lock = self.setup.lock
        await self._context.route(re.compile(lock.pattern), lambda route: lock.refuse(route))
        for script in (_own_script(), *self.setup.scripts):
            await self._context.add_init_script(script)
        if self.setup.turn_ms is not None:
            await self._context.clock.install(time=_BEGINNING)
            await self._context.clock.pause_at(_BEGINNING)
        self._context.on("page", self._on_page)
        self._running.browser.on("disconnected", lambda _: self._lose("the browser has ended"))
        self._devtools = await self._context.new_cdp_session(await self._context.new_page())

    async def renew(self, url: str) -> bool:
        """Begin anew at ``url`` with the page there is; False where a fresh one would be another.

        A fresh page takes a fresh process. It is spared where a page of files has stored nothing, opened nothing and
        refused nothing; at an origin never.
        """
        error_type = require("playwright.async_api", extra="gui").Error
        if self.setup.lock.origins or self._is_used or len(self._pages) != 1:
            return False
        try:
            if not await self.ask(_IS_EMPTY):
                return False
            await self.guarded(self.current.mouse.move(-1, -1))
            await self.guarded(self.current.goto(url, wait_until="domcontentloaded"))
            await self.guarded(self._devtools.send("Page.resetNavigationHistory"))
        except (error_type, PageLost, BrowserLost):
            return False
        self.news.clear()
        self.clip = ""
        return True

    async def close(self) -> None:
        """Close the context and all that it has stored."""
        if self._running.is_alive:
            with contextlib.suppress(require("playwright.async_api", extra="gui").Error):
                await self._context.close()

    # -- what comes up ---------------------------------------------------------------------------------

    @property
    def current(self) -> Page:
        """The page that is looked at. Raises PageLost, BrowserLost."""
        if self._lost.done() or not self._pages:
            raise self._loss(self._lost.result() if self._lost.done() else "all pages have been closed")
        return self._pages[-1]

    def _on_page(self, page: Page) -> None:
        self._is_used = bool(self._pages)
        self._num_opened += self._is_used
        self._has_opened.set()
        if len(self._pages) >= MAX_PAGES:
            self.news.append("a page that opened was closed: too many are open")
            self._closing = asyncio.ensure_future(self._shut(page))
            return
        if self._pages:
            self.news.append("a new page opened")
        self._pages.append(page)
        page.on("dialog", self._on_dialog)
        page.on("download", self._on_download)
        page.on("crash", lambda _: self._lose("the page has crashed"))
        page.on("close", self._on_close)

    async def await_opened(self, count: int) -> None:
        """Until as many pages more have come up as a page has opened."""
        with contextlib.suppress(TimeoutError):  # it may have used one that was there
            async with asyncio.timeout(_OPEN_SECONDS):
                while self._num_opened < count:
                    self._has_opened.clear()
                    await self._has_opened.wait()
        self._num_opened = 0

    async def _shut(self, page: Page) -> None:
        with contextlib.suppress(require("playwright.async_api", extra="gui").Error):
            await page.close()

    def goes_on_without(self, page: Page) -> bool:
        """Whether ``page`` has closed itself, and there is another one to look at."""
        if page.is_closed():
            self._on_close(page)
        return page not in self._pages and bool(self._pages) and not self._lost.done()

    def _on_close(self, page: Page) -> None:
        if page in self._pages:
            self._pages.remove(page)
            self.news.append("the page closed")

    async def _on_dialog(self, dialog: Dialog) -> None:
        self._num_dialogs += 1
        if self._num_dialogs > MAX_DIALOGS:
            self._lose(f"the page asks without end: {dialog.message[:80]!r}")
        accepts = dialog.type in ("alert", "beforeunload") or self.setup.dialogs == "accept"
        answer = "" if dialog.type == "alert" else f" (answered: {'OK' if accepts else 'Cancel'})"
        self.news.append(f'{dialog.type}: "{dialog.message}"{answer}')
        with contextlib.suppress(require("playwright.async_api", extra="gui").Error):
            await (dialog.accept() if accepts else dialog.dismiss())

    def _on_download(self, download: Download) -> None:
        self._is_used = True
        self.news.append(f'the download of "{download.suggested_filename}" was refused')

    def _loss(self, why: str) -> EnvError:
        return (PageLost if self._running.is_alive else BrowserLost)(why)

    def _lose(self, why: str) -> None:
        if not self._lost.done():
            self._lost.set_result(why)

    def take_news(self) -> list[str]:
        """What came up since the last time."""
        news, self.news, self._num_dialogs = self.news, [], 0
        return news

    async def pass_turn(self) -> None:
        """Let so much of the page's own time pass as an action has, where it has its own."""
        if self.setup.turn_ms is not None:
            await self.pass_time(self.setup.turn_ms)

    async def pass_time(self, ms: float) -> None:
        """Let ``ms`` of the page's own time pass, or of everybody's where it has none."""
        if self.setup.turn_ms is None:
            await self.guarded(self.current.wait_for_timeout(ms), ms / 1000 + _LOST_SECONDS)
        else:
            await self.guarded(self._context.clock.run_for(round(ms)))

    async def shoot(self, size: tuple[int, int] | None = None) -> bytes:
        """A picture of what is in view, as PNG, or of so much of it from the upper left."""
        width, height = size or (self.setup.width, self.setup.height)
        clip: Any = {"x": 0, "y": 0, "width": width, "height": height}
        data: bytes = await self.guarded(self.current.screenshot(animations="disabled", clip=clip))
        return data

    # -- asking it ---------------------------------------------------------------------------------------

    async def guarded(self, work: Any, seconds: float | None = None) -> Any:
        """What ``work`` returns, unless the page is lost before. Raises PageLost, BrowserLost, or Playwright's."""
        task, seconds = asyncio.ensure_future(work), _LOST_SECONDS if seconds is None else seconds
        try:
            await asyncio.wait([task, self._lost], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if self._lost.done():
                raise self._loss(self._lost.result())
            if not task.done():
                raise PageLost(f"the page gave no answer within {seconds:g} s")
            return task.result()
        except require("playwright.async_api", extra="gui").Error as error:
            if any(sign in str(error) for sign in _GONE):
                raise self._loss(_first_line(error)) from error
            raise
        finally:
            if not task.done():
                task.cancel()
                task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def ask(self, script: str, argument: Any = None) -> Any:
        """What a function in JavaScript returns, in whatever document is there once it is."""
        until = time.monotonic() + self.setup.still_ms / 1000 + _LOST_SECONDS
        error_type = require("playwright.async_api", extra="gui").Error
        while True:
            page = self.current
            try:
                return await self.guarded(page.evaluate(script, argument), until - time.monotonic())
            except PageLost:
                if not self.goes_on_without(page):
                    raise
            except error_type as error:
                if not any(sign in str(error) for sign in _NAVIGATED):
                    raise PageLost(f"the page cannot be asked: {_first_line(error)}") from error
                if time.monotonic() > until:
                    raise PageLost("the page navigates without end") from error
                await self.guarded(page.wait_for_load_state("domcontentloaded"), until - time.monotonic())


@functools.cache
def _own_script() -> str:
    return "\n".join(files("agentgym.browser").joinpath(name).read_text() for name in _OWN)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:300]
