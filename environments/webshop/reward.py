"""What a purchase is worth, between 0 and 1.

    R = r_type · (n_attributes + n_options + r_price) / (|A| + |O| + 1)

over the goal's attributes A and options O (Yao et al., 2022, section 3.3). The quirks of the original's
arithmetic are kept, because published scores contain them: they are told where they happen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TypeAlias

from thefuzz import fuzz

from agentgym.environments.webshop.colors import base_color
from agentgym.environments.webshop.goals import Goal
from agentgym.environments.webshop.products import PATH_SEPARATOR, Product

__all__ = ["Nouns", "Score", "score", "similar"]

Nouns: TypeAlias = Callable[[str], list[str]]
"""Text → its nouns in lower case, duplicates kept."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A purchase measured against a goal."""

    type_factor: float
    """1.0, or 0.5, 0.1, 0.0 where it is another kind of product."""
    attributes: int
    """How many of the goal's attributes the product has."""
    options: int
    """How many of the goal's options were chosen."""
    within_price: bool
    parts: int
    """How many things were asked for: attributes, options and the price."""

    @property
    def reward(self) -> float:
        """The score between 0 and 1."""
        return (self.attributes + self.options + self.within_price) / self.parts * self.type_factor


def score(product: Product, options: Mapping[str, str], price: float, goal: Goal, nouns: Nouns) -> Score:
    """Measure ``product``, bought at ``price`` with the chosen ``options`` (group → value)."""
    wanted = goal["goal_options"]
    # A synthetic goal holds a dict, and its (name, value) pairs are compared as they are.
    pairs = list(wanted.items()) if isinstance(wanted, dict) else wanted
    return Score(
        type_factor=_type_factor(product, goal, nouns),
        attributes=sum(_has_attribute(product, attribute) for attribute in goal["attributes"]),
        options=sum(any(similar(value, option) for value in options.values()) for option in pairs),
        within_price=price <= goal["price_upper"],
        parts=len(goal["attributes"]) + len(wanted) + 1,
    )


def similar(value: str, option: str | tuple[str, str]) -> bool:
    """Whether a chosen ``value`` counts as the goal's ``option``: the same color, or nearly the same words."""
    return bool(fuzz.token_set_ratio(base_color(value), base_color(option)) > 85)


def _has_attribute(product: Product, attribute: str) -> bool:
    if any(fuzz.token_set_ratio(own, attribute) > 85 for own in product.attributes):
        return True
    texts = product.title, " ".join(product.bullets), product.description
    return any(attribute in text.lower() for text in texts)


def _type_factor(product: Product, goal: Goal, nouns: Nouns) -> float:
    """A title that shares no noun with the goal's makes the purchase worthless even in the right category."""
    overlap = _title_overlap(product.title, goal["name"], nouns)
    if overlap == 0.0:
        return 0.0
    if overlap < 0.1:
        return 0.1
    same_query = product.query == goal["query"]
    return 1.0 if same_query or overlap > 0.2 or _same_category(product, goal) else 0.5


def _title_overlap(bought: str, wanted: str, nouns: Nouns) -> float:
    """Shared nouns over the goal's nouns, the latter with repetitions; 0.2 where the goal's title has none."""
    of_goal = nouns(wanted)
    return len(set(nouns(bought)) & set(of_goal)) / len(of_goal) if of_goal else 0.2


def _same_category(product: Product, goal: Goal) -> bool:
    parts = (
        {part.strip() for part in path.split(PATH_SEPARATOR)}
        for path in (product.product_category, goal["product_category"])
    )
    return len(set.intersection(*parts)) >= 2
