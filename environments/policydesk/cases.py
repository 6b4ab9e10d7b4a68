"""Customers with requests: who asks, what for, and the database as it is then.

What a case is about (who asks for what, with which order and product) decides by its hash which split it belongs to, so
no two splits have such a case in common, whatever their databases look like.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from agentgym.environments._options import Split
from agentgym.environments.policydesk.desk import Tables

__all__ = ["REQUESTS", "Case", "case_of_task", "split_of"]

REQUESTS = {
    "p1": ("cancel", "address", "return"),
    "p2": ("cancel", "address", "return", "return"),
    "p3": ("cancel", "address", "return", "return", "exchange", "late"),
    "p4": ("cancel", "address", "return", "return", "exchange", "late"),
}
"""Level → what customers ask for, the more often the more often it is named."""

FIRST = (
    "ada",
    "ben",
    "cleo",
    "dora",
    "emil",
    "fay",
    "gus",
    "hana",
    "ivo",
    "jana",
    "kai",
    "lena",
    "max",
    "nora",
    "otto",
)
LAST = (
    "adler",
    "berg",
    "cole",
    "diaz",
    "engel",
    "frost",
    "gold",
    "hall",
    "iyer",
    "jung",
    "klein",
    "lopez",
    "moss",
    "ng",
)
ZIPS = tuple(str(10115 + 2153 * number) for number in range(40))
GOODS = {
    "home": ("lamp", "chair", "vase", "clock", "rug"),
    "clothing": ("coat", "scarf", "boots", "hat", "shirt"),
    "electronics": ("radio", "phone", "camera", "tablet", "speaker"),
    "food": ("tea", "honey", "cheese", "coffee", "jam"),
    "custom": ("mug", "poster", "stamp", "medal", "frame"),
}
"""Category → names of its products; "custom" goods are made to order."""

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One customer's visit."""

    request: str
    name: str
    zip: str
    """As the customer gives it: it may be wrong."""
    order: str
    """It may be somebody else's."""
    target: str
    """The zip code or product that is asked for; "" where there is none."""
    broken: bool
    withheld: tuple[str, ...]
    """What the customer says only when asked: "order", "reason"."""
    today: int
    tables: Tables


@dataclasses.dataclass(frozen=True, slots=True)
class _Topic:
    """What decides the split."""

    request: str
    name: str
    order: str
    product: str


@functools.lru_cache(maxsize=256)  # snapshots come back to the same case again and again
def case_of_task(task: int, split: Split, level: str, seed: int) -> Case:
    """The case of a task: about the first of the task's own draws of a topic that belongs to ``split``."""
    rng = np.random.default_rng([seed, int(level[1:]), task])
    while True:
        topic = _draw_topic(level, rng)
        if split_of(topic.request, topic.name, topic.order, topic.product) == split:
            return _draw_case(topic, level, rng)


def split_of(request: str, name: str, order: str, product: str) -> Split:
    """Of the topics, six tenths are for training, two tenths each for validation and test."""
    digest = hashlib.blake2b(repr((request, name, order, product)).encode(), digest_size=8).digest()
    share = int.from_bytes(digest, "big") % 10
    return "train" if share < 6 else "validation" if share < 8 else "test"


def _draw_topic(level: str, rng: np.random.Generator) -> _Topic:
    goods = [name for names in GOODS.values() for name in names]
    name = f"{_one(FIRST, rng)} {_one(LAST, rng)}"
    return _Topic(_one(REQUESTS[level], rng), name, f"o{rng.integers(10, 100)}", _one(goods, rng))


def _draw_case(topic: _Topic, level: str, rng: np.random.Generator) -> Case:
    today = int(rng.integers(200, 300))
    tables = _draw_tables(topic, today, 46 if level == "p1" else 66, rng)
    customer = tables["customers"]["c1"]
    wrong_zip, not_own = (bool(flag) for flag in rng.random(2) < 0.1)
    asked = (
        _one([id for id in tables["orders"] if id != topic.order], rng) if not_own and level != "p1" else topic.order
    )
    hidden = [what for what, lowest in (("order", "p2"), ("reason", "p3")) if level >= lowest and rng.random() < 0.3]
    if topic.request not in ("return", "exchange"):
        hidden = [what for what in hidden if what != "reason"]
    return Case(
        request=topic.request,
        name=topic.name,
        zip=_one([zip for zip in ZIPS if zip != customer["zip"]], rng) if wrong_zip else customer["zip"],
        order=asked,
        target=_draw_target(topic, tables, rng),
        broken=bool(rng.random() < 0.4),
        withheld=tuple(hidden),
        today=today,
        tables=tables,
    )


def _draw_tables(topic: _Topic, today: int, longest: int, rng: np.random.Generator) -> Tables:
    """Three customers with two orders each; the first order of the first customer is what the case is about."""
    products = _draw_products(topic.product, rng)
    names = [topic.name]
    while len(names) < 3:
        name = f"{_one(FIRST, rng)} {_one(LAST, rng)}"
        if name not in names:
            names.append(name)
    customers = {f"c{number}": _draw_customer(f"c{number}", name, rng) for number, name in enumerate(names, 1)}
    numbers = [id for id in (f"o{number}" for number in range(10, 100)) if id != topic.order]
    ids = [topic.order, *(numbers[i] for i in rng.choice(len(numbers), size=5, replace=False))]
    main = next(id for id, product in products.items() if product["name"] == topic.product)
    orders: dict[str, dict[str, Any]] = {}
    for number, id in enumerate(ids):
        product = products[main] if number == 0 else products[_one(list(products), rng)]
        request = topic.request if number == 0 else "return"
        orders[id] = _draw_order(id, customers[f"c{1 + number // 2}"], product, (today, longest), request, rng)
    return {"customers": customers, "products": products, "orders": orders, "tickets": {}}


def _draw_customer(id: str, name: str, rng: np.random.Generator) -> dict[str, Any]:
    return {
        "id": id,
        "name": name,
        "zip": _one(ZIPS, rng),
        "tier": _one(("basic", "silver", "gold"), rng),
        "returns": int(rng.integers(0, 7)),
        "watched": bool(rng.random() < 0.2),
    }


def _draw_products(wanted: str, rng: np.random.Generator) -> dict[str, dict[str, Any]]:
    """The product of the case, two more of its category, and one each of two others."""
    home = next(category for category, names in GOODS.items() if wanted in names)
    others = [category for category in GOODS if category != home]
    near = [name for name in GOODS[home] if name != wanted]
    chosen = [(wanted, home), *((near[i], home) for i in rng.choice(len(near), size=2, replace=False))]
    chosen += [(_one(GOODS[others[i]], rng), others[i]) for i in rng.choice(len(others), size=2, replace=False)]
    products = {}
    for position, number in enumerate(rng.permutation(len(chosen))):
        (name, category), id = chosen[number], f"p{position + 1}"
        price, stock = 20 * int(rng.integers(1, 16)), int(rng.integers(0, 4))
        products[id] = {"id": id, "name": name, "category": category, "price": price, "stock": stock}
    return products


def _draw_order(
    id: str,
    customer: dict[str, Any],
    product: dict[str, Any],
    days: tuple[int, int],
    request: str,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """An order for which the request is about as often allowed as not; ``days``: today, and how long ago at most."""
    today, longest = days
    pending = 0.6 if request in ("cancel", "address") else 0.15 if request != "late" else 0.0
    status = "pending" if rng.random() < pending else "delivered"
    delivered = today - int(rng.integers(1, longest))
    promised = delivered - int(rng.integers(-3, 15))
    return {
        "id": id,
        "customer": customer["id"],
        "product": product["id"],
        "price": product["price"],
        "status": status,
        "placed": (today if status == "pending" else min(promised, delivered)) - int(rng.integers(2, 9)),
        "promised": promised if status == "delivered" else today + 5,
        "delivered": delivered if status == "delivered" else None,
        "zip": customer["zip"],
        "refund": 0,
        "voucher": 0,
    }


def _draw_target(topic: _Topic, tables: Tables, rng: np.random.Generator) -> str:
    if topic.request == "address":
        return _one([zip for zip in ZIPS if zip != tables["customers"]["c1"]["zip"]], rng)
    if topic.request != "exchange":
        return ""
    own = tables["products"][tables["orders"][topic.order]["product"]]
    others = [id for id in tables["products"] if id != own["id"]]
    near = [id for id in others if tables["products"][id]["category"] == own["category"]]
    return _one(near if rng.random() < 0.8 else others, rng)


def _one(values: Sequence[T], rng: np.random.Generator) -> T:
    return values[int(rng.integers(len(values)))]
