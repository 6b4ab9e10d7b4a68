"""No search: every episode by itself, as often as is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel

from agentgym.registry import register
from agentgym.rollout import EpisodeSpec
from agentgym.search import Found, Search, Table, Tree, best
from agentgym.searches._whole import played
from agentgym.types import Trajectory

__all__ = ["Flat"]


@register
class Flat(Search):
    """Episodes do not branch."""

    branches = False
    shared_settings: ClassVar[type[BaseModel] | None] = None  # as many as are asked for: there is nothing to save on
    branches, comes_back = False, False

    async def grow(self, tree: Tree, num: int) -> None:
        await tree.roll_out(tree.root)

    def choose(self, lines: Sequence[Trajectory]) -> Trajectory:
        """The first: nothing is searched for."""
        return best(lines, lambda line: 0.0)

    async def play(self, table: Table, specs: Sequence[EpisodeSpec]) -> Found:
        return await played(table, specs)
