"""One shopper's way through the shop: where they are, and what an action does.

``State`` is all there is to an episode, small and plain enough for JSON. The rules, quirks included, are the
original's: searching works on every page, the page one is on is told from its url, showing results forgets
the chosen options, and an action that does not fit leaves everything as it was.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Literal, TypeAlias

import numpy as np

from agentgym.environments.webshop import pages
from agentgym.environments.webshop.pages import Node
from agentgym.environments.webshop.reward import Score
from agentgym.environments.webshop.shop import Shop

__all__ = ["Session", "State", "parse_action"]

BASE_URL = "http://127.0.0.1:3000"
RESULTS_PER_PAGE = 10

Place: TypeAlias = Literal["search", "results", "item", "sub_page", "done"]


@dataclasses.dataclass(slots=True, kw_only=True)
class State:
    """What one shopper has done so far."""

    task: int
    place: Place = "search"
    keywords: list[str] = dataclasses.field(default_factory=list)
    page: int = 1
    total: int = 0
    shown: list[str] = dataclasses.field(default_factory=list)
    """Products on the results page last shown."""
    asin: str = ""
    options: dict[str, str] = dataclasses.field(default_factory=dict)
    """Group → chosen value."""
    visited: list[str] = dataclasses.field(default_factory=list)
    """Products looked at since the search page was last shown, sorted."""
    sub_page: str = ""
    reward: float = 0.0


def parse_action(action: str) -> tuple[str, str] | None:
    """Verb and lower-case argument of ``verb[argument]``, or None. What follows the last "]" is ignored.

    >>> parse_action("search[Red Mug] please"), parse_action("click[]"), parse_action("buy it")
    (('search', 'red mug'), None, None)
    """
    line = action.partition("\n")[0]
    close = line.rfind("]")
    opening = line.rfind("[", 1, max(close - 1, 0))
    return (line[:opening], line[opening + 1 : close].lower()) if opening > 0 else None


class Session:
    """A state in a shop, and the page it shows."""

    def __init__(self, shop: Shop, state: State) -> None:
        self.shop, self.state = shop, state
        self.bought: Score | None = None
        """What the purchase was worth, once there is one."""
        self._show()

    @property
    def goal_text(self) -> str:
        """The instruction."""
        return self.shop.goals[self.state.task]["instruction_text"]

    @property
    def url(self) -> str:
        """The address of the page, as the original's server would have it."""
        state = self.state
        query = "+".join(state.keywords)
        item = f"{state.task}/{state.asin}/{query}/{state.page}"
        match state.place:
            case "search":
                path = f"{state.task}"
            case "results":
                path = f"search_results/{state.task}/{query}/{state.page}"
            case "item":
                path = f"item_page/{item}/{json.dumps(state.options)}"
            case "sub_page":
                path = f"item_sub_page/{item}/{state.sub_page}/{state.options}"
            case "done":
                path = f"done/{state.task}/{state.asin}/{state.options}"
        return f"{BASE_URL}/{path}"

    def act(self, action: str, rng: np.random.Generator) -> str | None:
        """Perform ``action``. Returns what was wrong with it, in which case nothing has happened."""
        match parse_action(action):
            case ("search", query) if query.split(" ")[0] == "<a>":
                return "searching by attribute (<a>) is not possible in this shop"
            case ("search", query):
                self._search(query.split(" "), 1, rng)
            case ("click", name) if name in self.clickables and name != "search":
                self._click(name, rng)
            case ("click", name):
                return f'there is nothing to click named "{name}" on this page'
            case _:
                return "an action is search[words] or click[name of a button, product or option]"
        self._show()
        return None

    def score(self) -> Score:
        """What buying the present product with the present options is worth."""
        return self.shop.score(self.state.asin, self.state.options, self.state.task)

    def _show(self) -> None:
        self.nodes = self._page()
        self.clickables = pages.clickables(self.nodes)

    def _page(self) -> list[Node]:
        state, products = self.state, self.shop.products
        match state.place:
            case "search":
                return pages.search_page(self.goal_text)
            case "results":
                shown = [products[asin] for asin in state.shown]
                return pages.results_page(self.goal_text, state.page, state.total, shown)
            case "item":
                return pages.item_page(self.goal_text, products[state.asin], self.shop.show_attrs)
            case "sub_page":
                return pages.sub_page(self.goal_text, products[state.asin], state.sub_page)
            case "done":
                return pages.done_page(state.asin, state.options, state.reward)

    def _search(self, keywords: list[str], page: int, rng: np.random.Generator) -> None:
        state, hits = self.state, self.shop.find(keywords, rng)
        state.place, state.keywords, state.page, state.total = "results", keywords, page, len(hits)
        # Page 0, which odd queries lead to, is empty, as a slice is.
        state.shown = hits[(page - 1) * RESULTS_PER_PAGE : page * RESULTS_PER_PAGE]
        state.asin, state.options = "", {}

    def _click(self, name: str, rng: np.random.Generator) -> None:
        state, here = self.state, self._page_name()
        sub_pages = {sub_page.lower(): sub_page for sub_page in pages.SUB_PAGES}
        if name == pages.BUY.lower():
            self.bought = self.score()
            state.place, state.reward = "done", self.bought.reward
        elif name == pages.BACK.lower():
            self.state = State(task=state.task)
        elif name == pages.NEXT.lower() and here == "search_results":
            self._search(state.keywords, state.page + 1, rng)
        elif name == pages.PREVIOUS.lower() and here in ("search_results", "item_page"):
            self._search(state.keywords, state.page - (here == "search_results"), rng)
        elif name in sub_pages:
            state.place, state.sub_page = "sub_page", sub_pages[name]
        else:
            self._open_item(self.clickables[name])

    def _open_item(self, clicked: Node) -> None:
        """Show the product, after a click on its id, on one of its options, or on the way back from a sub-page."""
        state = self.state
        state.place = "item"
        if clicked.kind == "link":
            state.asin = clicked.text
            state.visited = sorted({*state.visited, clicked.text})
        elif clicked.kind == "option":
            state.options = {**state.options, clicked.group: clicked.text}

    def _page_name(self) -> str:
        """The kind of page, as far as it matters, guessed from the url: a query that contains such a name misleads."""
        url = self.url
        return next((name for name in ("search_results", "item_page") if name in url), "")
