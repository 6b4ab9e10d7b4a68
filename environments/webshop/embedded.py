"""An invented shop of 3,000 products, for when there is no catalogue at hand.

It is deterministic and built in a fraction of a second, so nothing is downloaded or written. Made for policies that
start from nothing: a closed vocabulary (``words``), titles of a few words, ids like B42KX,
few distinct prices. It is still a shop: each kind of product comes in some sixty variants that share attributes
and differ in others, in the colors they are offered in, and in price, so that the first hit of even a perfect
query is often too expensive, and the right choice can be read from the pages. What is asked for always stands
in the title, the options and the price.

Task ids: 0–499 are test goals, 500–999 validation goals, the rest train goals. No product is the goal of two
splits.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Sequence
from typing import NamedTuple

from agentgym.environments.webshop.goals import Goal, Instruction, human_goals
from agentgym.environments.webshop.products import PATH_SEPARATOR, Product
from agentgym.environments.webshop.words import BRANDS, DEPARTMENTS, ID_LETTERS, TEMPLATES, Department

__all__ = ["EmbeddedShop", "invent_shop"]

NUM_PRODUCTS = 3000
NUM_HELD_OUT = 500
"""Goals, each of its own product, in the test split and in the validation split."""

# Prices in dollars. The gap is wider than the room between a cheap product and most of its price ceilings.
CHEAP = tuple(11 + 1.5 * i for i in range(19))
DEAR = tuple(62 + 2.5 * i for i in range(15))
CHEAP_SHARE = 0.6
GOALS_PER_CHEAP = 6


class EmbeddedShop(NamedTuple):
    """Products, goals by task id, and the task ids of each split."""

    products: list[Product]
    goals: list[Goal]
    splits: dict[str, range]


class _Kind(NamedTuple):
    name: str
    department: str
    attributes: tuple[str, ...]


def invent_shop(seed: int = 0) -> EmbeddedShop:
    """The shop of that seed: equal seeds give equal shops."""
    rng = random.Random(seed)
    kinds = [
        _Kind(name, name_of_department, tuple(rng.sample(department.attributes, 5)))
        for name_of_department, department in DEPARTMENTS.items()
        for name in department.kinds
    ]
    asins = [f"B{digits:02d}{letters}" for letters in ID_LETTERS for digits in range(100)]
    rng.shuffle(asins)
    products = [
        _product(asin, kind, rng) for asin, kind in zip(asins[:NUM_PRODUCTS], itertools.cycle(kinds), strict=False)
    ]
    rng.shuffle(products)
    return EmbeddedShop(products, *_goals(products, rng))


def _product(asin: str, kind: _Kind, rng: random.Random) -> Product:
    *shown, hidden = attributes = rng.sample(kind.attributes, 3)
    brand = rng.choice(BRANDS)
    title = " ".join((brand, *shown, kind.name))
    price = rng.choice(CHEAP if rng.random() < CHEAP_SHARE else DEAR)
    return Product(
        asin=asin,
        title=title,
        category=kind.department,
        query=kind.name,
        product_category=f" {PATH_SEPARATOR} ".join(("shop", kind.department, kind.name)),
        description=f"the {title}",
        bullets=(f"made by {brand}", f"also {hidden}"),
        prices=(price,),
        price_tag=f"${price}",
        options=_options(DEPARTMENTS[kind.department], rng),
        attributes=tuple(attributes),
    )


def _options(department: Department, rng: random.Random) -> dict[str, tuple[str, ...]]:
    """Some of the colors or scents, all of the sizes."""
    return {
        group: values if group == "size" else tuple(sorted(rng.sample(values, 4)))
        for group, values in department.options.items()
    }


def _goals(products: Sequence[Product], rng: random.Random) -> tuple[list[Goal], dict[str, range]]:
    """Nine goals of ten are cheap products, because there the price of the other hits matters.

    Splits are drawn apart from the order of the products, which decides between equal hits of a search.
    """
    drawn = rng.sample(products, len(products))
    cheap = [product for product in drawn if product.prices[0] in CHEAP]
    dear = [product for product in drawn if product.prices[0] in DEAR]
    num_cheap, num_dear = NUM_HELD_OUT * 9 // 10, NUM_HELD_OUT // 10
    goals: list[Goal] = []
    for split in range(2):
        goals += _asked(cheap[split * num_cheap :][:num_cheap] + dear[split * num_dear :][:num_dear], 1, rng)
    cheap, dear = cheap[2 * num_cheap :], dear[2 * num_dear :]
    train = _asked(cheap, GOALS_PER_CHEAP, rng) + _asked(dear[: len(cheap) * GOALS_PER_CHEAP // 9], 1, rng)
    rng.shuffle(train)
    goals += train
    first_train = 2 * NUM_HELD_OUT
    splits = {
        "test": range(NUM_HELD_OUT),
        "validation": range(NUM_HELD_OUT, first_train),
        "train": range(first_train, len(goals)),
    }
    return goals, splits


def _asked(products: Sequence[Product], num_each: int, rng: random.Random) -> list[Goal]:
    """Goals for these products, in random order."""
    instructions = {product.asin: [_instruction(product, rng) for _ in range(num_each)] for product in products}
    prices = {product.asin: product.prices[0] for product in products}
    goals = human_goals(products, instructions, prices, rng)
    rng.shuffle(goals)
    return goals


def _instruction(product: Product, rng: random.Random) -> Instruction:
    shown = product.attributes[:2]
    attributes = shown if rng.random() < 0.6 else (rng.choice(shown),)
    options = {group: rng.choice(values) for group, values in product.options.items() if rng.random() < 0.8}
    text = _sentence(product.query, attributes, options, rng)
    return Instruction(text, attributes, tuple(options.values()))


def _sentence(kind: str, attributes: Sequence[str], options: dict[str, str], rng: random.Random) -> str:
    color = options.get("color") or options.get("scent")
    text = rng.choice(TEMPLATES).format(
        near=" ".join(attributes),
        far=" and ".join(attributes),
        kind=kind,
        color=f"{color} " if color else "",
        in_color=f" in {color}" if color else "",
        size=f" in size {options['size']}" if "size" in options else "",
    )
    return re.sub(r"\ba (?=[aeiou])", "an ", text)
