"""The script move by move on a meadow made by hand: what comes first, what is lacking, the way there."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("crafter", reason="the extra crafter is not installed")

from agentgym.environments.crafter.expert import Script
from tests.unit.environments.crafter_kit import meadow

TOOLS = {"wood_pickaxe": 1, "stone_pickaxe": 1, "iron_pickaxe": 1}


def advice(*goal: str, has: dict[str, int] | None = None, **places: Any) -> str:
    """What the script does for a goal, among those things."""
    return Script(meadow(has=has, **places).world, goal).action()


@pytest.mark.parametrize(
    ("places", "action"),
    [
        ({"tree": (0, 1)}, "do"),
        ({"tree": (1, 0)}, "move right"),
        ({"tree": (-1, 0)}, "move left"),
        ({"tree": (0, -1)}, "move up"),
        ({"tree": (0, 2)}, "move down"),
        ({"tree": (0, 3)}, "move down 2"),
        ({"tree": (-4, 0)}, "move left 3"),
        ({"tree": (12, 0)}, "move right 9"),
        ({"tree": (5, 0), "tree_2": (0, -3)}, "move up 2"),
        ({"tree": (0, 4), "stone": (0, 1), "stone_2": (-1, 0), "stone_3": (1, 0)}, "move up"),
    ],
)
def test_the_way_to_a_tree(places: Any, action: str) -> None:
    assert advice("collect wood", **places) == action


def test_stone_in_the_way_is_cut_with_a_pickaxe_where_going_round_is_longer() -> None:
    wall: Any = {
        f"stone_{i}" if i else "stone": (dx, 2) for i, dx in zip((0, 2, 3, 4, 5), (0, -1, 1, -2, 2), strict=True)
    }
    assert advice("collect wood", has=TOOLS, tree=(0, 4), **wall) == "move down"
    env = meadow(has=TOOLS, tree=(0, 4), **wall)
    env.step("move down")
    assert Script(env.world, ["collect wood"]).action() == "do"


def test_a_zombie_beside_the_player_comes_before_all_else() -> None:
    low = {"drink": 0, "food": 0}
    assert advice("collect wood", zombie=(0, 1), has=low, water=(1, 0)) == "do"
    assert advice("collect wood", zombie=(-1, 0), has=low, water=(1, 0)) == "move left"
    assert advice("collect wood", zombie=(2, 0), tree=(0, 1)) == "do", "one that is farther away is left alone"


@pytest.mark.parametrize(
    ("has", "action"),
    [
        ({"drink": 2}, "move left 2"),
        ({"drink": 3}, "move down 2"),
        ({"food": 2}, "move right 2"),
        ({"food": 3}, "move down 2"),
        ({"food": 2, "drink": 2}, "move left 2"),
    ],
)
def test_it_drinks_and_eats_below_three(has: dict[str, int], action: str) -> None:
    assert advice("collect wood", has=has, water=(-3, 0), cow=(3, 0), tree=(0, 3)) == action


def test_thirst_without_water_in_reach_does_not_keep_it() -> None:
    assert advice("collect wood", has={"drink": 0, "food": 0}, tree=(0, 3)) == "move down 2"


@pytest.mark.parametrize(
    ("goal", "has", "action"),
    [
        ("collect stone", {}, "move left 2"),  # wood for a table for a pickaxe
        ("collect stone", {"wood": 1}, "move left 2"),  # a table takes two
        ("collect stone", {"wood": 2}, "place table"),
        ("collect stone", {"wood_pickaxe": 1}, "move right 2"),
        ("collect coal", {"wood_pickaxe": 1}, "move up 2"),
        ("place stone", {"wood_pickaxe": 1}, "move right 2"),
        ("place stone", {"stone": 1}, "place stone"),
        ("place furnace", {"stone": 4}, "place furnace"),
        ("place furnace", {"stone": 3, "wood_pickaxe": 1}, "move right 2"),
        ("place table", {"wood": 2}, "place table"),
        ("place plant", {"sapling": 1}, "place plant"),
        ("place plant", {}, "do"),  # it faces grass, which gives saplings
        ("eat plant", {"sapling": 1}, "place plant"),
        ("eat cow", {}, "move down 2"),
        ("wake up", {}, "sleep"),
        ("collect nothing", {}, "noop"),
    ],
)
def test_what_is_lacking_comes_first(goal: str, has: dict[str, int], action: str) -> None:
    assert advice(goal, has=has, tree=(-3, 0), stone=(3, 0), coal=(0, -3), cow=(0, 3)) == action


@pytest.mark.parametrize(
    ("goal", "has", "action"),
    [
        ("make wood pickaxe", {"wood": 1}, "make wood pickaxe"),
        ("make stone sword", {"wood": 1, "stone": 1}, "make stone sword"),
        ("make stone sword", {"wood": 1, "wood_pickaxe": 1}, "move right 2"),
        ("make iron pickaxe", {"wood": 1, "coal": 1, "iron": 1, "stone": 4}, "place furnace"),
    ],
)
def test_beside_a_table(goal: str, has: dict[str, int], action: str) -> None:
    assert advice(goal, has=has, table=(-1, -1), stone=(3, 0)) == action


def test_a_table_out_of_reach_is_gone_to_and_no_second_one_is_placed() -> None:
    assert advice("make wood pickaxe", has={"wood": 5}, table=(0, 4)) == "move down 3"
    assert advice("make wood pickaxe", has={"wood": 5}, table=(0, 2)) == "move down", "two steps away is not nearby"


def test_what_cannot_be_placed_here_is_placed_where_it_can() -> None:
    """It faces a tree: a table goes on the nearest grass, which is faced first."""
    assert advice("place table", has={"wood": 2}, tree=(0, 1)) == "move left"
    assert advice("place stone", has={"stone": 1}, water=(0, 1)) == "place stone"
    assert advice("place table", has={"wood": 2}, cow=(0, 1)) != "place table"


def test_goals_are_reached_one_after_the_other_and_then_it_rests() -> None:
    env = meadow(tree=(0, 1), water=(1, 0))
    script = Script(env.world, ["collect wood", "collect drink"])
    assert script.action() == "do"
    env.world.env._unlocked.add("collect_wood")
    assert script.action() == "move right"
    env.world.env._unlocked.add("collect_drink")
    assert script.action() == "noop"


def test_what_is_not_in_reach_is_looked_for() -> None:
    """To the nearest free place that is eight steps away; what is more than forty steps off is not gone to."""
    assert advice("collect wood") in {
        f"move {way} {steps}" for way in ("left", "right", "up", "down") for steps in (7, 6)
    }
    enclosed: Any = {"water": (0, 1), "water_2": (0, -1), "water_3": (1, 0), "water_4": (-1, 0)}
    assert advice("collect wood", **enclosed, tree=(0, 3)) == "noop"
