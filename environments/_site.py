"""What environments share that are a web site of ours in a real browser, driven by the rules of a simulator.

The site is served to the environment's own window and to nothing else; what is done there with mouse and keys comes to
the simulator's session as requests, and reward and end are read off that session. What only the page has, such as
words in a field that were not sent yet, belongs to a moment as well. The browser's history does not: there is one page
for each state of a session, and no way back but the site's own.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, TypeAlias

from agentgym.browser import Action, Back, Forward, Goto, PageLost, Say, Seen, Window, as_text
from agentgym.browser.served import Site, Visitor, visit
from agentgym.browser.spellings import SPELLINGS, SpellingName
from agentgym.browser.tree import View
from agentgym.env import Env
from agentgym.errors import EnvError, ParseError
from agentgym.types import Observation

__all__ = ["Observe", "SiteEnv"]

Observe: TypeAlias = Literal["text", "elements", "screenshot", "both"]

_LONGEST = 300
"""Characters of an action: no field takes more than 60, and keys are pressed one by one."""
_ELEMENTS = View(interactive=True, boxes=True)
_FIELDS = ("textbox", "searchbox")

_FIND = """([selector, refs]) => {
    const wanted = document.querySelector(selector);
    return refs.find((ref) => window.__agentgym.elementOf(ref) === wanted) ?? "";
}"""
_ALERT = "() => document.querySelector('[role=alert]:not([hidden])')?.textContent ?? ''"
_BRING_BACK = """([values, alert, focus, left, top]) => {
    const shown = document.querySelector("[role=alert]");
    if (shown) Object.assign(shown, { textContent: alert, hidden: !alert });
    for (const [ref, value] of values) window.__agentgym.elementOf(ref).value = value;
    if (focus) window.__agentgym.focus(focus);
    window.scrollTo(left, top);
}"""


class SiteEnv(Env):
    """Base of environments that are a site; subclasses say what it is and what is paid."""

    kind: ClassVar[str] = "web"
    extra: ClassVar[str] = "gui"
    corpus_episodes: ClassVar[int] = 24
    width: ClassVar[int] = 1200
    """Of what is in view, in pixels."""
    height: ClassVar[int] = 900

    def _serve(self, site: Site, *, observe: Observe, spelling: SpellingName, marks: bool) -> None:
        """To be called by constructors. Raises MissingExtraError where there is no browser."""
        self.observe, self.spelling, self.marks = observe, SPELLINGS[spelling], marks
        self.instructions = f"Use the site. {self.spelling.usage}"
        self._back = self.spelling.format(Back())
        self._site = site
        self._visitor: Visitor | None = None
        self._window: Window | None = None
        Window()  # complains at once where something is missing

    # -- written by subclasses -----------------------------------------------------------------------

    @abstractmethod
    def _told(self) -> list[str]:
        """What the policy knows beside the page: the task, what the user says."""

    @abstractmethod
    def _path(self) -> str:
        """Where the session is, for a browser that comes to see it; only the page is shown there then."""

    def _said(self, words: str) -> str | None:
        """Take what the policy says to the user; what was wrong with it."""
        return "nobody listens here"

    # -- the page ------------------------------------------------------------------------------------

    def _begin(self) -> Observation:
        """Open the session's page, with nothing left of what was before."""
        if self._visitor is None:
            self._visitor = visit(self._site)
            self._window = Window(width=self.width, height=self.height, origins=[self._visitor.origin])
        self._page.open(self._visitor.origin + self._path())
        return self._look()

    def _do(self, said: str) -> str | None:
        """Do what an action says; what was wrong with it. The page is to be looked at then."""
        if len(said) > _LONGEST:
            return f"an action has {_LONGEST} characters at most here, found {len(said)}"
        try:
            action = self._parsed(said)
        except ParseError as error:
            return str(error)
        if isinstance(action, Say):
            return self._said(action.text)
        if isinstance(action, Back | Forward):
            return "this site has ways back of its own, on its pages"
        if isinstance(action, Goto) and self._visitor is not None:
            action = Goto(f"{self._visitor.origin}/{action.url.lstrip('/')}")
        return self._page.act(action)

    def _parsed(self, said: str) -> Action:
        return self.spelling.parse(said)

    def _look(self, problem: str | None = None) -> Observation:
        """What there is to see. Raises EnvError where the site broke."""
        seen, visitor = self._page.look(), self._visitor
        if visitor is not None and visitor.broke is not None:
            broke, visitor.broke = visitor.broke, None
            raise EnvError(f"the site of {self.name} broke: {broke!r}") from broke
        told = [*self._told(), *([f"error: {problem}"] if problem else []), *seen.news]
        if self.observe != "screenshot":
            told.append(as_text(seen, _ELEMENTS) if self.observe == "elements" else as_text(seen))
        images = [self._page.screenshot(marks=self.marks)] if self.observe in ("screenshot", "both") else []
        admissible = [*self._admissible(seen)]
        return Observation("\n".join(told), admissible=admissible, tools=self.spelling.tools, images=images)

    def _admissible(self, seen: Seen) -> Sequence[str]:
        every = self.spelling.admissible(seen.nodes)
        return [action for action in every if action != self._back]

    def ref_of(self, selector: str) -> str:
        """The ref of the first element that a CSS selector finds. Raises EnvError where it is not seen."""
        if found := self.find(selector):
            return found
        raise EnvError(f"{self.name} shows no {selector}")

    def find(self, selector: str) -> str:
        """The same; "" where it is not seen."""
        seen = self._page.seen
        refs = [node.ref for node in seen.nodes if node.ref] if seen else []
        return str(self._page.evaluate(_FIND, [selector, refs]))

    def value_of(self, ref: str) -> str:
        """What a field holds."""
        node = self._page.seen.find(ref) if self._page.seen else None
        return (node.value if node else None) or ""

    @property
    def _page(self) -> Window:
        if self._window is None:
            raise PageLost("no page is open; call reset()")
        return self._window

    def close(self) -> None:
        """Close the window, and the site with it."""
        if self._window is not None:
            self._window.close()
        if self._visitor is not None:
            self._visitor.leave()
        self._window = self._visitor = None

    # -- moments -------------------------------------------------------------------------------------

    def _page_state(self) -> dict[str, Any]:
        """What the page has beside the session, as plain JSON."""
        seen = self._page.seen
        assert seen is not None
        values = [[node.ref, node.value] for node in seen.nodes if node.role in _FIELDS]
        focus = next((node.ref for node in seen.nodes if "focused" in node.states), "")
        alert = self._page.evaluate(_ALERT)  # stays until the next page, whatever else is said meanwhile
        return {"values": values, "alert": alert, "focus": focus, "left": seen.scroll[0], "top": seen.scroll[1]}

    def _bring_back(self, state: dict[str, Any]) -> None:
        """Show the session's page as it was at that moment."""
        self._begin()
        self._page.evaluate(_BRING_BACK, [state[part] for part in ("values", "alert", "focus", "left", "top")])
        self._page.look()
