"""The closed vocabulary of the embedded shop.

Small on purpose: every word recurs in many products, so that a policy with half a million parameters can
learn what to do with them. No attribute is so close to another that the score would take one for the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["BRANDS", "COLORS_SOLD", "DEPARTMENTS", "ID_LETTERS", "TEMPLATES", "Department"]


class Department(NamedTuple):
    """Kinds of products that share attributes and option groups."""

    kinds: tuple[str, ...]
    attributes: tuple[str, ...]
    options: Mapping[str, tuple[str, ...]]
    """Group → the values that its products choose from."""


COLORS_SOLD = ("black", "blue", "brown", "gray", "green", "orange", "pink", "purple", "red", "white")

_COLOR: dict[str, tuple[str, ...]] = {"color": COLORS_SOLD}
_SCENT: dict[str, tuple[str, ...]] = {
    "scent": ("citrus", "coconut", "honey", "jasmine", "lavender", "mint", "sandalwood", "vanilla")
}

DEPARTMENTS = {
    "outdoor": Department(
        ("tent", "backpack", "hammock", "lantern", "cooler", "sleeping bag"),
        ("waterproof", "lightweight", "foldable", "insulated", "durable", "reflective", "inflatable"),
        _COLOR,
    ),
    "clothing": Department(
        ("jacket", "sweater", "shirt", "dress", "skirt", "hoodie", "vest", "coat"),
        ("breathable", "stretchy", "quilted", "washable", "thermal", "padded", "organic"),
        _COLOR | {"size": ("small", "medium", "large")},
    ),
    "shoes": Department(
        ("sneaker", "sandal", "boot", "slipper", "loafer", "clog"),
        ("cushioned", "waterproof", "breathable", "flexible", "handmade", "vegan", "insulated"),
        _COLOR | {"size": ("narrow", "regular", "wide")},
    ),
    "bedding": Department(
        ("blanket", "pillow", "comforter", "mattress", "bedspread"),
        ("hypoallergenic", "washable", "weighted", "cooling", "organic", "quilted", "reversible"),
        _COLOR | {"size": ("twin", "full", "queen")},
    ),
    "kitchen": Department(
        ("kettle", "mug", "bowl", "pan", "bottle", "lunch box", "apron", "teapot"),
        ("nonstick", "stackable", "leakproof", "insulated", "reusable", "handmade", "durable"),
        _COLOR,
    ),
    "electronics": Department(
        ("speaker", "keyboard", "mouse", "charger", "headset", "webcam", "tablet case"),
        ("wireless", "rechargeable", "portable", "ergonomic", "backlit", "foldable", "waterproof"),
        _COLOR,
    ),
    "furniture": Department(
        ("chair", "desk", "shelf", "lamp", "mirror", "rug", "ottoman"),
        ("adjustable", "foldable", "modern", "rustic", "handmade", "padded", "stackable"),
        _COLOR,
    ),
    "beauty": Department(
        ("shampoo", "lotion", "soap", "candle", "lip balm"),
        ("vegan", "organic", "hydrating", "gentle", "nourishing", "soothing", "reusable"),
        _SCENT,
    ),
}

_BRANDS_TEXT = """
acorn alpine amber anchor arbor aspen beacon birch bolt breeze canyon cedar comet coral crest delta drift ember
falcon fjord frost glade grove harbor haven heron jasper juniper lark lotus lunar maple meadow mesa nimbus nova
onyx opal orbit osprey pebble pine prairie quartz raven reef ridge river sierra solar spruce summit tundra
valley willow zenith
"""
BRANDS = tuple(_BRANDS_TEXT.split())

_ID_LETTERS_TEXT = """
AX BK CV DZ EP FJ GH HQ IM JR KX LB MW NT OF PY QC RD SV TG UN VL WK XE YA ZB AQ BF CH DM EW FK GT HN JP KU LZ
MC NX PD
"""
ID_LETTERS = tuple(_ID_LETTERS_TEXT.split())

TEMPLATES = (
    "i need a {near} {color}{kind}{size}",
    "i am looking for a {color}{kind} that is {far}{size}",
    "find me a {near} {color}{kind}{size}",
    "i want a {color}{kind} which is {far}{size}",
    "can you find a {near} {kind}{in_color}{size}",
    "show me a {near} {kind}{in_color}{size}",
    "i would like to buy a {near} {color}{kind}{size}",
    "please get me a {kind} that is {far}{in_color}{size}",
)
"""``near`` is "soft warm", ``far`` "soft and warm"; the color stands before the product or after it."""
