"""What environments share that are a web site of ours in a real browser, driven by the rules of a simulator.

The site is served to the environment's own window and to nothing else; what is done there with mouse and keys comes to
the simulator's session as requests, and reward and end are read off that session. What only the page has, such as
words in a field that were not sent yet, belongs to a moment as well.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, TypeAlias

from agentgym.browser import Action, Back, Click, Fill, Goto, Node, PageLost, Press, Say, Scroll, Seen, Window, as_text
from agentgym.browser.served import Site, Visitor, visit
from agentgym.env import Env
from agentgym.errors import EnvError
from agentgym.types import Observation

__all__ = ["Observe", "SiteEnv"]

Observe: TypeAlias = Literal["text", "elements", "screenshot", "both"]

_WIDTH, _HEIGHT = 1200, 900
_FIELDS = ("textbox", "searchbox")

_FIND = """([selector, refs]) => {
    const wanted = document.querySelector(selector);
    return refs.find((ref) => window.__agentgym.elementOf(ref) === wanted) ?? "";
}"""
_BRING_BACK = """([values, focus, left, top]) => {
    for (const [ref, value] of values) window.__agentgym.elementOf(ref).value = value;
    if (focus) window.__agentgym.elementOf(focus)?.focus();
    window.scrollTo(left, top);
}"""


class SiteEnv(Env):
    """Base of environments that are a site; subclasses say what it is and what is paid."""

    kind: ClassVar[str] = "web"
    extra: ClassVar[str] = "gui"
    instructions = (
        "Use the site. Commands: CLICK[id], TYPE[id][text] puts text in place of what a field holds, CLEAR[id], "
        "PRESS[key], SCROLL[up|down], GOTO[path], BACK."
    )

    def _serve(self, site: Site, observe: Observe) -> None:
        """To be called by constructors. Raises MissingExtraError where there is no browser."""
        self.observe = observe
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
        """Open the session's page in a fresh context."""
        if self._visitor is None:
            self._visitor = visit(self._site)
            self._window = Window(width=_WIDTH, height=_HEIGHT, origins=[self._visitor.origin])
        self._page_window.open(self._visitor.origin + self._path())
        return self._look()

    def _do(self, command: str) -> str | None:
        """Do what a command says; what was wrong with it. The page is to be looked at then."""
        action = _parsed(command)
        if isinstance(action, str):
            return action
        if isinstance(action, Say):
            return self._said(action.text)
        if isinstance(action, Goto):
            assert self._visitor is not None
            action = Goto(self._visitor.origin + action.url)
        return self._page_window.act(action)

    def _look(self, problem: str | None = None) -> Observation:
        """What there is to see. Raises EnvError where the site broke."""
        seen, visitor = self._page_window.look(), self._visitor
        assert visitor is not None
        if visitor.broke is not None:
            broke, visitor.broke = visitor.broke, None
            raise EnvError(f"the site of {self.name} broke: {broke!r}") from broke
        told = [*self._told(), *([f"error: {problem}"] if problem else []), *seen.news]
        if self.observe in ("text", "both"):
            told.append(as_text(seen))
        if self.observe == "elements":
            told += [_with_place(node) for node in seen.nodes if node.acts]
        images = [self._page_window.screenshot()] if self.observe in ("screenshot", "both") else []
        return Observation("\n".join(told), admissible=[*self._admissible(seen)], images=images)

    def _admissible(self, seen: Seen) -> Sequence[str]:
        acting = [node for node in seen.nodes if node.acts and "disabled" not in node.states]
        return [f"TYPE[{one.ref}][<text>]" if one.role in _FIELDS else f"CLICK[{one.ref}]" for one in acting]

    def ref_of(self, selector: str) -> str:
        """The ref of the first element that a CSS selector finds. Raises EnvError where it is not seen."""
        if found := self.find(selector):
            return found
        raise EnvError(f"{self.name} shows no {selector}")

    def find(self, selector: str) -> str:
        """The same; "" where it is not seen."""
        seen = self._page_window.seen
        refs = [node.ref for node in seen.nodes if node.ref] if seen else []
        return str(self._page_window.evaluate(_FIND, [selector, refs]))

    def value_of(self, ref: str) -> str:
        """What a field holds."""
        node = self._page_window.seen.find(ref) if self._page_window.seen else None
        return (node.value if node else None) or ""

    @property
    def _page_window(self) -> Window:
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
        seen = self._page_window.seen
        assert seen is not None
        values = [[node.ref, node.value] for node in seen.nodes if node.role in _FIELDS]
        focus = next((node.ref for node in seen.nodes if "focused" in node.states), "")
        return {"values": values, "focus": focus, "left": seen.scroll[0], "top": seen.scroll[1]}

    def _bring_back(self, state: dict[str, Any]) -> None:
        """Show the session's page as it was at that moment."""
        self._begin()
        self._page_window.evaluate(_BRING_BACK, [state["values"], state["focus"], state["left"], state["top"]])
        self._page_window.look()


def _with_place(node: Node) -> str:
    left, top, width, height = node.box
    value = f" value={node.value!r}" if node.value is not None else ""
    return f'[{node.ref}] {node.role} "{node.name}"{value} at {left + width // 2},{top + height // 2}'


_ONE = re.compile(r"(CLICK|CLEAR|PRESS|SCROLL|GOTO) ?\[([^\[\]]+)\]", re.IGNORECASE)
_TYPE = re.compile(r"TYPE ?\[([^\[\]]+)\] ?\[(.*)\]", re.IGNORECASE)


def _parsed(command: str) -> Action | str:
    words = command.strip()
    if words.upper() == "BACK":
        return Back()
    if words.upper() == "ASK USER HELP":
        return Say("")
    if found := _TYPE.fullmatch(words):
        return Fill(found[1].strip(), found[2])
    found = _ONE.fullmatch(words)
    if found is None:
        return "expected CLICK[id], TYPE[id][text], CLEAR[id], PRESS[key], SCROLL[up], SCROLL[down], GOTO[path] or BACK"
    target = found[2].strip()
    match found[1].upper():
        case "CLICK":
            return Click(target)
        case "CLEAR":
            return Fill(target, "")
        case "PRESS":
            return Press(target)
        case "GOTO":
            return Goto(target if target.startswith("/") else f"/{target}")
        case _:
            return Scroll(0, -600 if target.lower() == "up" else 600)
