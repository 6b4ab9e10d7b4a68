"""One step of lookahead, where nothing can be taken back (arXiv 2505.13652).

At each turn the policy proposes several replies; the one that looks best is said, and so on to the end. The environment
never goes back, so that every environment will do. What looks best the critic says. Without one, or where it gives no
answer, it is the reply that the policy is surest of: the one with the highest mean log-probability of its tokens.

Departs from the paper in where its values come from: any critic will do, and none is trained here. Once the budget is
spent the policy goes on by itself.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from agentgym.registry import register
from agentgym.search import Node, Search, Tree

__all__ = ["Lookahead"]


@register
class Lookahead(Search):
    """Propose several replies, say the one that looks best, and never go back."""

    comes_back = False

    def __init__(self, *, proposals: Annotated[int, Field(ge=1)] = 5) -> None:
        """Choose among how many.

        Args:
            proposals: replies that are sampled at each turn.
        """
        self.proposals = proposals

    async def grow(self, tree: Tree, num: int) -> None:
        node = tree.root
        while not (node.is_over or node.is_lost):
            asked = 1 if tree.spent.exceeds(tree.budget) else self.proposals
            if not (proposed := await tree.propose(node, asked)):
                break  # there is no room: the episode ended there
            node = await self._best(tree, proposed)
            await tree.take(node)

    async def _best(self, tree: Tree, proposed: list[Node]) -> Node:
        if await self.rank(tree, proposed):
            return max(proposed, key=lambda node: node.score or 0.0)
        return min(proposed, key=Node.surprise)
