"""Screens, each a function of level, split and number: a document without a script, and what can be asked for on it."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from agentgym.browser.markup import Markup, joined, lying, tag
from agentgym.environments._options import Split
from agentgym.environments.grounding.layouts import LAYOUTS, Drawing, Thing
from agentgym.environments.grounding.levels import LEVELS, Level

__all__ = ["THEMES", "Screen", "draw_screen"]

THEMES = ("light", "dark", "warm", "slate", "stark")
_SPLITS: dict[Split, int] = {"train": 0, "validation": 1, "test": 2}


class Screen(NamedTuple):
    """One screen."""

    html: str
    width: int
    height: int
    things: tuple[Thing, ...]
    """By their numbers."""


@functools.lru_cache(maxsize=64)
def draw_screen(level: Level, split: Split, number: int, seed: int) -> Screen:
    """The screen of that number; two splits have no draw in common."""
    difficulty = LEVELS[level]
    rng = np.random.default_rng([seed, int(level[1:]), _SPLITS[split], number])
    drawing = Drawing(rng, least=difficulty.least, most=difficulty.most)
    theme, layout = drawing.one(THEMES), drawing.one(difficulty.layouts)
    inside = joined([LAYOUTS[layout](drawing)])
    head = tag("head", tag("meta", charset="utf-8"), tag("style", Markup(lying(__package__, "style.css"))))
    body = tag("body", inside, class_=f"{theme} {layout}", style=f"font-size:{difficulty.size}px")
    return Screen(
        html=f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n",
        width=difficulty.width,
        height=difficulty.height,
        things=tuple(drawing.things),
    )
