"""Pictures of the goods, drawn rather than photographed: SVG, a function of what is sold and in which color."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from agentgym.browser.markup import Markup, tag
from agentgym.environments._drawing import drawn
from agentgym.environments.webshop.colors import base_color
from agentgym.environments.webshop.products import Product
from agentgym.environments.webshop_browser.shapes import shape_of

__all__ = ["color_shown", "picture", "swatch"]

_PAINTS = {
    "black": "#3a3d42",
    "blue": "#3f6fd1",
    "brown": "#8a5a3b",
    "gray": "#8d939c",
    "grey": "#8d939c",
    "green": "#4a9a62",
    "orange": "#e58a35",
    "pink": "#e58bb0",
    "purple": "#8657b8",
    "red": "#d0453f",
    "white": "#eceef0",
    "citrus": "#e9c343",
    "coconut": "#d9c8b0",
    "honey": "#dca23a",
    "jasmine": "#f0e2b0",
    "lavender": "#a993d6",
    "mint": "#7cc7a4",
    "sandalwood": "#b98a5f",
    "vanilla": "#efdfb0",
}
_GROUNDS = ("#eef3f8", "#f6f0e8", "#eef5ee", "#f6eef2", "#f1effa", "#fdf4e3")


def swatch(value: str) -> str:
    """The paint that an option's value names, or "" where it names none.

    >>> swatch("navy blue"), swatch("large")
    ('#3f6fd1', '')
    """
    return _PAINTS.get(str(base_color(value)), _PAINTS.get(value, ""))


def color_shown(product: Product, chosen: Iterable[str] = ()) -> str:
    """The value that a picture shows the product in: one that was chosen, or else one that it is sold in; or ""."""
    if wanted := [value for value in chosen if swatch(value)]:
        return wanted[0]
    sold = [value for group in product.options.values() for value in group if swatch(value)]
    return sold[_number(product) % len(sold)] if sold else ""


def picture(product: Product, color: str) -> Markup:
    """The product in that color; where it has no paint, in one by the product's id."""
    number = _number(product)
    main = swatch(color) or list(_PAINTS.values())[number % len(_PAINTS)]
    ground = tag("rect", x=-120, y=-120, width=360, height=360, fill=_GROUNDS[number % len(_GROUNDS)])
    shadow = tag("ellipse", cx=60, cy=107, rx=42, ry=5, fill="#000", opacity="0.08")
    shape = drawn(shape_of(product.query or product.title), main)
    return tag("svg", ground, shadow, shape, xmlns="http://www.w3.org/2000/svg", viewBox="0 0 120 120")


def _number(product: Product) -> int:
    return int.from_bytes(hashlib.blake2b(product.asin.encode(), digest_size=4).digest(), "big")
