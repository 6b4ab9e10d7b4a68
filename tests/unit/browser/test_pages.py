"""What comes up in pages, from pages that only say so: what crashes, hangs, asks and opens without end. No Chromium."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from agentgym.browser import pages
from agentgym.browser.failures import BrowserLost, PageLost
from agentgym.browser.pages import MAX_DIALOGS, MAX_PAGES, Pages, Setup


class PlaywrightError(Exception):
    """Stands for Playwright's."""


@pytest.fixture(autouse=True)
def no_playwright(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "require", lambda *_, **__: SimpleNamespace(Error=PlaywrightError))
    monkeypatch.setattr(pages, "_LOST_SECONDS", 0.05)


class Page:
    """Calls what listens to it."""

    def __init__(self) -> None:
        self.listeners: dict[str, Callable[[Any], Any]] = {}
        self.is_shut = False

    def on(self, event: str, listener: Callable[[Any], Any]) -> None:
        self.listeners[event] = listener

    async def close(self) -> None:
        self.is_shut = True


class Dialog:
    """A question that a page asks."""

    type, message = "confirm", "again?"

    async def accept(self) -> None:
        """Yes."""


def run(work: Callable[[Any, Page], Coroutine[Any, Any, None]], *, is_alive: bool = True) -> None:
    """With a context that has one page, in a browser that lives or does not."""

    async def whole() -> None:
        running: Any = SimpleNamespace(is_alive=is_alive)
        held: Any = Pages(running, running, Setup())
        page = Page()
        held._on_page(page)
        await work(held, page)

    asyncio.run(whole())


def test_of_pages_that_open_without_end_some_are_closed_and_that_is_told() -> None:
    async def work(held: Any, page: Page) -> None:
        opened = [Page() for _ in range(MAX_PAGES + 1)]
        for each in opened:
            held._on_page(each)
            await asyncio.sleep(0)
        assert [each.is_shut for each in opened] == [False] * (MAX_PAGES - 1) + [True] * 2
        assert held.take_news().count("a page that opened was closed: too many are open") == 2

    run(work)


def test_a_page_that_asks_without_end_is_lost() -> None:
    async def work(held: Any, page: Page) -> None:
        for _ in range(MAX_DIALOGS):
            await page.listeners["dialog"](Dialog())
        assert held.current is page
        await page.listeners["dialog"](Dialog())
        with pytest.raises(PageLost, match="asks without end: 'again\\?'"):
            _ = held.current

    run(work)


def test_whoever_waits_for_a_page_that_crashes_is_told() -> None:
    async def work(held: Any, page: Page) -> None:
        asyncio.get_running_loop().call_soon(page.listeners["crash"], page)
        with pytest.raises(PageLost, match="crashed"):
            async with asyncio.timeout(5):
                await held.guarded(asyncio.sleep(60), 60)

    run(work)


def test_one_that_hangs_is_given_up_and_asked_no_more() -> None:
    async def work(held: Any, page: Page) -> None:
        asked = asyncio.ensure_future(asyncio.sleep(60))
        with pytest.raises(PageLost, match=r"gave no answer within 0\.05 s"):
            await held.guarded(asked)
        await asyncio.wait([asked], timeout=5)
        assert asked.cancelled()

    run(work)


def test_where_the_browser_is_gone_it_is_the_browser_that_is_lost() -> None:
    async def gone() -> None:
        raise PlaywrightError("Target page, context or browser has been closed")

    async def work(held: Any, page: Page) -> None:
        with pytest.raises(BrowserLost):
            await held.guarded(gone())

    run(work, is_alive=False)


def test_a_download_is_told_as_refused() -> None:
    async def work(held: Any, page: Page) -> None:
        page.listeners["download"](SimpleNamespace(suggested_filename="big.bin"))
        assert held.take_news() == ['the download of "big.bin" was refused']

    run(work)
