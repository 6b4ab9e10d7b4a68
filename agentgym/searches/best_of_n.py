"""The best of several whole episodes, as AgentRM has it with five (arXiv 2502.18407, §3.3).

Each is played by itself from the reset on, in an environment of its own: nothing has to be come back to, so this is the
search for environments in which nothing can be taken back. What is best the critic says, which sees whole episodes.
Where there is none the environment's own reward does: the upper bound of what a critic can reach, and no way to act
where nobody tells the reward.

Departs from the paper in that there may be a budget: episodes are then played one after another until it is spent.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from agentgym.registry import register
from agentgym.rollout import EpisodeSpec, seed_of
from agentgym.search import Found, Search, Spent, Table, Tree, best, joined, last_judgment, places
from agentgym.searches._whole import played
from agentgym.types import Trajectory

__all__ = ["BestOfN"]


@register
class BestOfN(Search):
    """Whole episodes, of which the best counts."""

    comes_back = False

    def __init__(self, *, episodes: Annotated[int, Field(ge=1)] | None = None) -> None:
        """Choose how many.

        Args:
            episodes: how many are played; none given: as many as the group has members.
        """
        self.episodes = episodes

    async def grow(self, tree: Tree, num: int) -> None:
        await tree.roll_out(tree.root)

    async def play(self, table: Table, specs: Sequence[EpisodeSpec]) -> Found:
        wanted = [_spec(specs, number) for number in range(self.episodes or len(specs))]
        waves = [[spec] for spec in wanted] if self.budget.is_bounded else [wanted]
        found = Found([], Spent())
        for wave in waves:
            if found.lines and found.spent.exceeds(self.budget):
                break
            found = joined([found, await played(table, wave)])
        await self._judge(found)
        return found

    async def _judge(self, found: Found) -> None:
        """Write down at the end of each episode how it compares with the others."""
        ended = [line for line in found.lines if line.turns and not line.stop_reason.is_void]
        worth = await self.judged(found.spent, ended) if ended else None
        for line, place in zip(ended, places(worth), strict=True) if worth is not None else ():
            line.turns[-1].critic = place

    def choose(self, lines: Sequence[Trajectory]) -> Trajectory:
        """The critic's first where there is one; without its answer the first, and without a critic what was worth
        most.
        """
        if self.critic is None:
            return super().choose(lines)
        return best(lines, last_judgment)


def _spec(specs: Sequence[EpisodeSpec], number: int) -> EpisodeSpec:
    """Those of the group, and as many more as there have to be."""
    if number < len(specs):
        return specs[number]
    first = specs[0]
    name, member = f"{first.episode_id}.{number}", seed_of(first.member, number)
    return dataclasses.replace(first, episode_id=name, member=member)
