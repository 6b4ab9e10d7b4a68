"""The solver: goals as it reads them, plans by hand, and wins from wherever chance has led."""

from __future__ import annotations

import random

import pytest

from agentgym.environments.alfworld.levels import TYPES
from agentgym.environments.alfworld.solver import Goal, Household, read_goal, shortest_plan
from agentgym.environments.alfworld.world import State, World
from tests.unit.environments.alfworld_kit import kitchen, needs_extra

pytestmark = needs_extra


def plan(world: World, state: State) -> list[str] | None:
    goal = read_goal(world.game.problem)
    assert goal is not None
    return shortest_plan(Household(world.facts(state), world.names()), goal)


@pytest.mark.parametrize(
    ("type", "goal"),
    [
        ("place", Goal(thing="appletype", receptacle="fridgetype")),
        ("look", Goal(thing="appletype", lamp="fridgetype")),
        ("clean", Goal(thing="appletype", receptacle="fridgetype", treatment="isclean")),
        ("heat", Goal(thing="appletype", receptacle="fridgetype", treatment="ishot")),
        ("cool", Goal(thing="appletype", receptacle="fridgetype", treatment="iscool")),
        ("two", Goal(thing="appletype", receptacle="fridgetype", count=2)),
    ],
)
def test_the_six_goals_are_read(type: str, goal: Goal) -> None:
    assert read_goal(kitchen(type, "Apple", "Fridge").problem) == goal


def test_other_goals_are_not_taken_for_one_of_the_six() -> None:
    sliced = kitchen("heat", "Apple", "Fridge").problem.replace("(isHot ?o)", "(isHot ?o) (isSliced ?o)")
    both = kitchen("heat", "Apple", "Fridge").problem.replace("(isHot ?o)", "(isHot ?o) (isClean ?o)")
    assert read_goal(sliced) is read_goal(both) is read_goal("(:goal (and))") is read_goal("") is None


def test_plans_by_hand() -> None:
    world = World(kitchen("heat", "Bread", "Fridge"))
    wanted = [
        "go to countertop 1",
        "take bread 1 from countertop 1",
        "go to microwave 1",
        "heat bread 1 with microwave 1",
        "go to fridge 1",
        "open fridge 1",
        "move bread 1 to fridge 1",
    ]
    assert plan(world, world.start) == wanted
    assert world.follow(wanted).won
    assert not world.follow(wanted[:-1]).won
    assert plan(world, world.follow(wanted[:4])) == wanted[4:]


def test_the_nearest_of_two_is_taken() -> None:
    """Of two apples the one on the counter is cleaned: the other one is in the fridge, which is closed."""
    world = World(kitchen("clean", "Apple", "SinkBasin"))
    assert plan(world, world.start) == [
        "go to countertop 1",
        "take apple 2 from countertop 1",
        "go to sinkbasin 1",
        "clean apple 2 with sinkbasin 1",
        "move apple 2 to sinkbasin 1",
    ]


def test_what_is_in_the_hand_is_put_where_it_fits() -> None:
    """The bread in hand may lie on the counter, where the agent stands: one command more than the plan without it."""
    world = World(kitchen("place", "Mug", "CounterTop"))
    state = world.follow(["go to countertop 1", "take bread 1 from countertop 1"])
    assert plan(world, state) == [
        "move bread 1 to countertop 1",
        "go to cabinet 1",
        "open cabinet 1",
        "take mug 1 from cabinet 1",
        "go to countertop 1",
        "move mug 1 to countertop 1",
    ]


@pytest.mark.parametrize(("type", "thing"), [("two", "Mug"), ("clean", "Bread")])
def test_no_plan_where_there_is_none(type: str, thing: str) -> None:
    """There is one mug, and bread cannot be cleaned."""
    world = World(kitchen(type, thing, "CounterTop"))
    assert plan(world, world.start) is None
    assert world.planned(world.start) == []


@pytest.mark.parametrize("type", TYPES)
def test_it_wins_from_any_state(type: str) -> None:
    """After every step of a random walk the plan wins; walks come by things held, treated and put back."""
    things = [("Apple", 1), ("Apple", 2), ("Mug", 0), ("Bread", 1), ("DeskLamp", 1)]
    lamp = type == "look"
    game = kitchen(type, "Apple", "DeskLamp" if lamp else "Microwave", things)
    world, rng = World(game), random.Random(type)
    state, held = world.start, 0
    for _ in range(25):
        acts = [c for c in state.commands if c.split()[0] in ("take", "move", "open", "heat", "cool", "clean", "use")]
        choices = acts + rng.sample([c for c in state.commands if c.startswith("go to")], 2)
        _, after = world.step(state, rng.choice(choices))
        state = world.start if after.won else after
        found = plan(world, state)
        assert found is not None
        held += any(command.startswith("move") for command in state.commands)
        assert world.follow([*state.path, *found]).won, (state.path, found)
    assert held


@pytest.mark.parametrize("type", ["place", "heat", "two"])
def test_plans_are_as_short_as_fast_downwards(type: str) -> None:
    world = World(kitchen(type, "Apple", "Microwave"))
    for done in ((), ("go to fridge 1", "open fridge 1", "take apple 1 from fridge 1")):
        state = world.follow(done)
        theirs = world.planned(state)
        assert world.follow([*done, *theirs]).won
        assert len(plan(world, state) or []) <= len(theirs)
