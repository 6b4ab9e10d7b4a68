"""What shoppers are asked to buy: goals made from instructions, and the price that each product is sold at.

Human goals come one for each written instruction; synthetic goals one for each combination of a product's
options. Both are put into session order by the original's fixed shuffle. Departs from the original in one
thing: what it draws from Python's unseeded global RNG (a price within a range, a price ceiling) comes from
``rng``, in the same order of use.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypedDict

from agentgym.environments.webshop.products import Product
from agentgym.errors import DataError

__all__ = ["Goal", "Instruction", "checked_goals", "draw_prices", "human_goals", "in_session_order", "synthetic_goals"]

SHUFFLE_SEED = 233
CEILINGS = tuple(10.0 * tens for tens in range(1, 100))
NO_CEILING = 1_000_000.0


class Goal(TypedDict):
    """The fields of the original. ``goal_options`` is a list for human goals, a dict for synthetic ones."""

    asin: str
    category: str
    query: str
    name: str
    product_category: str
    instruction_text: str
    attributes: Sequence[str]
    price_upper: float
    goal_options: Sequence[str] | dict[str, str]
    weight: float


class Instruction(NamedTuple):
    """One instruction as it lies in the files, without a price."""

    text: str
    attributes: tuple[str, ...]
    options: tuple[str, ...] = ()


def draw_prices(products: Iterable[Product], rng: random.Random) -> dict[str, float]:
    """The price of each product in dollars: its only one, or a draw within its range."""
    return {p.asin: p.prices[0] if len(p.prices) == 1 else rng.uniform(*p.prices) for p in products}


def human_goals(
    products: Iterable[Product],
    instructions: Mapping[str, Sequence[Instruction]],
    prices: Mapping[str, float],
    rng: random.Random,
) -> list[Goal]:
    """A goal for each instruction that has attributes, in the order of the products."""
    goals = []
    for product in products:
        for instruction in instructions.get(product.asin, ()):
            if instruction.attributes:
                ceiling, clause = draw_ceiling(prices[product.asin], rng)
                text = instruction.text.strip(".") + clause
                goals.append(_goal(product, text, instruction.attributes, ceiling, list(instruction.options)))
    return goals


def synthetic_goals(
    products: Iterable[Product],
    instructions: Mapping[str, Instruction],
    prices: Mapping[str, float],
    rng: random.Random,
) -> list[Goal]:
    """A goal for each way to choose one value of every option; rare attributes weigh more."""
    goals = []
    for product in products:
        if (instruction := instructions.get(product.asin)) is None:
            continue
        ceiling, clause = draw_ceiling(prices[product.asin], rng)
        groups = sorted(product.options)
        for values in itertools.product(*(product.options[group] for group in groups)):
            wanted = dict(zip(groups, values, strict=True))
            choice = ", and ".join(f"{group}: {value}" for group, value in wanted.items())
            text = instruction.text + (f" with {choice}" if choice else "") + clause
            goals.append(_goal(product, text, instruction.attributes, ceiling, wanted))
    counts = Counter(attribute for goal in goals for attribute in goal["attributes"])
    for goal in goals:
        goal["weight"] = sum(1.0 / counts[a] for a in goal["attributes"]) / len(goal["attributes"])
    return goals


def draw_ceiling(price: float, rng: random.Random) -> tuple[float, str]:
    """The higher of two of the next four multiples of ten above ``price``, and how the instruction says so."""
    above = [ceiling for ceiling in CEILINGS if ceiling > price][:4]
    if len(above) < 2:
        return NO_CEILING, ""
    ceiling = max(rng.sample(above, 2))
    return ceiling, f", and price lower than {ceiling:.2f} dollars"


def in_session_order(goals: list[Goal]) -> list[Goal]:
    """The goals in the order in which task ids count them."""
    random.Random(SHUFFLE_SEED).shuffle(goals)
    return goals


def checked_goals(goals: Sequence[Mapping[str, Any]]) -> list[Goal]:
    """Goals given by the caller, as they are. Raises DataError for one that lacks a field."""
    for i, goal in enumerate(goals):
        if missing := Goal.__required_keys__ - {"asin", "category", "weight"} - goal.keys():
            fields = ", ".join(Goal.__annotations__)
            raise DataError(f"goals[{i}]: it lacks {', '.join(sorted(missing))}; expected the fields {fields}")
    return list(goals)  # type: ignore[arg-type]


def _goal(
    product: Product, text: str, attributes: Sequence[str], ceiling: float, options: list[str] | dict[str, str]
) -> Goal:
    return Goal(
        asin=product.asin,
        category=product.category,
        query=product.query,
        name=product.title,
        product_category=product.product_category,
        instruction_text=text,
        attributes=attributes,
        price_upper=ceiling,
        goal_options=options,
        weight=1.0,
    )
