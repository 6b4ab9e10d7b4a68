"""The colors that the score knows, in the order in which it looks for them.

The order matters: "navy blue" counts as blue because blue stands before navy, and "fashion" as ash.
"""

from __future__ import annotations

from collections.abc import Container
from typing import TypeVar

__all__ = ["COLORS", "base_color"]

Option = TypeVar("Option", bound=Container[str])

_COLORS_TEXT = """
alabaster apricot aqua ash asphalt azure banana beige black blue blush bordeaux bronze brown burgundy camel camo
caramel champagne charcoal cheetah chestnut chocolate christmas coffee cognac copper coral cranberry cream
crystal dark denim eggplant elephant espresso fuchsia gold granite grape graphite grass gray green grey heather
indigo ivory ivy khaki lavender lemon leopard light lilac lime magenta maroon mauve merlot midnight mint mocha
multicolor mushroom mustard natural navy nude olive orange peach pewter pink plum purple rainbow red rose royal
rust sand sapphire seashell silver skull slate steel stone stonewash sunflower tan taupe teal tiger turquoise
violet walnut wheat white wine yellow
"""
COLORS = tuple(_COLORS_TEXT.split())


def base_color(option: Option) -> str | Option:
    """The first of ``COLORS`` that lies in ``option``, or ``option`` itself.

    In a string that means as a substring. A synthetic goal's option is a (name, value) pair, as in the
    original, and there it means as a member.

    >>> base_color("navy blue"), base_color("42 inch"), base_color(("color", "navy blue"))
    ('blue', '42 inch', ('color', 'navy blue'))
    """
    return next((color for color in COLORS if color in option), option)
