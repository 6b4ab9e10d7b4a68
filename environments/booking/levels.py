"""How hard it is: how much there is to choose from, what is in the way, and what the user left out."""

from __future__ import annotations

import dataclasses
from typing import Literal, TypeAlias

__all__ = ["LEVELS", "Difficulty", "Level"]

Level: TypeAlias = Literal["b1", "b2", "b3", "b4", "b5"]

_HOURS = ("18.00", "19.00", "20.00", "21.00")
_HALF_HOURS = tuple(f"{hour}.{minute}" for hour in range(17, 22) for minute in ("00", "30"))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Difficulty:
    """What a level is made of."""

    max_turns: int
    """That an episode may have: about twice what the expert takes, as arXiv 2510.01132 found a good budget."""
    num_places: int = 8
    num_restaurants: int
    """Of each place."""
    per_page: int
    """Restaurants on a page of results."""
    view: int = 0
    """Lines of a page that are seen at once; 0: all."""
    times: tuple[str, ...] = _HALF_HOURS
    sold_out: int
    """Tenths of all times."""
    or_later: bool = False
    """The time asked for may be sold out, and the next free one is wanted then."""
    days_ahead: int = 60
    has_calendar: bool = False
    """The date is chosen in a calendar rather than typed, and the number of people stands at 2."""
    popups: tuple[str, ...] = ()
    """Those that may come up."""
    details: tuple[str, ...]
    """What the form asks a guest for."""
    num_missing: int = 0
    """Facts that the user left out, and tells when asked."""
    is_spoken: bool = False
    """The user speaks in sentences, rather than in the words of the fields."""
    shows_url: bool = False


_NAME = ("first", "last")
LEVELS: dict[Level, Difficulty] = {
    "b1": Difficulty(
        max_turns=18,
        num_places=6,
        num_restaurants=3,
        per_page=3,
        times=_HOURS,
        sold_out=0,
        days_ahead=25,
        details=_NAME,
    ),
    "b2": Difficulty(
        max_turns=24, num_restaurants=6, per_page=3, sold_out=3, popups=("cookies",), details=(*_NAME, "phone")
    ),
    "b3": Difficulty(
        max_turns=38,
        num_restaurants=12,
        per_page=4,
        sold_out=4,
        or_later=True,
        has_calendar=True,
        popups=("cookies", "news"),
        details=(*_NAME, "phone", "email"),
        is_spoken=True,
        shows_url=True,
    ),
    "b4": Difficulty(
        max_turns=44,
        num_restaurants=18,
        per_page=6,
        sold_out=5,
        or_later=True,
        has_calendar=True,
        popups=("cookies", "news", "offer"),
        details=(*_NAME, "phone", "email", "occasion"),
        num_missing=1,
        is_spoken=True,
        shows_url=True,
    ),
    "b5": Difficulty(
        max_turns=54,
        num_restaurants=30,
        per_page=10,
        view=8,
        sold_out=6,
        or_later=True,
        has_calendar=True,
        popups=("cookies", "news", "offer"),
        details=(*_NAME, "phone", "email", "occasion", "request"),
        num_missing=2,
        is_spoken=True,
        shows_url=True,
    ),
}
