"""The six pages of the shop, each as the list of its text nodes in page order.

A page is built once per turn as nodes; ``render`` turns them into every observation mode, and ``clickables``
into what can be clicked. Nodes that the original's templates leave empty are left out here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

from agentgym.environments.webshop.products import Product

__all__ = [
    "BACK",
    "BUY",
    "NEXT",
    "PREVIOUS",
    "SUB_PAGES",
    "Node",
    "clickables",
    "done_page",
    "item_page",
    "results_page",
    "search_page",
    "sub_page",
]

BACK, PREVIOUS, NEXT, BUY = "Back to Search", "< Prev", "Next >", "Buy Now"
SUB_PAGES = ("Description", "Features", "Reviews", "Attributes")

Kind: TypeAlias = Literal["text", "asks", "asked", "search", "button", "link", "option", "bullet", "pre"]


class Node(NamedTuple):
    """A piece of text between two tags."""

    text: str
    kind: Kind = "text"
    """"asks" introduces the instruction that "asked" holds; "search" is the button beside the search bar."""
    group: str = ""
    """The group that an option belongs to."""


def clickables(nodes: Iterable[Node]) -> dict[str, Node]:
    """What can be clicked, by its name in lower case: buttons, then products, then options.

    Of two things with one name the later counts, in the place of the earlier.
    """
    found = list(nodes)
    buttons = {node.text.lower(): node for node in found if node.kind in ("search", "button")}
    links = {node.text.lower(): node for node in found if node.kind == "link"}
    return buttons | links | {node.text: node for node in found if node.kind == "option"}


def search_page(instruction: str) -> list[Node]:
    """Where every episode begins."""
    return [Node("WebShop"), Node("Instruction: ", "asks"), Node(instruction, "asked"), Node("Search", "search")]


def results_page(instruction: str, page: int, total: int, products: Sequence[Product]) -> list[Node]:
    """Up to ten hits. "Next >" is there on every page, also past the last."""
    nodes = [*_top(instruction, BACK), Node(f"Page {page} (Total results: {total})")]
    if page > 1:
        nodes.append(Node(PREVIOUS, "button"))
    nodes.append(Node(NEXT, "button"))
    for product in products:
        nodes += (Node(product.asin, "link"), Node(product.title), Node(product.price_tag))
    return nodes


def item_page(instruction: str, product: Product, show_attributes: bool) -> list[Node]:
    """One product: its options, title, price, and the ways to its sub-pages and to the till."""
    nodes = _top(instruction, BACK, PREVIOUS)
    for group, values in product.options.items():
        nodes.append(Node(group))
        nodes += [Node(value, "option", group) for value in values]
    nodes += (Node(product.title), Node(f"Price: {product.price_tag}"), Node("Rating: N.A."))
    nodes += [Node(name, "button") for name in SUB_PAGES if show_attributes or name != "Attributes"]
    nodes.append(Node(BUY, "button"))
    return nodes


def sub_page(instruction: str, product: Product, name: str) -> list[Node]:
    """What lies behind one of the ``SUB_PAGES`` buttons. There are never any reviews."""
    nodes = _top(instruction, BACK, PREVIOUS)
    if name == "Description":
        nodes.append(Node(product.description))
    elif name == "Features":
        nodes += [Node(f" {bullet}", "bullet") for bullet in product.bullets]
    elif name == "Attributes":
        nodes += [Node(f" {attribute}", "bullet") for attribute in product.attributes]
        nodes += (Node(product.category), Node(product.query), Node(product.product_category))
    return nodes


def done_page(asin: str, options: Mapping[str, str], reward: float) -> list[Node]:
    """The receipt. Of its block of details, hidden in a browser, the original fills in only two."""
    nodes = [Node("Thank you for shopping with us!"), Node("Your code: "), Node("None", "pre")]
    nodes += (Node(" (Paste it in your MTurk interface.)"), Node("Purchased"))
    bought = {"asin": asin, "options": _as_script(options)}
    for name in ("asin", "options", "attrs", "category", "query", "product category"):
        nodes += (Node(name), Node(bought.get(name, "None"), "pre"))
    targets = ("asin", "options", "attrs", "price upper", "instuction text", "category", "product category", "query")
    nodes += [Node("Target"), *map(Node, targets), Node("Goal "), Node("None", "pre"), Node("Reward")]
    nodes += (Node("Your score (min 0.0, max 1.0)"), Node(str(reward), "pre"))
    nodes += (Node("Reward Details "), Node("None", "pre"))
    return nodes


def _top(instruction: str, *buttons: str) -> list[Node]:
    return [Node("Instruction:", "asks"), Node(instruction, "asked"), *(Node(name, "button") for name in buttons)]


def _as_script(options: Mapping[str, str]) -> str:
    """JSON that is safe inside a page, as Flask writes it."""
    text = json.dumps(dict(options), sort_keys=True)
    for character in "<>&'":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
