"""Pictures of restaurants: a table under a lamp, with what is cooked there, in a color of the house."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from agentgym.browser.markup import Markup, tag
from agentgym.environments._drawing import Shape, drawn, lit
from agentgym.environments.booking.site import Restaurant

__all__ = ["picture"]

_PAINTS = ("#b5533c", "#3f7d6e", "#47619c", "#c08a2e", "#8a4f7d", "#5d7f3b", "#a5484f", "#3d7f9c")

_BOWL = (("m", "M22 62 H98 Q94 96 70 98 H50 Q26 96 22 62 Z"), ("d", "M22 62 Q60 52 98 62 Q60 74 22 62 Z"))
_PLATE = (("w", "M12 84 Q60 72 108 84 Q60 104 12 84 Z"), ("-d", "M28 85 Q60 78 92 85"))
_DISHES: Mapping[str, Shape] = {
    "italian": (
        ("d", "M60 20 L104 92 Q60 108 16 92 Z"),
        ("l", "M60 32 L95 88 Q60 101 25 88 Z"),
        ("m", "M54 56 a8 8 0 1 0 .1 0 Z M72 76 a8 8 0 1 0 .1 0 Z M44 78 a7 7 0 1 0 .1 0 Z"),
    ),
    "thai": (*_BOWL, ("-k", "M64 56 L98 18 M72 58 L106 24"), ("-w", "M40 46 Q46 38 40 30 M54 46 Q60 38 54 30")),
    "greek": (
        *_PLATE,
        ("-d", "M30 66 Q60 20 94 30"),
        ("l", "M44 48 Q40 30 54 34 Q56 46 44 48 Z M64 36 Q64 18 78 24 Q76 36 64 36 Z"),
        ("m", "M52 62 a9 11 0 1 0 .1 0 Z M74 50 a9 11 0 1 0 .1 0 Z"),
    ),
    "indian": (*_BOWL, ("l", "M34 62 Q60 48 86 62 Q60 70 34 62 Z"), ("-w", "M46 44 Q52 36 46 28 M62 44 Q68 36 62 28")),
    "french": (
        ("l", "M40 18 H80 Q84 54 62 58 V88 H76 V96 H44 V88 H58 V58 Q36 54 40 18 Z"),
        ("m", "M42 34 H78 Q78 52 60 54 Q42 52 42 34 Z"),
    ),
    "mexican": (
        ("l", "M14 86 Q20 40 60 36 Q100 40 106 86 Z"),
        ("m", "M24 74 Q32 48 60 44 Q88 48 98 74 Q90 66 84 76 Q74 64 66 76 Q58 64 48 76 Q38 64 24 74 Z"),
        ("d", "M14 86 Q60 72 106 86 Q60 96 14 86 Z"),
    ),
    "japanese": (
        *_PLATE,
        ("k", "M22 56 H56 V80 H22 Z M64 52 H98 V78 H64 Z"),
        ("w", "M22 50 Q39 42 56 50 V58 Q39 64 22 58 Z M64 46 Q81 38 98 46 V54 Q81 60 64 54 Z"),
        ("m", "M32 50 Q39 46 46 50 Q39 56 32 50 Z M74 46 Q81 42 88 46 Q81 52 74 46 Z"),
    ),
    "turkish": (
        ("-d", "M82 44 Q100 44 94 62 Q90 70 78 70"),
        ("l", "M40 28 H82 Q80 50 70 60 Q84 78 76 90 H46 Q38 78 52 60 Q42 50 40 28 Z"),
        ("m", "M43 42 H79 Q76 54 68 60 Q80 78 74 88 H48 Q42 78 54 60 Q46 54 43 42 Z"),
        ("w", "M30 92 Q60 86 92 92 Q60 104 30 92 Z"),
    ),
}


def picture(restaurant: Restaurant) -> Markup:
    """The restaurant; the same one looks the same everywhere."""
    number = int.from_bytes(hashlib.blake2b(restaurant.id.encode(), digest_size=4).digest(), "big")
    paint = _PAINTS[number % len(_PAINTS)]
    ground = tag("rect", x=-300, y=-120, width=720, height=360, fill=lit(paint, 2.6))
    glow = tag("path", d="M60 -30 L150 130 H-30 Z", fill="#fff", opacity="0.35")
    table = tag("rect", x=-300, y=96, width=720, height=144, fill=lit(paint, 0.55))
    cloth = tag("rect", x=-300, y=96, width=720, height=6, fill=lit(paint, 0.8))
    dish = tag("g", drawn(_DISHES[restaurant.cuisine], paint), transform="translate(12 18) scale(0.8)")
    return tag("svg", ground, glow, table, cloth, dish, xmlns="http://www.w3.org/2000/svg", viewBox="0 0 120 120")
