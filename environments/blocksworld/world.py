"""Blocks, towers, one hand: what is where, and what the four operators do.

The STRIPS operators are those of the domain "blocks, 4 operators" of the International Planning Competition of 2000
(Bacchus 2001, AI Magazine 22(3)): ``pick-up``, ``put-down``, ``stack`` and ``unstack``, with a hand that holds one
block or none. The table has room for all.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

__all__ = ["TABLE", "Operation", "Support", "World", "blocks_in_place", "parse_action"]

TABLE = "table"

Support: TypeAlias = Mapping[str, str]
"""Block → what it stands on: another block or the table."""


class Operation(NamedTuple):
    """One operator and its blocks."""

    operator: str
    """ "pick up", "put down", "stack" or "unstack"."""
    block: str
    other: str = ""
    """What "stack" puts it on and "unstack" takes it from."""

    def __str__(self) -> str:
        joint = {"stack": " on ", "unstack": " from "}.get(self.operator, "")
        return f"{self.operator} {self.block}{joint}{self.other}"


_ONE_BLOCK = re.compile(r"(pick up|put down) (\w+)")
_TWO_BLOCKS = re.compile(r"(stack) (\w+) on (\w+)|(unstack) (\w+) from (\w+)")
_LONGEST_ACTION = 200
"""Characters; what is longer is no action."""


def parse_action(action: str) -> Operation | None:
    """The operation that ``action`` names, or None. Case and runs of blanks do not matter.

    >>> parse_action("Stack a  on b"), parse_action("stack a"), parse_action("put down c")
    (Operation(operator='stack', block='a', other='b'), None, Operation(operator='put down', block='c', other=''))
    """
    if len(action) > _LONGEST_ACTION:
        return None
    words = " ".join(action.lower().split())
    found = _ONE_BLOCK.fullmatch(words) or _TWO_BLOCKS.fullmatch(words)
    return Operation(*(part for part in found.groups() if part is not None)) if found else None


@dataclasses.dataclass(frozen=True, slots=True)
class World:
    """Towers from left to right, each from its top down, and the block in the hand."""

    towers: tuple[tuple[str, ...], ...]
    held: str | None = None

    @classmethod
    def of(cls, towers: Sequence[Sequence[str]], held: str | None = None) -> World:
        """From any sequences, such as lists that were JSON."""
        return cls(tuple(map(tuple, towers)), held)

    def as_json(self) -> dict[str, Any]:
        """Plain lists; ``World.of(**world.as_json())`` is the same world."""
        return {"towers": [list(tower) for tower in self.towers], "held": self.held}

    @property
    def blocks(self) -> frozenset[str]:
        """All of them."""
        return frozenset(block for tower in self.towers for block in tower) | ({self.held} if self.held else set())

    @property
    def support(self) -> dict[str, str]:
        """What each block stands on; the held one is left out."""
        return {block: below for tower in self.towers for block, below in zip(tower, (*tower[1:], TABLE), strict=True)}

    def operations(self) -> Iterator[Operation]:
        """Every operation that is applicable, towers from left to right."""
        if self.held is not None:
            yield Operation("put down", self.held)
            yield from (Operation("stack", self.held, tower[0]) for tower in self.towers)
            return
        for top, *rest in self.towers:
            yield Operation("unstack", top, rest[0]) if rest else Operation("pick up", top)

    def problem(self, operation: Operation) -> str | None:
        """Which precondition does not hold, in words; None for an operation that is applicable."""
        operator, block, other = operation
        for name in filter(None, (block, other)):
            if name not in self.blocks:
                return f"there is no block {name}"
        if operator in ("put down", "stack"):
            if self.held != block:
                return f"the hand does not hold {block}: {self._hand}"
            return self._not_clear(other) if other else None
        if self.held is not None:
            return f"the hand is not empty: {self._hand}"
        stands_on = self.support[block]
        if stands_on != (other or TABLE):
            return f"{block} is on {'the ' if stands_on == TABLE else ''}{stands_on}"
        return self._not_clear(block)

    def after(self, operation: Operation) -> World:
        """The world after an applicable operation. A block that is put down makes the last tower.

        Raises ValueError when a precondition does not hold.
        """
        if (problem := self.problem(operation)) is not None:
            raise ValueError(f"cannot {operation}: {problem}")
        operator, block, other = operation
        if operator == "put down":
            return World((*self.towers, (block,)))
        if operator == "stack":
            return World(tuple((block, *tower) if tower[0] == other else tower for tower in self.towers))
        left = (tower[1:] if tower[0] == block else tower for tower in self.towers)
        return World(tuple(tower for tower in left if tower), held=block)

    @property
    def _hand(self) -> str:
        return f"it holds {self.held}" if self.held else "it is empty"

    def _not_clear(self, block: str) -> str | None:
        if block == self.held:
            return f"{block} is in the hand"
        above = {below: block for block, below in self.support.items()}
        return f"{above[block]} is on {block}" if block in above else None


def blocks_in_place(world: World, goal: Support) -> set[str]:
    """Blocks that need not move: they stand on what the goal says, and so does every block below them."""
    placed = set()
    for tower in world.towers:
        below = TABLE
        for block in reversed(tower):
            if goal[block] != below:
                break
            placed.add(block)
            below = block
    return placed
