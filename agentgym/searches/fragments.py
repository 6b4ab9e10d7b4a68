"""Going back to where it went wrong, and trying again from there, as iTool does (arXiv 2501.09766).

A line failed where the environment or the protocol refused a reply, or where it brought no reward. The search goes back
to the moment before its first error, or, where nothing was refused, before its last reply, and samples there again
until a line from there does not fail, up to ``tries`` times for a moment. Lines from there that fail are gone back in
too. Where nothing is left to be mended another line is played from the reset, until there are enough lines.

Departs from the paper in what a fragment is: there replies are cut at punctuation marks, and parts of one reply are the
nodes of a tree search. Within a reply the environment has no moments: here a fragment is a reply. Replies that say what
was said there before are not played again, but count as tries.
"""

from __future__ import annotations

import collections
from typing import Annotated

from pydantic import Field

from agentgym.registry import register
from agentgym.search import Node, Search, Tree

__all__ = ["Fragments"]


@register
class Fragments(Search):
    """Play again from the moment before the first error."""

    def __init__(self, *, tries: Annotated[int, Field(ge=1)] = 3) -> None:
        """Choose how stubborn.

        Args:
            tries: how often another reply is sampled at a moment before an error.
        """
        self.tries = tries

    async def grow(self, tree: Tree, num: int) -> None:
        failed: collections.deque[Node] = collections.deque()
        tried: collections.Counter[Node] = collections.Counter()
        while tree.goes_on and len(tree.lines) < num:
            moment = failed[0] if failed else tree.root
            end = await self._line(tree, moment, merges=bool(failed))
            if end is None and not failed:
                return
            before = None if end is None else moment_before_error(end)
            if failed:
                tried[moment] += 1
                is_mended = end is not None and before is None
                if is_mended or moment.is_closed or tried[moment] >= self.tries:
                    failed.popleft()
            if before is not None and before not in failed and tried[before] < self.tries:
                failed.append(before)

    async def _line(self, tree: Tree, moment: Node, *, merges: bool) -> Node | None:
        """The end of another line from a moment; None where there is none."""
        for node in await tree.propose(moment, moment.num_proposed + 1, merges=merges):
            end = await tree.roll_out(node)
            if end.is_over:
                return end
            moment.is_closed = True  # the environment does not come back
        return None


def moment_before_error(end: Node) -> Node | None:
    """The moment before the first reply of a line that was refused; before the last one where it brought nothing.

    None where it did not fail.
    """
    record = end.play.trajectory
    turns = [turn for turn in record.turns if not turn.is_summary]
    for moment, turn in zip(end.path, turns, strict=False):
        if turn.error is not None:
            return moment
    return None if record.environment_reward > 0 or not turns else end.path[len(turns) - 1]
