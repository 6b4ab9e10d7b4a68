"""Whole episodes, each in an environment of its own: for searches that do not branch."""

from __future__ import annotations

from collections.abc import Sequence

from agentgym.rollout import EpisodeSpec
from agentgym.search import Found, Spent, Table
from agentgym.types import Trajectory

__all__ = ["played"]


async def played(table: Table, specs: Sequence[EpisodeSpec]) -> Found:
    """All of ``specs``, void ones among them, and what they cost."""
    lines = await table.rollout.run(specs, table.actor, release=table.engine.release, limits=table.limits, shaped=False)
    return Found(lines, sum(map(_cost, lines), Spent()))


def _cost(line: Trajectory) -> Spent:
    sampled = sum(sample.num_trained for sample in line.samples)
    return Spent(sampled=sampled, prefilled=line.num_tokens - sampled, steps=len(line.turns))
