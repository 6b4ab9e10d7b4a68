"""The shop as a web site: requests become the simulator's actions, and its state becomes pages.

There are no other rules than the simulator's: a search is ``search[words]``, whatever is clicked on is ``click[name]``.
An address that is neither leads to the page where the shopper is, since the shop has one page for each state.
"""

from __future__ import annotations

import urllib.parse
from http import HTTPStatus

import numpy as np

from agentgym.browser.served import Reply, Request
from agentgym.environments.webshop.session import Session
from agentgym.environments.webshop_browser.pages import CLICK, ITEM, SEARCH, page

__all__ = ["ShopSite", "path_of"]


class ShopSite:
    """What one shopper's browser is answered."""

    def __init__(self) -> None:
        self.session: Session | None = None
        self.rng = np.random.default_rng(0)
        self.problem = ""
        """What was wrong with the last thing that was done."""

    def open(self, session: Session, rng: np.random.Generator) -> None:
        """Begin, or go on from, a session; random searches draw from ``rng``."""
        self.session, self.rng, self.problem = session, rng, ""

    def __call__(self, request: Request) -> Reply:
        """The reply."""
        parts = urllib.parse.urlsplit(request.path)
        session = self.session
        if session is None:
            return Reply("the shop is closed", "text/plain; charset=utf-8", HTTPStatus.SERVICE_UNAVAILABLE)
        asked = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        if request.method == "POST" and parts.path == CLICK:
            self._act(session, f"click[{request.form.get('name', '')}]")
        elif parts.path == SEARCH:
            self._act(session, f"search[{asked.get('q', '')}]")
        elif request.path != path_of(session) and parts.path.startswith(ITEM) and parts.path.count("/") == 2:
            self._act(session, f"click[{urllib.parse.unquote(parts.path.removeprefix(ITEM))}]")
        return self._shown(session) if request.path == path_of(session) else Reply.redirect(path_of(session))

    def _act(self, session: Session, action: str) -> None:
        if session.state.place != "done":  # an episode that is over takes no more actions
            self.problem = session.act(action, self.rng) or ""

    def _shown(self, session: Session) -> Reply:
        return Reply(page(session, self.problem))


def path_of(session: Session) -> str:
    """The address of the page where the shopper is."""
    state = session.state
    item = ITEM + urllib.parse.quote(state.asin, safe="")
    match state.place:
        case "search":
            return "/"
        case "results":
            return f"/results?{urllib.parse.urlencode({'q': ' '.join(state.keywords), 'page': state.page})}"
        case "item":
            return item
        case "sub_page":
            return f"{item}/{state.sub_page.lower()}"
        case "done":
            return "/thanks"
