"""Beam search over replies, as AgentRM has it (arXiv 2502.18407, §3.3): five are kept, each goes on in five ways.

At each step all that is kept proposes; of the proposals, and the episodes that are over, the ``width`` best are kept,
until all of these are over. What is best the critic says, of proposals that are not yet said. Episodes that fall out of
the beam before their end are no lines.

Without a critic a proposal is worth the return of one roll-out from it, or the mean of several that came by. Its
roll-outs stay in the tree as lines, and the first reply of each is one of the ways in which it goes on. That costs an
episode for each proposal.

Departs from the paper in comparing what is over with what goes on, which the paper leaves open; replies that say the
same are one there too. A critic that does not answer leaves the order as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from agentgym.loops import together
from agentgym.registry import register
from agentgym.search import Node, Search, Tree, best, last_judgment
from agentgym.types import Trajectory

__all__ = ["Beam"]


@register
class Beam(Search):
    """Go on with the best few replies of each step."""

    def __init__(
        self,
        *,
        width: Annotated[int, Field(ge=1)] = 5,
        proposals: Annotated[int, Field(ge=1)] = 5,
    ) -> None:
        """Choose how wide. How many lines that makes does not depend on the size of the group.

        Args:
            width: episodes that are kept at each step.
            proposals: replies that are sampled at each of them.
        """
        self.width, self.proposals = width, proposals

    async def grow(self, tree: Tree, num: int) -> None:
        beam = [tree.root]
        while tree.goes_on and not all(node.is_over for node in beam):
            going_on = [node for node in beam if not node.is_over]
            await together(tree.propose(node, self.proposals) for node in going_on)
            pool = [node for node in beam if node.is_over]  # those among them that had no room
            pool += [child for node in going_on for child in node.children if not child.is_lost]
            beam = await self._best(tree, pool)

    async def _best(self, tree: Tree, pool: list[Node]) -> list[Node]:
        """Those that are kept; all are taken then."""
        if self.critic is None:
            await self._try(tree, pool)
            pool = sorted((node for node in pool if node.visits), key=lambda node: -node.value)
        elif await self.rank(tree, pool):
            pool = sorted(pool, key=lambda node: -(node.score or 0.0))
        kept = pool[: self.width]
        for node in kept:
            await tree.take(node)
        return [node for node in kept if not node.is_lost]

    async def _try(self, tree: Tree, pool: Sequence[Node]) -> None:
        """Play to the end from each that nobody came by, as long as there is something to spend."""
        new = [node for node in pool if not (node.visits or node.is_over)]
        for first in range(0, len(new), self.width):
            if tree.goes_on:
                for end in await together(tree.roll_out(node) for node in new[first : first + self.width]):
                    tree.back_up(end)
        for node in pool:
            tree.back_up(node)

    def choose(self, lines: Sequence[Trajectory]) -> Trajectory:
        """What the critic put first in the end; without one what was worth most."""
        return super().choose(lines) if self.critic is None else best(lines, last_judgment)
