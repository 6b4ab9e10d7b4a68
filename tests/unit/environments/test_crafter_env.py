"""The real package in words: views by hand, plans, repeated actions, copies that are exact, and the script."""

from __future__ import annotations

import copy
import random
from typing import Any

import numpy as np
import pytest

import agentgym
from agentgym.environments.crafter import Crafter
from agentgym.environments.crafter import world as world_module
from agentgym.environments.crafter.levels import ACHIEVEMENTS, LEVELS, LevelName
from agentgym.environments.crafter.view import seen
from agentgym.environments.crafter.world import ACTIONS, World
from agentgym.errors import ConfigError, MissingExtraError
from agentgym.types import Observation

crafter = pytest.importorskip("crafter", reason="the extra crafter is not installed")


@pytest.fixture(scope="module")
def world() -> World:
    """An empty meadow with the player in the middle, made by hand on a world of the package."""
    made = World()
    made.reset(0)
    inner = made.env._world
    for creature in inner.objects:
        if creature is not made.player:
            inner.remove(creature)
    for x, y in made.places():
        inner[x, y] = "grass"
    return made


def meadow(world: World, **places: tuple[int, int]) -> Crafter:
    """An environment in that meadow, with materials at offsets from the player."""
    env = Crafter(level="full")
    env.reset(seed=0)
    env.world.state = world.state
    x, y = env.world.player.pos
    for material, (dx, dy) in places.items():
        env.world.env._world[x + dx, y + dy] = material
    return env


def test_views_by_hand(world: World) -> None:
    env = meadow(world, tree=(-2, 1), water=(0, 2), table=(4, -3), iron=(5, 0))
    x, y = env.world.player.pos
    env.world.env._world.add(crafter.objects.Cow(env.world.env._world, (x + 1, y)))
    env.world.player.inventory["wood_pickaxe"] = 1
    assert seen(env.world, "nearest") == (
        "facing grass. see cow 1 right, water 2 down, tree 2 left 1 down, table 4 right 3 up. "
        "health 9, food 9, drink 9, energy 9, wood pickaxe 1. day."
    )
    assert seen(env.world, "map").splitlines()[1:8] == [
        "........b",
        ".........",
        ".........",
        "....@C...",
        "..t......",
        "....w....",
        ".........",
    ]


def test_an_action_is_repeated_until_it_is_blocked_or_achieves_something(world: World) -> None:
    env = meadow(world, tree=(-3, 0))
    start = tuple(env.world.player.pos)
    seen_now, reward, over, _, info = env.step("move_left 9")
    assert tuple(env.world.player.pos) == (start[0] - 2, start[1])
    assert env.world.env._step == 3
    assert seen_now.partition("facing ")[2].startswith("tree.")
    assert (reward, over, info) == (0, False, {"achieved": [], "plans": 0})
    assert env.step("Do 5")[1:] == (1, False, False, {"achieved": ["collect wood"], "plans": 0})
    assert env.world.env._step == 4
    assert env.world.player.inventory["wood"] == 1


def test_a_plan_costs_no_time_is_shown_from_then_on_and_may_have_a_price(world: World) -> None:
    env = meadow(world, tree=(0, 1))
    env.plan_cost = 0.25
    seen_now, reward, _, _, info = env.step("Plan:  cut\tthe tree ")
    assert (reward, info, env.world.env._step) == (-0.25, {"achieved": [], "plans": 1}, 0)
    assert seen_now.endswith(" plan: cut the tree")
    seen_now, reward, _, _, info = env.step("plan: then another\ndo")
    assert (reward, info, env.world.env._step) == (0.75, {"achieved": ["collect wood"], "plans": 2}, 1)
    assert env.step("noop")[0].endswith(" plan: then another")
    assert env.step("plan: " + "x" * 10_000)[0].endswith(" plan: " + "x" * 300)


@pytest.mark.parametrize("action", ["fly", "", "move left 10", "move left 0", "do do", "plan: go\nfly", "plan:"])
def test_what_is_neither_a_plan_nor_an_action_changes_nothing(world: World, action: str) -> None:
    env = meadow(world)
    before = seen(env.world, "nearest")
    seen_now, reward, over, _, info = env.step(action)
    assert (reward, over, env.world.env._step, env.num_plans) == (0, False, 0, 0)
    assert before in seen_now
    assert info["invalid_action"].startswith("expected one of: noop, move left,")


def test_the_end_by_success_and_by_death(world: World) -> None:
    env = meadow(world, tree=(0, 1))
    env.level = LEVELS["wood"]
    assert env.step("do")[1:] == (1, True, False, {"achieved": ["collect wood"], "plans": 0, "success": True})
    env = meadow(world, lava=(1, 0))
    assert env.step("move right")[1:] == (0, True, False, {"achieved": [], "plans": 0, "success": False})


def test_names_are_the_packages() -> None:
    assert [name.replace(" ", "_") for name in ACTIONS] == crafter.Env(seed=0).action_names
    assert [name.replace(" ", "_") for name in ACHIEVEMENTS] == crafter.constants.achievements
    for level in LEVELS.values():
        assert set(level.goal) <= set(ACHIEVEMENTS)


@pytest.mark.slow
@pytest.mark.parametrize(("ordered", "turns"), [(False, 9), (True, 120)])
def test_it_is_the_bare_package_underneath(ordered: bool, turns: int) -> None:
    """By day no image draws from the world's random numbers, so the package with images plays the same: for ever if
    its regions are put in order as well, otherwise until it first draws from a set, at its tenth step."""
    for seed in range(3):
        env, bare, rng = Crafter(level="full"), crafter.Env(seed=seed), random.Random(seed)
        env.reset(seed=seed)
        bare.reset()
        if ordered:
            twins = dict(zip(env.world.env._world.objects, bare._world.objects, strict=True))
            regions = env.world.env._world._chunks.items()
            bare._world._chunks = world_module._chunks_of({key: [twins[one] for one in ones] for key, ones in regions})
        for _ in range(turns):
            action = rng.randrange(5)
            _, _, done, info = bare.step(action)
            _, _, over, _, _ = env.step(ACTIONS[action])
            assert np.array_equal(env.world.env._sem_view(), info["semantic"])
            assert env.world.player.inventory == info["inventory"]
            assert over == done
            if done:
                break


def moments(world: World, actions: list[int]) -> list[Any]:
    """All that can be seen of a world after each of some actions."""
    found = []
    for action in actions:
        if world.player.health <= 0:
            break
        world.step(action)
        found.append((world.env._sem_view().tobytes(), dict(world.player.inventory), world.daylight))
    return found


def test_copies_are_exact_and_independent() -> None:
    """A copy goes on as ``copy.deepcopy`` of everything does, and neither disturbs the other."""
    rng, one, other = random.Random(1), World(), World()
    for seed in range(3):
        one.reset(seed)
        moments(one, [rng.randrange(17) for _ in range(60)])
        deep = copy.deepcopy({name: getattr(one.env, name) for name in world_module._CHANGING})
        quick, ahead = one.state, [rng.randrange(5) for _ in range(60)]
        expected = moments(one, ahead)
        assert expected
        other.state = quick
        assert moments(other, ahead) == expected
        other.state = deep
        assert moments(other, ahead) == expected
        one.state = quick
        assert moments(one, ahead) == expected


def test_a_world_is_the_same_when_it_is_made_and_when_it_was_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    actions = [random.Random(2).randrange(17) for _ in range(40)]

    def episode() -> list[Any]:
        world = World()
        world.reset(11)
        return moments(world, actions)

    kept = [episode(), episode()]
    monkeypatch.setattr(world_module, "_made", type(world_module._made)())
    assert kept[0] == kept[1] == episode()


SCRIPTED = [name for name, level in LEVELS.items() if level.has_expert]
LONG = {"meadow", "stone", "wood", "table", "pickaxe", "stone-tools", "furnace"}
"""Some seconds each."""


@pytest.mark.parametrize("level", [pytest.param(n, marks=[pytest.mark.slow] if n in LONG else []) for n in SCRIPTED])
def test_the_script_reaches_the_goal(level: LevelName) -> None:
    env = Crafter(level=level)
    tasks, won = env.tasks("test")[:10], 0
    for task in tasks:
        seen_now: str = env.reset(options={"task": task})[0]
        expert, total = env.expert(), 0.0
        assert expert is not None
        for _ in range(env.max_turns):
            seen_now, reward, over, _, info = env.step(expert(Observation.of(seen_now)))
            assert "invalid_action" not in info
            total += reward
            if over:
                won += info["success"]
                assert not info["success"] or total >= len(env.level.goal)
                break
    assert won >= 9


def test_levels_beyond_the_script_have_no_expert() -> None:
    env = Crafter(level="full")
    env.reset(seed=0)
    assert env.expert() is None


def test_options_that_do_not_exist() -> None:
    with pytest.raises(ConfigError, match=r'level is "wod"\. Did you mean "wood"\?'):
        agentgym.make("crafter", level="wod")
    with pytest.raises(ConfigError, match='view is "picture"'):
        agentgym.make("crafter", view="picture")
    with pytest.raises(ConfigError, match=r"env\.plan_cost: .*greater than or equal to 0, found -1"):
        agentgym.make("crafter", plan_cost=-1)


def test_without_the_package_one_line_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(f"No module named {name!r}", name=name)

    monkeypatch.setattr("agentgym.extras.importlib.import_module", missing)
    world_module.package.cache_clear()
    with pytest.raises(MissingExtraError, match=r"pip install 'agentgym-lab\[crafter\]'"):
        Crafter()
    world_module.package.cache_clear()
