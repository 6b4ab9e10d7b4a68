"""The restaurants of a site and their free times, both functions of a seed."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import hashlib
import itertools
from collections.abc import Mapping

import numpy as np

from agentgym.environments.booking.levels import LEVELS, Difficulty, Level
from agentgym.environments.booking.words import CUISINES, NAMES, PLACES, SURNAMES

__all__ = ["MOST_PEOPLE", "Restaurant", "Site", "open_site"]

MOST_PEOPLE = 12
"""At a table."""
_OF_EACH_PLACE = len(NAMES) // len(PLACES)


@dataclasses.dataclass(frozen=True, slots=True)
class Restaurant:
    """One of the site's."""

    id: str
    name: str
    place: str
    cuisine: str
    rating: float
    price: int
    """1 to 4."""


@dataclasses.dataclass(frozen=True, slots=True)
class Site:
    """All there is to be booked."""

    difficulty: Difficulty
    seed: int
    restaurants: Mapping[str, Restaurant]
    """By id."""
    found: Mapping[str, tuple[str, ...]]
    """Place → ids in the order of its results."""

    def is_free(self, restaurant: str, date: datetime.date, people: int, time: str) -> bool:
        """Whether there is a table."""
        key = repr((self.seed, restaurant, date.isoformat(), people, time)).encode()
        share = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") % 10
        return time in self.difficulty.times and share >= self.difficulty.sold_out

    def free_times(self, restaurant: str, date: datetime.date, people: int) -> list[str]:
        """From the earliest on."""
        return [time for time in self.difficulty.times if self.is_free(restaurant, date, people, time)]


@functools.lru_cache(maxsize=16)
def open_site(level: Level, seed: int) -> Site:
    """The site of a level and a seed; equal ones are the same object."""
    difficulty = LEVELS[level]
    rng = np.random.default_rng([seed, int(level[1:])])
    names = [NAMES[i] for i in rng.permutation(len(NAMES))]
    found: dict[str, tuple[str, ...]] = {}
    restaurants: dict[str, Restaurant] = {}
    for number, place in enumerate(PLACES[: difficulty.num_places]):
        own = names[number * _OF_EACH_PLACE :][:_OF_EACH_PLACE]
        called = _called(own, difficulty.num_restaurants)
        ids = []
        for i in rng.permutation(len(called)):
            made = _draw(called[i], place, rng)
            restaurants[made.id] = made
            ids.append(made.id)
        found[place] = tuple(ids)
    return Site(difficulty, seed, restaurants, found)


def _called(names: list[str], number: int) -> list[str]:
    """So many names; where they have two words, several begin alike and several end alike."""
    if number <= len(names):
        return names[:number]
    ends = SURNAMES[: -(-number // len(names))]
    return [f"{name} {end}" for name, end in itertools.product(names, ends)][:number]


def _draw(name: str, place: str, rng: np.random.Generator) -> Restaurant:
    cuisine = CUISINES[int(rng.integers(len(CUISINES)))]
    rating, price = 3 + int(rng.integers(0, 21)) / 10, int(rng.integers(1, 5))
    return Restaurant(name.replace(" ", "-"), name, place, cuisine, round(rating, 1), price)
