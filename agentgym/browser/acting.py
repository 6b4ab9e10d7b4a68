"""Doing an action in a page: with the real mouse and keyboard of the browser, so that pages notice no difference.

What cannot be done is told as text, for the policy: a ref that is not there any more, an element that is covered or
disabled, an address that may not be opened.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agentgym.browser.actions import (
    Action,
    Back,
    Click,
    Drag,
    Fill,
    Forward,
    Goto,
    Hover,
    Point,
    Press,
    Scroll,
    Select,
    Target,
    Type,
    Wait,
)
from agentgym.browser.failures import PageLost
from agentgym.browser.pages import Pages
from agentgym.extras import require

if TYPE_CHECKING:
    from playwright.async_api import ElementHandle, Page

__all__ = ["Refused", "act", "goto"]

_ACTION_MS, _LOAD_MS = 5_000, 20_000
_CLIPBOARD = re.compile(r"(Control|ControlOrMeta|Meta)\+[CXV]", re.IGNORECASE)
_MAX_OPTIONS = 30
_DRAG_STEPS = 5
"""Moves of the mouse on the way: pages may want to see it come."""

_PROBLEMS = {
    "stale": "the page is another one now; look for the element again",
    "gone": "it is not on the page any more",
    "disabled": "{what} is disabled",
    "invisible": "{what} cannot be seen",
    "covered": "{what} is covered by {over}",
    "option": "{what} is an option of a list; choose it with a select action on the list",
}


class Refused(Exception):
    """An action that cannot be done; the message says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Hand:
    """Where an action is done: the pages, and the document that refs are of."""

    pages: Pages
    known: str

    @property
    def page(self) -> Page:
        return self.pages.current

    async def wait_for(self, work: Any) -> Any:
        return await self.pages.guarded(work)

    async def place(self, at: Target) -> tuple[float, float]:
        """Where to act, in view. Raises Refused."""
        if isinstance(at, Point):
            return at
        found = await self.pages.ask("given => window.__agentgym.point(...given)", [at, self.known])
        if "problem" in found:
            raise Refused(f"{at}: {_PROBLEMS[found['problem']].format(**found)}")
        return found["x"], found["y"]

    async def element(self, at: Target) -> ElementHandle:
        """The element itself, for what Playwright knows to do with it. Raises Refused."""
        script = "at => Array.isArray(at) ? document.elementFromPoint(...at) : window.__agentgym.elementOf(at)"
        await self.place(at)
        handle = await self.wait_for(self.page.evaluate_handle(script, list(at) if isinstance(at, Point) else at))
        element: ElementHandle | None = handle.as_element()
        if element is None:
            raise Refused(f"{at}: there is no element")
        return element

    async def focus(self, at: Target | None) -> None:
        """Put the focus there, and in a field the cursor at the end. Raises Refused."""
        if isinstance(at, Point):
            await self.wait_for(self.page.mouse.click(*at))
        elif at is not None:
            await self.place(at)
            await self.pages.ask("at => window.__agentgym.focus(at)", at)


async def act(pages: Pages, action: Action, known: str) -> None:
    """Do ``action`` on a page whose refs are those of the document ``known``. Raises Refused, PageLost, BrowserLost."""
    page = pages.current
    try:
        await _do(action, _Hand(pages, known))
        if not isinstance(action, Wait):
            await pages.pass_turn()
    except require("playwright.async_api", extra="gui").Error as error:
        raise Refused(_told(error)) from error
    except PageLost:
        if not pages.goes_on_without(page):
            raise


async def goto(pages: Pages, url: str) -> None:
    """Open an address. Raises Refused for one that may not be opened, PageLost where nothing comes."""
    if not pages.setup.lock.permits(url):
        pages.setup.lock.refused[url] += 1
        raise Refused(f'"{url}" cannot be opened from here')
    await pages.guarded(pages.current.goto(url, wait_until="domcontentloaded", timeout=_LOAD_MS), _LOAD_MS / 1000 + 5)
    await pages.pass_turn()


@functools.singledispatch
async def _do(action: Any, hand: _Hand) -> None:
    raise Refused(f"{type(action).__name__.lower()}: a browser has nothing to do with it")


@_do.register
async def _(action: Click, hand: _Hand) -> None:
    x, y = await hand.place(action.at)
    await hand.wait_for(hand.page.mouse.click(x, y, button=action.button, click_count=action.count))


@_do.register
async def _(action: Hover, hand: _Hand) -> None:
    await hand.wait_for(hand.page.mouse.move(*await hand.place(action.at)))


@_do.register
async def _(action: Fill, hand: _Hand) -> None:
    element = await hand.element(action.at)
    await hand.wait_for(element.fill(action.text, timeout=_ACTION_MS))


@_do.register
async def _(action: Type, hand: _Hand) -> None:
    await hand.focus(action.at)
    await hand.wait_for(hand.page.keyboard.type(action.text))
    if action.submit:
        await hand.wait_for(hand.page.keyboard.press("Enter"))


@_do.register
async def _(action: Press, hand: _Hand) -> None:
    await hand.focus(action.at)
    pages = hand.pages
    if is_clipboard := _CLIPBOARD.fullmatch(action.key) is not None:
        await pages.ask("text => { window.__agentgym.clip.text = text; }", pages.clip)
    await hand.wait_for(hand.page.keyboard.press(action.key))
    if is_clipboard:
        pages.clip = await pages.ask("() => window.__agentgym.clip.text")


@_do.register
async def _(action: Select, hand: _Hand) -> None:
    element = await hand.element(action.at)
    script = "(list, wanted) => window.__agentgym.optionsOf(list, wanted)"
    found = await hand.wait_for(element.evaluate(script, list(action.options)))
    if "problem" in found:
        raise Refused(f"{action.at}: {found['problem']}{_among(found.get('known', []))}")
    await hand.wait_for(element.select_option(index=found["indexes"], timeout=_ACTION_MS))


@_do.register
async def _(action: Scroll, hand: _Hand) -> None:
    middle = Point(hand.pages.setup.width / 2, hand.pages.setup.height / 2)
    await hand.wait_for(hand.page.mouse.move(*await hand.place(middle if action.at is None else action.at)))
    await hand.wait_for(hand.page.mouse.wheel(action.dx, action.dy))


@_do.register
async def _(action: Drag, hand: _Hand) -> None:
    mouse = hand.page.mouse
    await hand.wait_for(mouse.move(*await hand.place(action.start)))
    await hand.wait_for(mouse.down())
    try:
        x, y = await hand.place(action.end)
        await hand.wait_for(mouse.move(x, y, steps=_DRAG_STEPS))
    finally:
        await hand.wait_for(mouse.up())


@_do.register
async def _(action: Goto, hand: _Hand) -> None:
    await goto(hand.pages, action.url)


@_do.register
async def _(action: Back, hand: _Hand) -> None:
    await hand.wait_for(hand.page.go_back(wait_until="domcontentloaded", timeout=_ACTION_MS))


@_do.register
async def _(action: Forward, hand: _Hand) -> None:
    await hand.wait_for(hand.page.go_forward(wait_until="domcontentloaded", timeout=_ACTION_MS))


@_do.register
async def _(action: Wait, hand: _Hand) -> None:
    await hand.pages.pass_time(min(action.ms, _ACTION_MS))


def _among(options: Sequence[str]) -> str:
    """The options that there are, for whoever asked for another; of many the first."""
    told = ", ".join(options[:_MAX_OPTIONS])
    return f"; it has: {told}{', ...' if len(options) > _MAX_OPTIONS else ''}" if options else ""


def _told(error: Exception) -> str:
    """What Playwright says, without the name of the call and its log."""
    first = str(error).strip().partition("\n")[0]
    return first.partition(": ")[2] or first
