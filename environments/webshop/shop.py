"""A shop that any number of environments share: products, goals, prices, search and score.

The first environment with a catalogue reads or invents it, makes its goals and builds its search engine;
the others get the same objects, which nobody changes.
"""

from __future__ import annotations

import dataclasses
import functools
import random
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from agentgym.environments.webshop.catalogue import Catalogue, Instructions, read_catalogue
from agentgym.environments.webshop.embedded import invent_shop
from agentgym.environments.webshop.goals import (
    Goal,
    checked_goals,
    draw_prices,
    human_goals,
    in_session_order,
    synthetic_goals,
)
from agentgym.environments.webshop.nouns import guess_nouns
from agentgym.environments.webshop.products import Product
from agentgym.environments.webshop.reward import Nouns, Score, score
from agentgym.environments.webshop.search import Ranker

__all__ = ["MAX_HITS", "Shop", "open_shop"]

MAX_HITS = 50
_building = threading.Lock()
"""Held while anything shared is built, so that it is built once."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """What is sold and what is asked for."""

    products: Mapping[str, Product]
    """Id → product, in catalogue order."""
    goals: Sequence[Goal]
    """By task id."""
    prices: Mapping[str, float]
    """Id → price in dollars."""
    splits: Mapping[str, range]
    ranker: Ranker
    nouns: Nouns
    show_attrs: bool = False

    def find(self, keywords: Sequence[str], rng: np.random.Generator) -> list[str]:
        """Ids of the products that match, best first.

        Some first words are commands: ``<r>`` gives 50 random products, ``<c> word`` all of a category,
        ``<q> words`` all of a query.
        """
        command, rest = keywords[0], " ".join(keywords[1:]).strip()
        if command == "<r>":
            asins = list(self.products)
            return [asins[i] for i in rng.choice(len(asins), min(MAX_HITS, len(asins)), replace=False)]
        if command == "<c>":
            category = keywords[1].strip() if len(keywords) > 1 else ""
            return [asin for asin, product in self.products.items() if product.category == category]
        if command == "<q>":
            return [asin for asin, product in self.products.items() if product.query == rest]
        return [asin for asin in self.ranker(" ".join(keywords), MAX_HITS) if asin in self.products]

    def score(self, asin: str, options: Mapping[str, str], task: int) -> Score:
        """What buying that product with those options is worth for that task."""
        return score(self.products[asin], options, self.prices[asin], self.goals[task], self.nouns)


def open_shop(
    *,
    catalogue: str | Path | None,
    human: bool,
    num_products: int | None,
    goals: Sequence[Mapping[str, Any]] | None,
    prices: Mapping[str, float] | None,
    ranker: Ranker | None,
    nouns: Nouns | None,
    show_attrs: bool,
    catalogue_seed: int,
) -> Shop:
    """The shop of a ``WebShop`` with these keywords. Raises DataError."""
    with _building:
        if catalogue is None:
            stock = _invented(catalogue_seed)
        else:
            kind: Instructions = "none" if goals is not None else "human" if human else "synthetic"
            read = read_catalogue(Path(catalogue), kind, num_products)
            stock = _drawn(read, catalogue_seed) if prices is None else _draw(read, catalogue_seed, prices)
        ranker = ranker or stock.catalogue.ranker
    own_goals = stock.goals if goals is None else checked_goals(goals)
    return Shop(
        products=stock.catalogue.products,
        goals=own_goals,
        prices=stock.prices if prices is None else {**stock.prices, **prices},
        splits=stock.splits if goals is None else _original_splits(len(own_goals)),
        ranker=ranker,
        nouns=nouns or guess_nouns,
        show_attrs=show_attrs,
    )


class _Stock(NamedTuple):
    catalogue: Catalogue
    prices: Mapping[str, float]
    goals: Sequence[Goal]
    splits: Mapping[str, range]


@functools.lru_cache(maxsize=2)
def _invented(seed: int) -> _Stock:
    products, goals, splits = invent_shop(seed)
    prices = {product.asin: product.prices[0] for product in products}
    return _Stock(Catalogue(products={product.asin: product for product in products}), prices, goals, splits)


def _draw(catalogue: Catalogue, seed: int, given: Mapping[str, float]) -> _Stock:
    """Draw prices, then price ceilings: the order in which the original uses its RNG."""
    rng = random.Random(seed)
    products = catalogue.products.values()
    prices = {**draw_prices(products, rng), **given}
    goals = human_goals(products, catalogue.human, prices, rng)
    goals += synthetic_goals(products, catalogue.synthetic, prices, rng)
    return _Stock(catalogue, prices, in_session_order(goals), _original_splits(len(goals)))


@functools.lru_cache(maxsize=2)
def _drawn(catalogue: Catalogue, seed: int) -> _Stock:
    return _draw(catalogue, seed, {})


def _original_splits(num_goals: int) -> dict[str, range]:
    """The task ids that WebShop's baselines use, as far as there are goals."""
    test, validation = min(500, num_goals), min(1500, num_goals)
    return {"test": range(test), "validation": range(test, validation), "train": range(validation, num_goals)}
