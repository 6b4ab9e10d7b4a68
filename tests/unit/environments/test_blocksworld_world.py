"""The operators: each precondition and effect by hand, and all of them against the domain's add and delete lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgym.environments.blocksworld.world import Operation, World, blocks_in_place, parse_action
from tests.unit.environments.blocksworld_kit import facts, successors, worlds

ABC = World.of(["ab", "c"])  # a on b, and c
HOLDING = World.of(["b", "c"], "a")


@pytest.mark.parametrize(
    ("world", "action", "after"),
    [
        (ABC, "pick up c", World.of(["ab"], "c")),
        (ABC, "unstack a from b", HOLDING),
        (HOLDING, "put down a", World.of(["b", "c", "a"])),
        (HOLDING, "stack a on c", World.of(["b", "ac"])),
    ],
)
def test_an_applicable_operation(world: World, action: str, after: World) -> None:
    operation = parse_action(action)
    assert operation is not None
    assert str(operation) == action
    assert operation in list(world.operations())
    assert world.problem(operation) is None
    assert world.after(operation) == after


@pytest.mark.parametrize(
    ("world", "action", "problem"),
    [
        (ABC, "pick up d", "there is no block d"),
        (ABC, "unstack a from table", "there is no block table"),
        (ABC, "pick up a", "a is on b"),
        (ABC, "pick up b", "a is on b"),
        (ABC, "unstack c from b", "c is on the table"),
        (World.of(["abc"]), "unstack b from c", "a is on b"),
        (ABC, "put down a", "the hand does not hold a: it is empty"),
        (ABC, "stack a on c", "the hand does not hold a: it is empty"),
        (HOLDING, "stack b on c", "the hand does not hold b: it holds a"),
        (HOLDING, "stack a on a", "a is in the hand"),
        (World.of(["bc"], "a"), "stack a on c", "b is on c"),
        (HOLDING, "pick up b", "the hand is not empty: it holds a"),
        (World.of(["bc"], "a"), "unstack b from c", "the hand is not empty: it holds a"),
    ],
)
def test_a_precondition_that_does_not_hold(world: World, action: str, problem: str) -> None:
    operation = parse_action(action)
    assert operation is not None
    assert operation not in list(world.operations())
    assert world.problem(operation) == problem
    with pytest.raises(ValueError, match=f"cannot {action}: {problem}"):
        world.after(operation)


@pytest.mark.parametrize("blocks", ["a", "ab", "abc", "abcd"])
def test_operations_are_those_of_the_domain(blocks: str) -> None:
    """From every world with an empty hand, and from every world one operation later."""
    for before in worlds(blocks):
        for world in (before, *map(before.after, before.operations())):
            found = {str(operation): facts(world.after(operation)) for operation in world.operations()}
            assert found == successors(facts(world), blocks)
            for x in blocks:
                for y in ("", *blocks):
                    names = [f"stack {x} on {y}", f"unstack {x} from {y}"] if y else [f"pick up {x}", f"put down {x}"]
                    for operation in map(parse_action, names):
                        assert operation is not None
                        assert (world.problem(operation) is None) == (str(operation) in found)


@given(st.lists(st.integers(0, 20), max_size=40))
def test_random_walks_lose_no_block_and_can_be_undone(choices: list[int]) -> None:
    world = World.of(["abc", "de", "f"])
    for choice in choices:
        operations = list(world.operations())
        before, operation = world, operations[choice % len(operations)]
        world = before.after(operation)
        everywhere = [block for tower in world.towers for block in tower] + ([world.held] if world.held else [])
        assert sorted(everywhere) == list("abcdef")
        assert all(world.towers)
        for block in world.support:  # down from any block is the table, after at most as many steps as there are blocks
            steps = 0
            while block != "table":
                block, steps = world.support[block], steps + 1
            assert steps <= 6
        assert facts(before) in [facts(world.after(undo)) for undo in world.operations()]
        assert World.of(**world.as_json()) == world


def test_blocks_in_place_stand_on_blocks_in_place() -> None:
    goal = World.of(["abc", "d"]).support
    assert blocks_in_place(World.of(["abc", "d"]), goal) == set("abcd")
    assert blocks_in_place(World.of(["dbc", "a"]), goal) == set("bc")  # a belongs on b, d on the table
    assert blocks_in_place(World.of(["abd", "c"]), goal) == set("cd")  # a is on b, but b is not in place
    assert blocks_in_place(World.of(["bc", "d"], "a"), goal) == set("bcd")


@pytest.mark.parametrize(
    ("action", "operation"),
    [
        ("  PICK  up\ta ", Operation("pick up", "a")),
        ("unstack a from b", Operation("unstack", "a", "b")),
        ("unstack a on b", None),
        ("stack a from b", None),
        ("stack a on", None),
        ("pick up", None),
        ("pick up a b", None),
        ("pick up a.", None),
        ("pickup a", None),
        ("", None),
        ("put down " + "a" * 200, None),
    ],
)
def test_reading_actions(action: str, operation: Operation | None) -> None:
    assert parse_action(action) == operation
