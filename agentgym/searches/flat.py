"""No search: every episode by itself, as often as is asked."""

from __future__ import annotations

from collections.abc import Sequence

from agentgym.registry import register
from agentgym.rollout import EpisodeSpec
from agentgym.search import Found, Search, Spent, Table, Tree

__all__ = ["Flat"]


@register
class Flat(Search):
    """Episodes do not branch."""

    branches = False

    async def grow(self, tree: Tree, num: int) -> None:
        """Nothing is ever asked to."""

    async def play(self, table: Table, specs: Sequence[EpisodeSpec]) -> Found:
        lines = await table.rollout.run(
            specs, table.actor, release=table.engine.release, limits=table.limits, shaped=False
        )
        return Found(lines, Spent())
