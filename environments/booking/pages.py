"""The pages of the site, each as what stands on it, in order.

A page is built once per turn; ``render`` shows it as text and as HTML, and the session finds in it what an id means.
Its elements have the ids that commands name: words of the page.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

from agentgym.environments.booking.dates import MONTHS, YEAR, days_in
from agentgym.environments.booking.site import Restaurant
from agentgym.environments.booking.words import OCCASIONS

__all__ = [
    "Block",
    "Kind",
    "Node",
    "Page",
    "calendar",
    "details_page",
    "done_page",
    "home_page",
    "popup",
    "restaurant_page",
    "results_page",
]

Kind: TypeAlias = Literal[
    "text", "legend", "field", "picker", "choice", "submit", "button", "link", "item", "time", "day", "gone", "off"
]
"""What an element is: "legend" says what the choices after it are for, "item" is one of a list of results, "gone" a
time that is sold out, "off" something that cannot be used and that only HTML shows."""


class Node(NamedTuple):
    """One element."""

    kind: Kind
    text: str
    """Its label."""
    id: str = ""
    """"" for what nothing can be done with."""
    value: str = ""
    """What a field holds, or what more is to be told."""
    does: str = ""
    """What a click on it does: the name of a method of the session."""
    input: str = "text"
    """The sort of a field, in the words of HTML."""
    url: str = ""
    """Where a link leads."""
    is_required: bool = False


class Block(NamedTuple):
    """Elements that belong together."""

    kind: Literal["section", "form", "list", "times", "nav", "calendar", "dialog"]
    name: str
    nodes: tuple[Node, ...]
    first_weekday: int = 0
    """Of a calendar's first day, Monday 0."""

    @property
    def submit(self) -> Node | None:
        """The button that sends it off."""
        return next((node for node in self.nodes if node.kind == "submit"), None)


class Page(NamedTuple):
    """What a browser shows: blocks, and over them what must be dealt with first, the last on top."""

    title: str
    blocks: tuple[Block, ...]
    overlays: tuple[Block, ...] = ()

    @property
    def active(self) -> tuple[Block, ...]:
        """The blocks that can be reached: those of the page, or what is on top of it."""
        return self.overlays[-1:] or self.blocks

    def find(self, id: str) -> tuple[Block, Node] | None:
        """The element of that id among those that can be reached, and its block."""
        return next(((block, node) for block in self.active for node in block.nodes if node.id == id), None)

    def has(self, id: str) -> bool:
        """Whether it stands anywhere on the page."""
        return any(node.id == id for block in (*self.blocks, *self.overlays) for node in block.nodes)


_HOME = Node("link", "home", "home", does="go_home", url="/")


def home_page(today: str, typed: Mapping[str, str], *, has_calendar: bool) -> Page:
    """The search, with what day it is; "" where that is not said."""
    date = (
        Node("picker", "date", "date", typed["date"], "open_calendar", is_required=True)
        if has_calendar
        else Node("field", "date", "date", typed["date"], is_required=True)
    )
    nodes = (
        Node("field", "place", "place", typed["place"], is_required=True),
        date,
        Node("field", "people", "people", typed["people"], input="number", is_required=True),
        Node("submit", "find", "find", does="find"),
    )
    title = f"find a table. today is {today}" if today else "find a table"
    return Page(title, (Block("form", "search", nodes),))


def results_page(
    asked: str, found: Sequence[tuple[Restaurant, str]], page: int, num_pages: int, *, prices: bool
) -> Page:
    """Some of the restaurants of a place, each with its address. ``asked`` says what was searched for."""
    items = tuple(
        Node("item", one.name, one.id, _facts(one, prices=prices), "open_restaurant", url=url) for one, url in found
    )
    ways = [_HOME]
    if page > 1:
        ways.append(Node("button", "prev", "prev", does="previous_page"))
    if page < num_pages:
        ways.append(Node("button", "next", "next", does="next_page"))
    title = f"{asked}, page {page} of {num_pages}" if num_pages > 1 else asked
    items = items or (Node("text", "nothing found"),)
    return Page(title, (Block("list", "restaurants", items), Block("nav", "pages", tuple(ways))))


def _facts(restaurant: Restaurant, *, prices: bool) -> str:
    price = f", {'$' * restaurant.price}" if prices else ""
    return f"{restaurant.cuisine}, {restaurant.rating}{price}"


def restaurant_page(restaurant: Restaurant, asked: str, times: Mapping[str, str], *, about: bool) -> Page:
    """One restaurant on one day: ``times`` has the address for each that is free, and "" for each that is not."""
    nodes = tuple(
        Node("time", time, time, does="take_time", url=url) if url else Node("gone", time, value="sold out")
        for time, url in times.items()
    )
    told = f"{restaurant.cuisine} food in {restaurant.place}, rated {restaurant.rating} of 5"
    more = (Block("section", "about", (Node("text", told),)),) if about else ()
    return Page(f"{restaurant.name}, {asked}", (*more, Block("times", "times", nodes), _ways_back("back_to_results")))


def details_page(booked: str, details: Sequence[str], typed: Mapping[str, str]) -> Page:
    """The form; ``booked`` says for what."""
    nodes: list[Node] = []
    for name in details:
        if name == "occasion":
            nodes.append(Node("legend", "occasion"))
            nodes += (_choice(occasion, typed[name]) for occasion in OCCASIONS)
        else:
            sort, is_required = _INPUTS.get(name, "text"), name != "request"
            nodes.append(Node("field", name, name, typed[name], input=sort, is_required=is_required))
    nodes.append(Node("submit", "book", "book", does="book"))
    return Page(booked, (Block("form", "guest", tuple(nodes)), _ways_back("back_to_times")))


_INPUTS = {"phone": "tel", "email": "email"}


def _choice(occasion: str, chosen: str) -> Node:
    return Node("choice", occasion, occasion, "chosen" if occasion == chosen else "", "choose_occasion")


def _ways_back(does: str) -> Block:
    return Block("nav", "ways", (Node("button", "back", "back", does=does), _HOME))


def done_page(booked: str, guest: str, number: int) -> Page:
    """The confirmation."""
    return Page(f"confirmed: {booked}", (Block("section", "receipt", (Node("text", f"{guest}, number {number}"),)),))


# -- what lies over a page -------------------------------------------------------------------------------


def calendar(month: int, today: datetime.date) -> Block:
    """The days of a month, 1 to 12, of which those before today are over."""
    nodes = [Node("text", f"{MONTHS[month - 1]} {YEAR}"), *_turns(month, today)]
    nodes.append(Node("button", "close", "close", does="close"))
    nodes += (_day(datetime.date(YEAR, month, day), today) for day in range(1, days_in(month) + 1))
    return Block("calendar", "choose a date", tuple(nodes), datetime.date(YEAR, month, 1).weekday())


def _turns(month: int, today: datetime.date) -> Iterator[Node]:
    if month > today.month:
        yield Node("button", "prev", "prev", does="previous_month")
    if month < 12:
        yield Node("button", "next", "next", does="next_month")


def _day(date: datetime.date, today: datetime.date) -> Node:
    day = str(date.day)
    return Node("off", day) if date < today else Node("day", day, day, does="take_day")


def popup(name: str, typed: str, offered: str) -> Block:
    """A pop-up by its name: what the field of "news" holds, and the time that "offer" has."""
    nodes: tuple[Node, ...]
    match name:
        case "cookies":
            said, nodes = "we use cookies", (_answer("accept"), _answer("decline"))
        case "news":
            said = "get our news and save 10 percent"
            field = Node("field", "news", "news", typed, input="email")
            nodes = (field, Node("submit", "join", "join", does="join"), Node("button", "close", "close", does="close"))
        case _:
            said = f"move your table to {offered} and get a free drink?"
            nodes = (Node("button", "yes", "yes", does="take_offer"), Node("button", "no", "no", does="close"))
    return Block("dialog", name, (Node("text", said), *nodes))


def _answer(id: str) -> Node:
    return Node("button", id, id, does="close")
