"""What is asked for, and the user who asks: the words of the task, and the answer to a question.

A hash of where, when, for how many and for whom decides the split, so no two splits have such a wish in common.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import hashlib
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from agentgym.environments._options import Split
from agentgym.environments.booking.dates import YEAR, told
from agentgym.environments.booking.levels import Level
from agentgym.environments.booking.site import Site, open_site
from agentgym.environments.booking.words import FIRST, HOSTS, LAST, OCCASIONS, PHONES, REQUESTS, TEMPLATES

__all__ = ["GO_ON", "Wish", "split_of", "wish_of_task"]

GO_ON = "go on, you know all that you need."
"""What the user says where nothing is missing."""

_CAN_BE_MISSING = ("people", "time", "phone", "email")
_POPUP_SHARE = 0.7
"""Of the episodes of a level that has a pop-up, in which it comes up."""
_FIRST_DAY, _LAST_DAY = datetime.date(YEAR, 1, 5), datetime.date(YEAR, 9, 30)
"""Of those that may be today."""

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One user's."""

    restaurant: str
    name: str
    place: str
    today: datetime.date
    date: datetime.date
    people: int
    asked_time: str
    time: str
    """What is to be booked: the time asked for, or the next free one where that is wanted."""
    or_later: bool
    guest: Mapping[str, str]
    """Detail → what it is; "" where there is nothing to say."""
    missing: tuple[str, ...]
    popups: tuple[str, ...]
    template: str
    """"" where the user speaks in the words of the fields."""

    @property
    def text(self) -> str:
        """The task in the user's words, without what is missing."""
        if not self.template:
            return f"book {self.name}, {self._listed(self._facts)}."
        people = "" if "people" in self.missing else f" for {self.people}"
        time = "" if "time" in self.missing else f" at {self._time}"
        facts = self._facts
        asked = self.template.format(
            people=people, time=time, restaurant=self.name, place=self.place, date=facts["date"]
        )
        spare = {name: value for name, value in self.guest.items() if value and name not in ("first", "last")}
        known = "".join(f", {name} {value}" for name, value in spare.items() if name not in self.missing)
        return f"{asked} it is for {self.guest['first']} {self.guest['last']}{known}."

    @property
    def answer(self) -> str:
        """What the user says when asked for help."""
        missing = {name: value for name, value in self._facts.items() if name in self.missing}
        return f"{self._listed(missing)}." if missing else GO_ON

    @property
    def _facts(self) -> dict[str, str]:
        """By the names of the fields."""
        facts = {"place": self.place, "date": told(self.date), "people": str(self.people), "time": self._time}
        return {**facts, **{name: value for name, value in self.guest.items() if value}}

    @property
    def _time(self) -> str:
        return f"{self.asked_time} or the next free time" if self.or_later else self.asked_time

    @staticmethod
    def _listed(facts: Mapping[str, str]) -> str:
        return ", ".join(f"{name} {value}" for name, value in facts.items())


@functools.lru_cache(maxsize=256)  # snapshots come back to the same wish again and again
def wish_of_task(task: int, split: Split, level: Level, seed: int) -> Wish:
    """The wish of a task: the first of the task's own draws that belongs to ``split`` and can be fulfilled."""
    rng = np.random.default_rng([seed, int(level[1:]), task])
    while True:
        wish = _draw(open_site(level, seed), rng)
        if wish is not None and split_of(wish) == split:
            return wish


def split_of(wish: Wish) -> Split:
    """Of the wishes, six tenths are for training, two tenths each for validation and test."""
    topic = (wish.restaurant, wish.date.isoformat(), wish.people, wish.guest["first"], wish.guest["last"])
    share = int.from_bytes(hashlib.blake2b(repr(topic).encode(), digest_size=8).digest(), "big") % 10
    return "train" if share < 6 else "validation" if share < 8 else "test"


def _draw(site: Site, rng: np.random.Generator) -> Wish | None:
    """A wish; None where no time is left."""
    difficulty = site.difficulty
    restaurant = site.restaurants[_one(list(site.restaurants), rng)]
    today = _FIRST_DAY + datetime.timedelta(days=int(rng.integers((_LAST_DAY - _FIRST_DAY).days)))
    date = today + datetime.timedelta(days=int(rng.integers(1, difficulty.days_ahead + 1)))
    people, guest = int(rng.integers(1, 9)), _draw_guest(difficulty.details, rng)
    free = site.free_times(restaurant.id, date, people)
    asked = _one(difficulty.times if difficulty.or_later else free, rng) if free else ""
    time = next((time for time in free if time >= asked), "")
    if not time:
        return None
    can_be_missing = [name for name in _CAN_BE_MISSING if name in ("people", "time") or name in guest]
    chosen = rng.choice(len(can_be_missing), size=difficulty.num_missing, replace=False)
    return Wish(
        restaurant=restaurant.id,
        name=restaurant.name,
        place=restaurant.place,
        today=today,
        date=date,
        people=people,
        asked_time=asked,
        time=time,
        or_later=difficulty.or_later,
        guest=guest,
        missing=tuple(name for number, name in enumerate(can_be_missing) if number in chosen),
        popups=tuple(name for name in difficulty.popups if rng.random() < _POPUP_SHARE),
        template=_one(TEMPLATES, rng) if difficulty.is_spoken else "",
    )


def _draw_guest(details: Sequence[str], rng: np.random.Generator) -> dict[str, str]:
    last = _one(LAST, rng)
    every = {
        "first": _one(FIRST, rng),
        "last": last,
        "phone": _one(PHONES, rng),
        "email": f"{last}{rng.integers(10, 100)}@{_one(HOSTS, rng)}",
        "occasion": _one(("", *OCCASIONS), rng),
        "request": _one(("", *REQUESTS), rng),
    }
    return {name: every[name] for name in details}


def _one(values: Sequence[T], rng: np.random.Generator) -> T:
    return values[int(rng.integers(len(values)))]
