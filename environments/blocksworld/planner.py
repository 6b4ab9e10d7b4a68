"""An optimal planner: the fewest turns to the goal, from any world.

Two facts of the blocks world (Gupta & Nau 1992, Artificial Intelligence 56; Slaney & Thiébaux 2001, ibid. 125) make it
small. A block that can go where it finally belongs, because what it shall stand on is in place and clear, may go there
at once: no plan is shorter for waiting. A block that cannot may only go to the table: nowhere else is it less in the
way. So the one choice is which block to take out of the way when none can go home, and each time costs one move more
than there are blocks out of place. To find the fewest is NP-hard in general; here it is a breadth-first search over
these choices alone.
"""

from __future__ import annotations

import collections
from collections.abc import Iterator

from agentgym.environments.blocksworld.world import TABLE, Operation, World, blocks_in_place

__all__ = ["shortest_plan"]


def shortest_plan(world: World, goal: World) -> list[Operation]:
    """As few operations as can be that lead from ``world`` to what ``goal`` says, whatever the order of its towers.

    Where several blocks can go home, the first of the goal does; where none can, the leftmost that is as good as any
    gives way.
    """
    plan: list[Operation] = []
    if world.held is not None:
        plan.append(_release(world, goal))
        world = world.after(plan[0])
    return plan + _from_empty_hand(world, goal)


def _from_empty_hand(world: World, goal: World) -> list[Operation]:
    frontier: collections.deque[tuple[list[Operation], World]] = collections.deque([([], world)])
    seen = set()
    while True:  # ends: putting all blocks on the table is among the choices
        plan, reached = frontier.popleft()
        homeward, settled = _all_home(reached, goal)
        if len(blocks_in_place(settled, goal.support)) == len(settled.blocks):
            return plan + homeward
        if (key := frozenset(settled.towers)) in seen:
            continue
        seen.add(key)
        for taken in _in_the_way(settled, goal):
            down = Operation("put down", taken.block)
            frontier.append(([*plan, *homeward, taken, down], settled.after(taken).after(down)))


def _all_home(world: World, goal: World) -> tuple[list[Operation], World]:
    """Bring blocks where they belong until none can go."""
    plan: list[Operation] = []
    while (block := _ready(world, goal)) is not None:
        plan.append(_take(world, block))
        world = world.after(plan[-1])
        plan.append(_release(world, goal))
        world = world.after(plan[-1])
    return plan, world


def _ready(world: World, goal: World) -> str | None:
    """The first block, in the goal's order, that is out of place, clear, and can go where it belongs."""
    placed = blocks_in_place(world, goal.support)
    tops = {tower[0] for tower in world.towers}
    for tower in goal.towers:
        below = TABLE
        for block in reversed(tower):
            if block not in placed:
                if block in tops and (below == TABLE or below in tops):
                    return block
                break
            below = block
    return None


def _in_the_way(world: World, goal: World) -> Iterator[Operation]:
    placed = blocks_in_place(world, goal.support)
    return (_take(world, top) for top, *rest in world.towers if rest and top not in placed)


def _take(world: World, block: str) -> Operation:
    below = world.support[block]
    return Operation("pick up", block) if below == TABLE else Operation("unstack", block, below)


def _release(world: World, goal: World) -> Operation:
    """Put the held block where it belongs if that is in place and clear, otherwise on the table."""
    assert world.held is not None
    target = goal.support[world.held]
    fits = target in blocks_in_place(world, goal.support) and any(tower[0] == target for tower in world.towers)
    return Operation("stack", world.held, target) if fits else Operation("put down", world.held)
