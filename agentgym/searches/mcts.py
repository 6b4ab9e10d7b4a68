"""Monte-Carlo tree search as in Agent Q (arXiv 2408.07199, §4.1): propose, rank, select, roll out, back up.

At a moment that is looked at for the first time the policy proposes ``proposals`` replies, those that say the same as
one, and a critic ranks them where there is one. A simulation goes down from the root by UCB1,

    argmax_a  Q(h, a) + exploration · sqrt(log N(h) / (1 + N(h, a))),

takes the proposal that it arrives at, has the policy play to the end of the episode, and the return goes back up along
the path: Q ← (Q·N + R) / (N + 1), N ← N + 1.

What the paper leaves open is so here: a proposal that was never taken goes before all that were, the one that the
critic holds to be best first; rank r of K is worth (K - 1 - r) / (K - 1). The moments of a roll-out stay in the tree,
each with the one reply that was said there. What is known in whole (an end, or nothing but ends below) is not looked at
again. Several simulations run at once: what is under way counts as a visit that brought nothing (virtual loss), and a
wave ends before it would propose at one moment twice. The critic has no part in Q: it orders, and mixes into what
``agent-q`` compares.
"""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from agentgym.loops import together
from agentgym.registry import register
from agentgym.search import Node, Search, Tree

__all__ = ["MCTS", "ucb1"]


def ucb1(value: float, parent_visits: int, visits: int, *, exploration: float) -> float:
    """Agent Q's upper bound of a choice; a parent without visits counts as one with one.

    >>> round(ucb1(0.5, 4, 1, exploration=1.0), 4)
    1.3326
    """
    return value + exploration * math.sqrt(math.log(max(1, parent_visits)) / (1 + visits))


@register
class MCTS(Search):
    """Propose, select by UCB1, play to the end, and learn from the return where to look next."""

    def __init__(
        self,
        *,
        proposals: Annotated[int, Field(ge=1)] = 5,
        simulations: Annotated[int, Field(ge=1)] | None = None,
        exploration: Annotated[float, Field(ge=0)] = 1.0,
        depth: Annotated[int, Field(ge=1)] | None = None,
        parallel: Annotated[int, Field(ge=1)] = 4,
    ) -> None:
        """Choose how wide and how long.

        Args:
            proposals: replies that are sampled at a moment.
            simulations: lines that are played to their ends; none given: as many as the group has members.
            exploration: how much the little known counts.
            depth: turns beyond which nothing branches; none given: everything may.
            parallel: simulations at once.
        """
        self.proposals, self.simulations, self.exploration = proposals, simulations, exploration
        self.depth, self.parallel = depth, parallel

    async def grow(self, tree: Tree, num: int) -> None:
        left = self.simulations or num
        while left > 0 and tree.goes_on:
            wave = self._wave(tree, min(self.parallel, left))
            try:
                ends = await together(self._simulate(tree, node) for node in wave)
            finally:
                for node in wave:
                    node.hold(-1)
            for end in filter(None, ends):
                tree.back_up(end)
                left -= 1

    def _wave(self, tree: Tree, num: int) -> list[Node]:
        """Where the next simulations go, each with its virtual loss."""
        wave: list[Node] = []
        for _ in range(num):
            node = self._select(tree.root)
            if node is None or (node.is_taken and node in wave):
                break
            node.hold(1)
            wave.append(node)
        return wave

    def _select(self, node: Node) -> Node | None:
        """Down to a proposal that was not taken, or a moment at which more is to be proposed."""
        while node.is_taken and node.is_closed:
            free = [child for child in node.children if not child.is_done and (child.is_taken or not child.pending)]
            if not free:
                return None
            node = max(free, key=lambda child: self._bound(node, child))
        return node

    def _bound(self, parent: Node, child: Node) -> tuple[bool, float, int]:
        """What is looked at first: the untaken, the best of them in front, and then by UCB1; the earlier at a tie."""
        if not child.is_taken:
            return True, child.score or 0.0, -child.number
        visits = child.visits + child.pending
        value = child.total / visits if visits else 0.0
        bound = ucb1(value, parent.visits + parent.pending, visits, exploration=self.exploration)
        return False, bound, -child.number

    async def _simulate(self, tree: Tree, node: Node) -> Node | None:
        """From ``node`` to the end of an episode; None where that came to nothing."""
        if node.is_taken:
            await tree.propose(node, self.proposals)
            await self.rank(tree, node.children)
            node.is_closed = True
            new = [child for child in node.children if not (child.is_taken or child.is_lost)]
            if not new:
                return None
            node = max(new, key=lambda child: self._bound(node, child))
        end = await tree.roll_out(node, is_kept=self._may_branch)
        for moment in end.path:
            moment.is_closed |= not self._may_branch(moment)
        return end if end.is_over else None

    def _may_branch(self, node: Node) -> bool:
        return self.depth is None or node.depth < self.depth
