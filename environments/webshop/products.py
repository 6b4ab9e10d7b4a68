"""One product of the shop, as the original reads it from a record of ``items_shuffle*.json``."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from agentgym.environments.webshop.records import Record

__all__ = ["PATH_SEPARATOR", "Product", "product_from_record"]

PATH_SEPARATOR = "\u203a"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What the pages show, the search reads and the score compares."""

    asin: str
    title: str
    category: str
    query: str
    product_category: str
    """A path whose parts are separated by ``PATH_SEPARATOR``."""
    description: str
    bullets: tuple[str, ...]
    prices: tuple[float, ...]
    """In dollars: one price, or the lowest and the highest."""
    price_tag: str
    options: Mapping[str, tuple[str, ...]]
    """Group → its values, in lower case."""
    attributes: tuple[str, ...]


def product_from_record(record: Record, attributes: tuple[str, ...]) -> Product:
    """Read one record. Raises DataError that names it."""
    prices = _prices(record)
    return Product(
        asin=record.text("asin"),
        title=record.text("name"),
        category=record.text("category"),
        query=record.text("query").lower().strip(),
        product_category=record.text("product_category"),
        description=record.text("full_description"),
        bullets=_bullets(record),
        prices=prices,
        price_tag=" to ".join(f"${price}" for price in prices),
        options=_options(record),
        attributes=attributes,
    )


def _prices(record: Record) -> tuple[float, ...]:
    """ "$1,683.00" is one price, "$5 - $9" a range; no price at all counts as 100 dollars."""
    pricing = record.get("pricing")
    if not pricing:
        return (100.0,)
    pieces = pricing.split("$")[1:] if isinstance(pricing, str) else []
    digits = [re.sub(r"[^\d.]", "", piece) for piece in pieces]
    try:
        prices = tuple(float(number) for number in digits[:2])
    except ValueError:
        prices = ()
    if not prices:
        raise record.error("pricing", pricing, 'a price such as "$12.99" or "$5 - $9", or null')
    return prices


def _bullets(record: Record) -> tuple[str, ...]:
    value = record.get("small_description")
    return (value,) if isinstance(value, str) else record.texts("small_description")


def _options(record: Record) -> dict[str, tuple[str, ...]]:
    groups = record.get("customization_options") or {}
    if not isinstance(groups, dict):
        raise record.error("customization_options", groups, "an object of lists, or null")
    return {name.lower(): _values(record, name, choices) for name, choices in groups.items() if choices is not None}


def _values(record: Record, name: str, choices: Any) -> tuple[str, ...]:
    values = [choice.get("value") if isinstance(choice, dict) else None for choice in choices or ()]
    if not isinstance(choices, list) or not all(isinstance(value, str) for value in values):
        raise record.error(f"customization_options.{name}", choices, 'a list of {"value": text}, or null')
    return tuple(str(value).strip().replace("/", " | ").lower() for value in values)
