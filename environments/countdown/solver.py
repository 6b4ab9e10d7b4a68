"""The fewest operations to the target, from any numbers.

Depth-first over the operations, with one depth after the other where not all numbers need be used. Of two ways to the
same numbers only the first is followed, and operations whose result is near the target come first: not because that is
where solutions are, but because most puzzles have many, and small results keep what follows small.
"""

from __future__ import annotations

from collections.abc import Sequence

from agentgym.environments.countdown.arithmetic import Operation, operations

__all__ = ["solution"]


def solution(numbers: Sequence[int], target: int, *, use_all: bool) -> list[Operation] | None:
    """As few operations as can be after which ``target`` is the only number (or, without ``use_all``, one of them).

    None where there is no way. Six numbers take up to some seconds where there is none.
    """
    full = len(numbers) - 1
    for depth in [full] if use_all else range(full + 1):
        plan = _within(tuple(numbers), target, depth, set())
        if plan is not None:
            return plan
    return None


def _within(numbers: tuple[int, ...], target: int, depth: int, dead: set[tuple[int, ...]]) -> list[Operation] | None:
    """A plan of exactly ``depth`` operations; ``dead`` holds numbers that are known to have none."""
    if depth == 0:
        return [] if target in numbers else None
    key = tuple(sorted(numbers))
    if key in dead:
        return None
    for operation in sorted(operations(numbers), key=lambda found: abs(found.result - target)):
        left = operation.applied(numbers)
        assert left is not None
        plan = _within(left, target, depth - 1, dead)
        if plan is not None:
            return [operation, *plan]
    dead.add(key)
    return None
