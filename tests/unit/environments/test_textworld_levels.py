"""The turns of each level, worked out by hand, and the first names that are no level. It needs no package."""

from __future__ import annotations

import pytest

from agentgym.environments.textworld.levels import Kind, level_of
from agentgym.errors import ConfigError


@pytest.mark.parametrize(
    ("kind", "name", "turns"),
    [
        # Twice the quest, and four at least.
        ("custom", "w2-o3-q1", 4),
        ("custom", "w2-o3-q2", 4),
        ("custom", "w2-o3-q3", 6),
        ("custom", "w99-o99-q99", 198),
        # Read, prepare and eat are three; then take, each ingredient cooked and cut, the knife, the door, the walk.
        ("cooking", "recipe1", 6),
        ("cooking", "recipe5", 6),
        ("cooking", "recipe1+take1", 8),
        ("cooking", "recipe1+open", 8),
        ("cooking", "recipe2+cook", 10),
        ("cooking", "recipe2+cut", 12),
        ("cooking", "recipe1+take1+cook+cut", 14),
        ("cooking", "recipe2+take2+cook+cut+open", 22),
        ("cooking", "recipe1+go1", 6),
        ("cooking", "recipe1+go6", 12),
        ("cooking", "recipe1+go9", 20),
        ("cooking", "recipe3+take3+cook+cut+open+go12", 52),
        # Lengths go up evenly within ten levels: 1 to 5, 2 to 10, 3 to 20.
        ("treasure-hunter", "level1", 4),
        ("treasure-hunter", "level4", 4),
        ("treasure-hunter", "level5", 6),
        ("treasure-hunter", "level9", 10),
        ("treasure-hunter", "level10", 10),
        ("treasure-hunter", "level11", 4),
        ("treasure-hunter", "level13", 8),
        ("treasure-hunter", "level17", 14),
        ("treasure-hunter", "level20", 20),
        ("treasure-hunter", "level21", 6),
        ("treasure-hunter", "level30", 40),
        ("coin-collector", "level2", 4),
        ("coin-collector", "level3", 6),
        ("coin-collector", "level103", 6),
        ("coin-collector", "level150", 100),
        ("coin-collector", "level201", 4),
        ("coin-collector", "level233", 66),
    ],
)
def test_the_turns_of_a_level(kind: Kind, name: str, turns: int) -> None:
    assert level_of(kind, name).max_turns == turns


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("recipe1", {"recipe": 1, "take": 0, "go": 1, "cook": False, "cut": False, "open": False}),
        ("recipe5+take5+cut", {"recipe": 5, "take": 5, "go": 1, "cook": False, "cut": True, "open": False}),
        ("recipe2+take1+open+go9", {"recipe": 2, "take": 1, "go": 9, "cook": False, "cut": False, "open": True}),
    ],
)
def test_what_the_kitchen_is_told(name: str, settings: dict[str, object]) -> None:
    assert level_of("cooking", name).settings == {**settings, "drop": False, "recipe_seed": 0}


@pytest.mark.parametrize("kind", ["treasure-hunter", "coin-collector"])
def test_numbered_levels_keep_their_number(kind: Kind) -> None:
    level = level_of(kind, "level20")
    assert (level.kind, level.name, level.settings) == (kind, "level20", {"level": 20})


@pytest.mark.parametrize(
    ("kind", "last", "beyond"),
    [
        ("treasure-hunter", "level30", "level31"),
        ("coin-collector", "level150", "level151"),
        ("coin-collector", "level233", "level234"),
        ("cooking", "recipe2+take2", "recipe2+take3"),
        ("custom", "w99-o1-q1", "w100-o1-q1"),
    ],
)
def test_the_last_of_the_levels(kind: Kind, last: str, beyond: str) -> None:
    assert level_of(kind, last).name == last
    with pytest.raises(ConfigError, match="level is"):
        level_of(kind, beyond)
