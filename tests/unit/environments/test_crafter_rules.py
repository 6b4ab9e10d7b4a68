"""Turns, repeats, views and copies on a meadow made by hand."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("crafter", reason="the extra crafter is not installed")

from agentgym.environments.crafter import Crafter
from agentgym.environments.crafter import world as world_module
from agentgym.environments.crafter.levels import LEVELS
from agentgym.environments.crafter.view import seen
from agentgym.environments.crafter.world import World
from tests.unit.environments.crafter_kit import empty, meadow, put


def test_an_action_stops_when_it_hurts() -> None:
    env = meadow()
    env.world.player.inventory["drink"] = 0
    env.world.player._thirst = env.world.player._hunger = 0
    env.world.player._recover = -14.9
    env.step("noop 9")
    assert env.world.player.health == 8
    assert env.world.env._step < 9


def test_an_action_is_repeated_as_often_as_it_says() -> None:
    env = meadow()
    for action, steps in (("noop", 1), ("noop 1", 2), ("noop 9", 11), ("move left 2", 13)):
        env.step(action)
        assert env.world.env._step == steps
    assert tuple(env.world.player.pos) == (30, 32)


def test_an_action_stops_at_a_wall() -> None:
    env = meadow(tree=(-3, 0))
    env.step("move left 9")
    assert (tuple(env.world.player.pos), env.world.env._step) == ((30, 32), 3)


def test_what_is_done_again_is_no_new_achievement() -> None:
    env = meadow(water=(0, 1), has={"drink": 3})
    assert env.step("do")[1] == 1
    assert env.step("do 2")[1:] == (0, False, False, {"achieved": [], "plans": 0})
    assert env.world.player.inventory["drink"] == 6


def test_the_goal_is_what_the_level_asks_for_and_every_part_of_it() -> None:
    env = meadow("table", tree=(0, 1), has={"wood": 1})
    seen_now, reward, over, _, info = env.step("do")
    assert (reward, over) == (1, False)
    assert "success" not in info
    assert seen_now.startswith("to do: place table. facing grass.")
    env.step("move left")
    seen_now, reward, over, _, info = env.step("place table")
    assert (reward, over, info["success"]) == (1, True, True)
    assert seen_now.startswith("to do: nothing. ")


def test_death_at_the_goal_is_success_and_death_before_it_is_none() -> None:
    env = meadow("wood", tree=(0, 1))
    env.world.player.health = 0
    assert env.step("do")[2:] == (True, False, {"achieved": ["collect wood"], "plans": 0, "success": True})
    env = meadow("wood")
    env.world.player.health = 0
    assert env.step("noop")[2:] == (True, False, {"achieved": [], "plans": 0, "success": False})


def test_a_plan_is_forgotten_with_the_episode_and_comes_back_with_a_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    env = meadow()
    env.step("plan: sleep\nmove left")
    state = env.get_state()
    env.step("plan: other\nmove left")
    env.set_state(state)
    assert (env.plan, env.num_plans, tuple(env.world.player.pos)) == ("sleep", 1, (31, 32))
    env.step("move left")
    env.set_state(state)
    assert tuple(env.world.player.pos) == (31, 32), "a state is not used up"
    monkeypatch.setattr(env.world, "reset", lambda seed: None)
    assert "plan:" not in env.reset(seed=0)[0]
    assert env.step("noop")[4]["plans"] == 0


def test_every_plan_costs_and_nothing_else_does() -> None:
    env = meadow()
    env.plan_cost = 0.5
    assert [env.step(said)[1] for said in ("plan: a", "noop", "plan: b\nnoop", "fly")] == [-0.5, 0, -0.5, 0]
    assert Crafter().plan_cost == 0


def test_the_seed_is_the_worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    env, seeds = meadow(), list[int]()
    monkeypatch.setattr(env.world, "reset", seeds.append)
    env.reset(seed=7)
    env.reset(options={"task": 1_001_000})
    assert seeds == [7, 1_001_000]


def test_turns_of_the_levels() -> None:
    assert {name: level.turns for name, level in LEVELS.items()} == {
        "wood": 10,
        "table": 20,
        "pickaxe": 30,
        "meadow": 100,
        "stone": 80,
        "stone-tools": 120,
        "furnace": 160,
        "iron": 240,
        "full": 1000,
    }
    assert Crafter(level="stone").max_turns == 80
    assert [name for name, level in LEVELS.items() if not level.has_expert] == ["iron", "full"]
    assert Crafter(level="iron").expert() is None
    assert meadow("wood", tree=(0, 1)).expert() is not None


def test_text_longer_than_100_characters_is_no_action() -> None:
    env = meadow()
    assert "invalid_action" not in env.step("noop" + " " * 500)[4], "blanks around it do not count"
    assert "invalid_action" not in env.step("move" + " " * 92 + "left")[4]
    assert "invalid_action" in env.step("move" + " " * 93 + "left")[4]


# -- what is seen ------------------------------------------------------------------------------------------


def test_the_edges_of_what_is_seen() -> None:
    env = meadow(tree=(-4, -3), coal=(4, 3), iron=(-5, 0), water=(0, 4))
    told = seen(env.world, "nearest")
    assert told.startswith("facing grass. see tree 4 left 3 up, coal 4 right 3 down. health 9,")
    shown = seen(env.world, "map").splitlines()
    assert (shown[1][0], shown[7][8], len(shown[1:8])) == ("t", "c", 7)


def test_of_each_kind_the_nearest_is_told() -> None:
    env = meadow(tree=(3, 0), tree_2=(0, -2), tree_3=(-4, 0), zombie=(1, 1))
    assert "see tree 2 up, zombie 1 right 1 down. " in seen(env.world, "nearest")


def test_beyond_the_map_is_the_edge() -> None:
    env = meadow()
    env.world.env._world.move(env.world.player, (0, 0))
    env.world.player.facing = (-1, 0)
    assert seen(env.world, "nearest").startswith("facing edge. see grass. ")
    assert seen(env.world, "map").splitlines()[1:5] == ["#########"] * 3 + ["####@...."]


@pytest.mark.parametrize(
    ("daylight", "sleeping", "hour"),
    [(1.0, False, "day"), (0.51, False, "day"), (0.5, False, "night"), (1.0, True, "asleep")],
)
def test_the_hour(daylight: float, sleeping: bool, hour: str) -> None:
    env = meadow()
    env.world.env._world.daylight, env.world.player.sleeping = daylight, sleeping
    assert seen(env.world, "nearest").endswith(f" {hour}.")


def test_a_plant_is_a_sapling_until_it_is_ripe() -> None:
    env = meadow()
    plant = put(env, "plant", (0, 1))
    assert seen(env.world, "nearest").startswith("facing sapling. see sapling 1 down. ")
    plant.grown = 301
    assert seen(env.world, "nearest").startswith("facing ripe plant. see ripe plant 1 down. ")
    assert seen(env.world, "map").splitlines()[5][4] == "P"


def test_what_the_player_has_none_of_is_not_told() -> None:
    env = meadow(has={"food": 0, "wood": 2, "stone_pickaxe": 1})
    assert ". health 9, drink 9, energy 9, wood 2, stone pickaxe 1. " in seen(env.world, "nearest")


# -- worlds ------------------------------------------------------------------------------------------------


def test_worlds_are_made_once_and_the_oldest_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for two: the third takes the place of the first."""
    world, made = empty(), list[tuple[int, int]]()
    monkeypatch.setattr(world_module, "_KEPT", 2)
    monkeypatch.setattr(world_module, "_made", type(world_module._made)())
    monkeypatch.setattr(world.env, "reset", lambda: made.append((world.env._seed, world.env._episode)))
    for seed in (1, 2, 1, 3, 2, 3, 1, 2):
        world.reset(seed)
    assert made == [(1, 0), (2, 0), (3, 0), (1, 0), (2, 0)], "an episode's number is no part of its world"


def test_a_kept_world_is_not_changed_by_who_plays_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    world = empty()
    monkeypatch.setattr(world_module, "_made", type(world_module._made)())
    monkeypatch.setattr(world.env, "reset", lambda: None)
    world.reset(1)
    world.step(1)
    world.player.inventory["wood"] = 5
    world.reset(1)
    assert tuple(world.player.pos) == (32, 32)
    assert world.player.inventory["wood"] == 0
    assert world.env._sem_view._world is world.env._world, "what is seen is of the world that is played"


def test_copies_share_nothing_that_changes() -> None:
    env = meadow(cow=(2, 0), zombie=(-5, 0))
    state = env.world.state
    other = World()
    other.state = state
    before = other.env._sem_view()
    for _ in range(12):
        env.world.step(1)
    env.world.player.inventory["wood"] = 3
    env.world.env._unlocked.add("collect_wood")
    assert np.array_equal(other.env._sem_view(), before)
    assert other.player.inventory["wood"] == 0
    assert other.unlocked == set()
    assert other.env._step == 0
    assert len(other.env._world.objects) == 3


def test_achievements_are_told_when_they_are_new() -> None:
    world = meadow(tree=(0, 1)).world
    assert world.step(5) == {"collect_wood"}
    assert world.step(5) == set()
    assert world.unlocked == {"collect_wood"}
