"""Addresses of the site's pages, written and read. The pages that can be come to by an address are these::

/                                                              the search
/find?place=rome&date=2026-03-14&people=4&page=2               its results
/at/olive-tree?date=2026-03-14&people=4                        a restaurant
/book/olive-tree?date=2026-03-14&people=4&time=19.30           the form
"""

from __future__ import annotations

import urllib.parse
from typing import Literal, NamedTuple, TypeAlias

from agentgym.environments.booking.dates import read_date
from agentgym.environments.booking.site import MOST_PEOPLE

__all__ = ["HOST", "Address", "PageName", "read_people", "read_url", "url_of"]

HOST = "tables.example"
PageName: TypeAlias = Literal["home", "results", "restaurant", "details", "done"]

_NOWHERE = "there is nothing at this address"


class Address(NamedTuple):
    """A page and what it is about."""

    at: PageName = "home"
    place: str = ""
    """That is searched."""
    date: str = ""
    """In ISO's form."""
    people: int = 0
    page: int = 1
    restaurant: str = ""
    time: str = ""


def url_of(address: Address) -> str:
    """Without the host."""
    when = {"date": address.date, "people": address.people}
    match address.at:
        case "home":
            return "/"
        case "results":
            return f"/find?{urllib.parse.urlencode({'place': address.place, **when, 'page': address.page})}"
        case "restaurant":
            return f"/at/{address.restaurant}?{urllib.parse.urlencode(when)}"
        case "details":
            return f"/book/{address.restaurant}?{urllib.parse.urlencode({**when, 'time': address.time})}"
        case "done":
            return "/done"


def read_url(url: str) -> Address:
    """The address that ``url`` is, with or without the host. Raises ValueError, which says what is wrong."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        raise ValueError(_NOWHERE) from None
    asked = dict(urllib.parse.parse_qsl(parts.query))
    if parts.scheme not in ("", "http", "https") or parts.netloc not in ("", HOST):
        raise ValueError(f"this browser stays at {HOST}")
    match parts.path.strip("/").lower().split("/"):
        case [""]:
            return Address()
        case ["find"]:
            found = Address("results", place=asked.get("place", ""), page=_number(asked.get("page", "1")))
        case ["at", restaurant]:
            found = Address("restaurant", restaurant=restaurant)
        case ["book", restaurant]:
            found = Address("details", restaurant=restaurant, time=asked.get("time", ""))
        case ["done"]:
            raise ValueError("nothing is booked yet")
        case _:
            raise ValueError(_NOWHERE)
    date = read_date(asked.get("date", ""))
    return found._replace(date=date.isoformat(), people=read_people(asked.get("people", "")))


def read_people(text: str) -> int:
    """How many people ``text`` says. Raises ValueError."""
    if (number := _number(text.strip())) and number <= MOST_PEOPLE:
        return number
    raise ValueError(f"people is a number from 1 to {MOST_PEOPLE}")


def _number(text: str) -> int:
    """A whole number of at most three digits; 0 for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 3 else 0
