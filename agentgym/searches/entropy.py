"""Branching where the policy is unsure, or where it looks good.

First some lines are played from the reset. Then, until there are enough lines, the policy plays on from moments of
them: every moment once before any a second time, and of those the one first where

- by entropy: the policy was least sure of its reply. ARPO (arXiv 2507.19849) branches where the entropy of the first
  tokens after an observation rises above that of the episode's first reply; AT²PO (arXiv 2601.04767) expands the most
  uncertain moments of whole lines, those that were expanded before less so, without a comparison (``rise false``);
- by score: the critic holds the episode so far to be best (process-scored branching, PATR). Where it gives no answer,
  entropy decides.

Engines tell the log-probabilities of sampled tokens alone: the mean negative one of a reply's first tokens is the
estimate of their entropy, AT²PO's own, here averaged over all replies at the moment. Departures: ARPO draws while an
episode runs whether it branches, with a chance that grows with the rise; here it branches afterwards, where the rise is
largest. Which score PATR asks for is the critic's own matter. Replies are the policy's own samples, each a line of its
own though it says the same as another.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from agentgym.errors import ConfigError, UserError
from agentgym.loops import together
from agentgym.registry import register
from agentgym.rollout import EpisodeSpec
from agentgym.search import Found, Node, Search, Table, Tree

__all__ = ["Entropy"]


@register
class Entropy(Search):
    """Play on from where the policy was unsure, or from what the critic likes."""

    def __init__(
        self,
        *,
        by: Literal["entropy", "score"] = "entropy",
        seeds: Annotated[int, Field(ge=1)] | None = None,
        tokens: Annotated[int, Field(ge=1)] | None = None,
        rise: bool | None = None,
        parallel: Annotated[int, Field(ge=1)] = 4,
    ) -> None:
        """Choose what decides.

        Args:
            by: the policy's entropy, or the critic's score.
            seeds: lines that are played from the reset first; none given: half of all.
            tokens: first tokens of a reply that count; none given: 20.
            rise: whether what counts is the rise over the first reply of the line; none given: it is.
            parallel: moments that are gone on from at once.
        """
        for name, given in (("tokens", tokens), ("rise", rise)) if by == "score" else ():
            if given is not None:
                raise ConfigError(f"search.{name} has no effect with search.by score; leave out --search.{name}")
        self.by, self.seeds, self.parallel = by, seeds, parallel
        self.tokens, self.rise = tokens or 20, rise is not False

    async def play(self, table: Table, specs: Sequence[EpisodeSpec]) -> Found:
        if self.by == "score" and self.critic is None:
            raise UserError("search.by score asks a critic, and there is none; type --search.by entropy")
        return await super().play(table, specs)

    async def grow(self, tree: Tree, num: int) -> None:
        seeds = min(self.seeds or max(1, num // 2), num)
        new = await tree.propose(tree.root, seeds, merges=False)
        await together(tree.roll_out(node) for node in new)
        while tree.goes_on and len(tree.lines) < num:
            wave = await self._moments(tree, min(self.parallel, num - len(tree.lines)))
            if not wave:
                break
            found = await together(tree.propose(node, node.num_proposed + 1, merges=False) for node in wave)
            await together(tree.roll_out(node) for new in found for node in new)

    async def _moments(self, tree: Tree, num: int) -> list[Node]:
        """Where to go on from, all else being lost or over."""
        moments = [node for node in tree.root.walk() if _is_open(node)]
        worth = None
        if self.by == "score" and moments:
            worth = await self.judged(tree.spent, [node.attempt() for node in moments])
        worth = worth or [self.uncertainty(node) for node in moments]
        order = sorted(range(len(moments)), key=lambda i: (moments[i].num_proposed, -worth[i]))
        return [moments[i] for i in order[:num]]

    def uncertainty(self, node: Node) -> float:
        """Of what the policy said at a moment, in nats."""
        return statistics.fmean(
            child.surprise(self.tokens) - (child.path[1].surprise(self.tokens) if self.rise else 0.0)
            for child in node.children
        )


def _is_open(node: Node) -> bool:
    """Whether somebody went on from here, and others may."""
    can = node.is_taken and not (node.is_over or node.is_lost)
    return can and bool(node.children) and not any(child.is_lost for child in node.children)
