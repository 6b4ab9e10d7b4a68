"""What the tests of the blocks world share: every world of a few blocks, and a planner that knows no shortcut."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterator, Sequence

from agentgym.environments.blocksworld.world import World

Facts = frozenset[tuple[str, ...]]
"""A world as PDDL sees it: ("on", "a", "b"), ("table", "a"), ("clear", "a"), ("holding", "a"), ("empty",)."""


def worlds(blocks: Sequence[str]) -> Iterator[World]:
    """Every world of these blocks with an empty hand: each block in any gap of a smaller world, or alone."""
    if not blocks:
        yield World(())
        return
    first, *rest = blocks
    for smaller in worlds(rest):
        yield World(((first,), *smaller.towers))
        for i, tower in enumerate(smaller.towers):
            for j in range(len(tower) + 1):
                grown = (*tower[:j], first, *tower[j:])
                yield World((*smaller.towers[:i], grown, *smaller.towers[i + 1 :]))


def facts(world: World) -> Facts:
    """The facts of a world, read off its towers."""
    found: set[tuple[str, ...]] = {("empty",)} if world.held is None else {("holding", world.held)}
    for tower in world.towers:
        found |= {("clear", tower[0]), ("table", tower[-1])}
        found |= {("on", above, below) for above, below in itertools.pairwise(tower)}
    return frozenset(found)


def successors(state: Facts, blocks: Sequence[str]) -> dict[str, Facts]:
    """Action → facts after it, by the add and delete lists of the PDDL domain, over all ways to fill its slots."""
    found = {}
    for x, y in itertools.product(blocks, ["", *blocks]):
        rules: dict[str, tuple[set[tuple[str, ...]], set[tuple[str, ...]]]]
        if not y:
            rules = {
                f"pick up {x}": ({("clear", x), ("table", x), ("empty",)}, {("holding", x)}),
                f"put down {x}": ({("holding", x)}, {("clear", x), ("table", x), ("empty",)}),
            }
        else:
            rules = {
                f"stack {x} on {y}": ({("holding", x), ("clear", y)}, {("on", x, y), ("clear", x), ("empty",)}),
                f"unstack {x} from {y}": ({("on", x, y), ("clear", x), ("empty",)}, {("holding", x), ("clear", y)}),
            }
        for action, (needed, added) in rules.items():  # all that an operator needs it also deletes
            if needed <= state:
                found[action] = (state - needed) | added
    return found


def distances(goal: World) -> dict[Facts, int]:
    """Every reachable state → the fewest actions from ``goal`` to it, which are as many as back: all can be undone."""
    start, blocks = facts(goal), sorted(goal.blocks)
    reached, queue = {start: 0}, collections.deque([start])
    while queue:
        state = queue.popleft()
        for after in successors(state, blocks).values():
            if after not in reached:
                reached[after] = reached[state] + 1
                queue.append(after)
    return reached
