"""The planner: valid from every world, and as short as a search without shortcuts finds."""

from __future__ import annotations

import numpy as np
import pytest

from agentgym.environments.blocksworld.planner import shortest_plan
from agentgym.environments.blocksworld.problems import draw_problem
from agentgym.environments.blocksworld.world import World
from tests.unit.environments.blocksworld_kit import distances, facts, worlds


def carried_out(world: World, goal: World) -> tuple[World, int]:
    """Where the plan leads, and its length; an operation that is not applicable raises."""
    plan = shortest_plan(world, goal)
    for operation in plan:
        world = world.after(operation)
    return world, len(plan)


def test_the_sussman_anomaly() -> None:
    """c on a, b; wanted a on b on c. Each block moves once, at two operations a move: six."""
    plan = shortest_plan(World.of(["ca", "b"]), World.of(["abc"]))
    assert list(map(str, plan)) == [
        "unstack c from a",
        "put down c",
        "pick up b",
        "stack b on c",
        "pick up a",
        "stack a on b",
    ]


def test_two_towers_that_block_each_other_cost_one_move_more() -> None:
    """a on b and c on d; wanted a on d and c on b. Neither can go home before the other is gone: two moves and one."""
    _, length = carried_out(World.of(["ab", "cd"]), World.of(["ad", "cb"]))
    assert length == 2 * (2 + 1)


@pytest.mark.parametrize("blocks", ["abc", "abcd"])
def test_it_is_optimal_from_every_world(blocks: str) -> None:
    """Also with a block in the hand. Goals that differ in names alone would tell the same, so one of each shape."""
    shapes = {tuple(sorted(map(len, goal.towers))): goal for goal in worlds(blocks)}
    for goal in shapes.values():
        distance = distances(goal)
        for empty in worlds(blocks):
            for world in (empty, *(empty.after(operation) for operation in empty.operations())):
                reached, length = carried_out(world, goal)
                assert reached.support == goal.support
                assert length == distance[facts(world)]


@pytest.mark.parametrize("blocks", ["abcde", "abcdef"])
def test_it_is_optimal_on_samples_of_larger_worlds(blocks: str) -> None:
    rng = np.random.default_rng(0)
    goal = draw_problem(len(blocks), rng).goal
    distance = distances(goal)
    for _ in range(200):
        drawn = draw_problem(len(blocks), rng).initial
        names = dict(zip(sorted(drawn.blocks), sorted(goal.blocks), strict=True))
        world = World.of([[names[block] for block in tower] for tower in drawn.towers])
        reached, length = carried_out(world, goal)
        assert reached.support == goal.support
        assert length == distance[facts(world)]


def test_there_is_nothing_to_do_at_the_goal() -> None:
    assert shortest_plan(World.of(["ab", "c"]), World.of(["c", "ab"])) == []
