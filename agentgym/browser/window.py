"""A window of the shared browser for one environment: plain calls, each with a deadline.

``open`` begins an episode: a fresh context, in which nothing of former ones is left, with one empty page.
"""

from __future__ import annotations

import weakref
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from agentgym.browser.acting import Refused, act, goto
from agentgym.browser.actions import Action
from agentgym.browser.chromium import check_installed
from agentgym.browser.failures import BrowserLost, PageLost
from agentgym.browser.lock import Lock
from agentgym.browser.pages import Answer, Pages, Setup
from agentgym.browser.running import START_SECONDS
from agentgym.browser.seen import Seen
from agentgym.browser.shared import Shared, give_back, lend

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Window", "open_windows"]

T = TypeVar("T")
_OPEN: weakref.WeakSet[Window] = weakref.WeakSet()
_SECONDS = 2 * START_SECONDS
"""That any call may take: all that is waited for inside has shorter deadlines of its own."""


def open_windows() -> list[Window]:
    """The windows of this process that are open."""
    return [window for window in _OPEN if window.is_open]


class Window:
    """What one environment has of the browser.

    Example::

        window = Window(origins=["http://127.0.0.1:8000"])
        window.open("http://127.0.0.1:8000/")
        seen = window.look()
        problem = window.act(Click("3"))
        window.close()
    """

    def __init__(
        self,
        *,
        width: int = 1280,
        height: int = 720,
        origins: Sequence[str] = (),
        folders: Sequence[Path] = (),
        scripts: Sequence[str] = (),
        dialogs: Answer = "accept",
        still_ms: int = 5_000,
        turn_ms: int | None = None,
        graphics: bool = False,
        skip: str = "",
        probe: str = "() => null",
        clip: tuple[int, int] | None = None,
    ) -> None:
        """Say what it may see; nothing is started yet.

        Args:
            width: of what is in view, in pixels.
            height: likewise.
            origins: such as "http://127.0.0.1:8000"; pages may ask for nothing else.
            folders: whose files pages may ask for.
            scripts: JavaScript that runs in every page before its own.
            dialogs: how confirmations are answered.
            still_ms: milliseconds that a page gets to become still.
            turn_ms: milliseconds of the page's own time that pass with each action, so that animations and timers are
                the same in every run; None: pages have real time.
            graphics: whether shapes and colored boxes without words are elements too.
            skip: a CSS selector of elements that are not looked at.
            probe: a function in JavaScript that is called with each look; ``Seen.probed`` is what it returns.
            clip: width and height of what pictures show, from the upper left; None: all that is in view.

        Raises MissingExtraError where Playwright or Chromium is not installed.
        """
        check_installed()
        self.lock = Lock(origins=origins, folders=folders)
        self._setup = Setup(
            width=width,
            height=height,
            lock=self.lock,
            scripts=scripts,
            dialogs=dialogs,
            still_ms=still_ms,
            turn_ms=turn_ms,
        )
        self._probe, self._clip = probe, clip
        self._options = {"graphics": graphics, "skip": skip}
        self._shared: Shared | None = None
        self._pages: Pages | None = None
        self.seen: Seen | None = None
        """What was seen last."""

    def open(self, url: str | None = None) -> None:
        """Begin anew, with nothing left of what was before, and its page at ``url``. Raises BrowserLost, PageLost.

        A page that stored nothing and opened nothing is used again; otherwise its whole context is thrown away.
        """
        if self._shared is None or not self._shared.is_here:
            self._shared, self._pages = lend(), None
        self._call(self._open(url))
        _OPEN.add(self)

    @property
    def is_open(self) -> bool:
        """Whether there is a page, in this process."""
        return self._pages is not None and self._shared is not None and self._shared.is_here

    async def _open(self, url: str | None) -> None:
        assert self._shared is not None
        self.seen = None
        if self._pages and url is not None and self.lock.permits(url) and await self._pages.renew(url):
            await self._pages.pass_turn()
            return
        await self._shut()
        self._pages = await self._fresh(self._shared)
        if url is not None:
            await goto(self._pages, url)

    async def _fresh(self, shared: Shared) -> Pages:
        running = await shared.running()
        try:
            return await Pages.open(running, self._setup)
        except BrowserLost:  # it has died a moment ago
            return await Pages.open(await shared.running(but=running), self._setup)

    def look(self) -> Seen:
        """What there is to see, once the page is still."""
        self.seen = self._call(self._look())
        return self.seen

    async def _look(self) -> Seen:
        script = f"""async ([ms, options]) => {{
            const isStill = await window.__agentgym.still(ms);
            const found = window.__agentgym.look(options);
            return [isStill, found, await ({self._probe})(), window.__agentgym.takeOpened()];
        }}"""
        pages, count = self._held, 1
        while count:
            is_still, found, probed, count = await pages.ask(script, [pages.setup.still_ms, self._options])
            if count:  # it is the new page that is to be seen
                await pages.await_opened(count)
        return Seen.of(found, news=pages.take_news(), is_still=is_still, probed=probed)

    def act(self, action: Action) -> str | None:
        """Do ``action``; what was wrong with it where it cannot be done. Raises BrowserLost, PageLost."""
        try:
            self._call(act(self._held, action, self.seen.page if self.seen else ""))
        except Refused as refused:
            return str(refused)
        return None

    def goto(self, url: str) -> None:
        """Open an address. Raises PageLost where nothing comes."""
        try:
            self._call(goto(self._held, url))
        except Refused as refused:
            raise PageLost(str(refused)) from None

    def evaluate(self, script: str, argument: Any = None) -> Any:
        """What a function in JavaScript, such as "x => x + 1", returns in the page."""
        return self._call(self._held.ask(script, argument))

    def screenshot(self, *, marks: bool = False, most: int | None = None) -> Image:
        """What is in view, as it is drawn.

        Args:
            marks: frame each element that was last seen and can be acted on, and write its ref beside it.
            most: pixels that the longer side may have; larger ones are made smaller.
        """
        from agentgym.browser.shots import marked, opened, scaled

        image = opened(self._call(self._held.shoot(self._clip)))
        if marks and self.seen is not None:
            image = marked(image, self.seen)
        return scaled(image, most)

    def close(self) -> None:
        """Give all of it back; a while after the last window the browser ends. It may be opened again."""
        if self._shared is None:
            return
        shared, self._shared = self._shared, None
        try:
            if shared.is_here:
                shared.call(self._shut(), _SECONDS)
        finally:
            give_back(shared)

    async def _shut(self) -> None:
        pages, self._pages, self.seen = self._pages, None, None
        if pages is not None:
            await pages.close()

    @property
    def _held(self) -> Pages:
        if self._pages is None:
            raise PageLost("no page is open")
        return self._pages

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        if self._shared is None:
            work.close()
            raise PageLost("no page is open")
        return self._shared.call(work, _SECONDS)
