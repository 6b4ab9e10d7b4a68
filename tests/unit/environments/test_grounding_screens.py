"""Generated screens: repeatable, apart in their splits, and asked for in one way only."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from agentgym.environments.grounding.icons import ICONS, icon
from agentgym.environments.grounding.levels import LEVELS, Level
from agentgym.environments.grounding.screens import draw_screen

EVERY_LEVEL = pytest.mark.parametrize("level", list(LEVELS))


@EVERY_LEVEL
def test_a_screen_is_a_function_of_its_number(level: Level) -> None:
    draw_screen.cache_clear()
    one = draw_screen(level, "train", 3, 0)
    draw_screen.cache_clear()
    assert draw_screen(level, "train", 3, 0) == one
    others = [draw_screen(level, split, number, seed) for split, number, seed in OTHERS]
    assert len({one.html, *(other.html for other in others)}) == 5


OTHERS = [("train", 4, 0), ("train", 3, 1), ("validation", 3, 0), ("test", 3, 0)]


@EVERY_LEVEL
def test_every_thing_is_drawn_once_and_asked_for_in_one_way(level: Level) -> None:
    difficulty = LEVELS[level]
    for number in range(40):
        screen = draw_screen(level, "train", number, 0)
        assert (screen.width, screen.height) == (difficulty.width, difficulty.height)
        page = BeautifulSoup(screen.html, "html.parser")
        drawn = [int(str(thing["data-thing"])) for thing in page.select("[data-thing]")]
        assert sorted(drawn) == list(range(len(screen.things)))
        assert not page.select("script, link, img")
        for told in ("by_name", "by_function"):
            said = [getattr(thing, told) for thing in screen.things if getattr(thing, told)]
            assert len(said) == len(set(said)), said
        assert len(screen.things) >= 2


def test_levels_grow() -> None:
    counts = [sum(len(draw_screen(level, "train", number, 0).things) for number in range(60)) / 60 for level in LEVELS]
    assert counts == sorted(counts)
    shares = [level.by_function for level in LEVELS.values()]
    assert shares == sorted(shares)


def test_icons_are_drawn() -> None:
    assert len({strokes for _, strokes in ICONS.values()}) == len(ICONS) == len({told for told, _ in ICONS.values()})
    assert BeautifulSoup(icon("search"), "html.parser").select_one("svg[viewBox] path[d]") is not None
