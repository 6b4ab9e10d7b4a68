"""A hand-made WebShop catalogue in the original's format, small enough to work every number out by hand."""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from agentgym.environments.webshop import WebShop

TENT = {
    "asin": "B0TENT",
    "name": "Alpine Tent Blue",
    "category": "garden",
    "query": " Tents ",
    "product_category": "Sports \u203a Camping \u203a Tents",
    "full_description": "Keeps you dry & warm.",
    "small_description": ["Made of soft nylon", "Two doors"],
    "pricing": "$35.50",
    "customization_options": {
        "Color": [{"value": "Navy Blue", "image": "x"}, {"value": " Red/White "}],
        "Size": [{"value": "2 Person"}, {"value": "4 Person"}],
        "Fit": None,
    },
    "images": ["http://image"],
}


def product(asin: str, **changes: Any) -> dict[str, Any]:
    """The tent's record under another id, with some fields changed."""
    return {**TENT, "asin": asin, **changes}


LAMP = product(
    "B0LAMP",
    name="Desk Lamp",
    category="home",
    query="lamps",
    product_category="Home \u203a Lighting",
    full_description="",
    small_description="bright",
    pricing="$5 - $9",
    customization_options={},
)
PRODUCTS = [TENT, LAMP, *(product(f"B0MORE{i:02d}", name=f"Tent Number {i}", pricing="") for i in range(15))]
ATTRIBUTES = {
    "B0TENT": {
        "attributes": ["water proof", "easy setup"],
        "instruction": "find me a tent",
        "instruction_attributes": ["water proof"],
    },
    "B0LAMP": {"attributes": ["dimmable"], "instruction": None, "instruction_attributes": None},
    **{f"B0MORE{i:02d}": {"attributes": []} for i in range(15)},
}
HUMAN = {
    "B0TENT": [
        {
            "instruction": "i need a waterproof navy tent.",
            "instruction_attributes": ["water proof"],
            "instruction_options": ["navy blue", "2 person"],
        },
        {"instruction": "no attributes", "instruction_attributes": [], "instruction_options": []},
    ]
}
GOAL = {
    "asin": "B0TENT",
    "category": "garden",
    "query": "tents",
    "name": "Alpine Tent Blue",
    "product_category": "Sports \u203a Camping \u203a Tents",
    "instruction_text": "i need a waterproof navy tent, and price lower than 40.00 dollars",
    "attributes": ["water proof", "soft nylon"],
    "price_upper": 40.0,
    "goal_options": ["navy blue", "2 person"],
    "weight": 1,
}


def write_catalogue(folder: Path, products: Any = PRODUCTS, attributes: Any = ATTRIBUTES, human: Any = HUMAN) -> Path:
    """Write the three files and return the folder."""
    folder.mkdir(exist_ok=True)
    contents = {"items_shuffle_tiny": products, "items_ins_v2_tiny": attributes, "items_human_ins": human}
    for name, content in contents.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    return folder


def in_file_order(query: str, k: int) -> list[str]:
    """A search engine that finds everything; "two" finds two, one of which is not for sale."""
    found = [str(record["asin"]) for record in PRODUCTS]
    return ["B0GONE", *found[:2]] if query == "two" else found[:k]


def long_words(text: str) -> list[str]:
    """A noun tagger for tests: words of four letters or more."""
    return [word for word in text.lower().split() if len(word) >= 4]


def make_shop(**changes: Any) -> WebShop:
    """An environment over ``catalogue()`` with ``GOAL`` as its only task, unless told otherwise."""
    defaults = {
        "shopper": "careful",
        "catalogue": catalogue(),
        "goals": [GOAL],
        "ranker": in_file_order,
        "nouns": long_words,
    }
    return WebShop(**{**defaults, **changes})


@functools.cache
def catalogue() -> Path:
    """A folder with the files, which vanishes when the tests end."""
    folder = Path(tempfile.mkdtemp(prefix="webshop-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return write_catalogue(folder)
