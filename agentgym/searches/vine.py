"""Vines: episodes that go on in several ways from a few moments of theirs (polychromic objectives, arXiv 2509.25424).

Seed lines are played from the reset to the end. Of each some moments are chosen: spread evenly over the line, drawn at
random, or after fixed turns. From each moment there are ``ways`` ways to go on, the seed line's own among them, which
are all played to the end by the policy alone: its own samples, so that nothing is biased by what looked good. Replies
that happen to say the same are ways of their own.

With one way nothing branches, and each line is a plain episode, to the bit.

Departs from the paper in counting the seed line as one of the ways. What its trainer makes of the ways (sets, their
diversity) is not the search's.
"""

from __future__ import annotations

import random
from typing import Annotated, Literal

from pydantic import Field

from agentgym.errors import ConfigError
from agentgym.loops import together
from agentgym.registry import register
from agentgym.rollout import seed_of
from agentgym.search import Node, Search, Tree

__all__ = ["Vine", "evenly"]


def evenly(num: int, num_turns: int) -> list[int]:
    """The middles of ``num`` equal parts of a line, as numbers of turns that come before.

    >>> evenly(2, 8), evenly(1, 3), evenly(5, 2)
    ([2, 6], [1], [0, 1])
    """
    return sorted({(2 * part + 1) * num_turns // (2 * num) for part in range(num)})


@register
class Vine(Search):
    """Go on in several ways from some moments of whole episodes."""

    def __init__(
        self,
        *,
        ways: Annotated[int, Field(ge=1)] = 4,
        moments: Annotated[int, Field(ge=1)] | None = None,
        place: Literal["even", "random"] | None = None,
        turns: tuple[Annotated[int, Field(ge=0)], ...] = (),
        seeds: Annotated[int, Field(ge=1)] | None = None,
    ) -> None:
        """Choose where and how often.

        Args:
            ways: how many ways there are to go on from a moment, the seed line's own among them; 1: nothing branches.
            moments: of each seed line; none given: 2.
            place: whether the moments are spread evenly over a line or drawn at random; none given: even.
            turns: fixed moments in place of these: numbers of turns that come before them; 0 is right after the reset.
            seeds: seed lines; none given: as many as make all lines about as many as the group has members.
        """
        _refuse_idle(ways, turns, {"moments": moments, "place": place, "turns": turns or None, "seeds": seeds})
        self.ways, self.moments, self.place, self.turns, self.seeds = ways, moments or 2, place or "even", turns, seeds
        self.comes_back = ways > 1

    async def grow(self, tree: Tree, num: int) -> None:
        in_all = 1 + (self.ways - 1) * (len(self.turns) or self.moments)
        seeds = await tree.propose(tree.root, self.seeds or max(1, num // in_all), merges=False)
        ends = await together(tree.roll_out(seed, is_kept=self._may_branch) for seed in seeds)
        for moment in [moment for end in ends for moment in self._chosen(tree, end)]:
            if tree.goes_on:
                more = await tree.propose(moment, moment.num_proposed + self.ways - 1, merges=False)
                await together(tree.roll_out(way, is_kept=lambda node: False) for way in more)

    def _may_branch(self, node: Node) -> bool:
        return not self.turns or node.depth in self.turns

    def _chosen(self, tree: Tree, end: Node) -> list[Node]:
        """The moments of a seed line, the earliest first."""
        if self.ways == 1 or not end.is_over:
            return []
        if self.turns:
            places = [turn for turn in sorted(set(self.turns)) if turn < end.depth]
        elif self.place == "even":
            places = evenly(self.moments, end.depth)
        else:
            rng = random.Random(seed_of(tree.specs[0].seed, tree.specs[0].member, end.name))
            places = sorted(rng.sample(range(end.depth), min(self.moments, end.depth)))
        return [end.path[place] for place in places]


def _refuse_idle(ways: int, turns: tuple[int, ...], given: dict[str, object]) -> None:
    """Raise ConfigError for what has no effect beside the rest."""
    idle = given if ways == 1 else ("moments", "place") if turns else ()
    for name in idle:
        if given[name] is not None:
            beside = "search.ways 1: nothing branches" if ways == 1 else "search.turns, which are the moments"
            raise ConfigError(f"search.{name} has no effect with {beside}; leave out --search.{name}")
