"""The place of an episode among those of its group, by what the environment paid: 1 for the best, 0 for the worst.

(members that got less + half of the others that got as much) / (members - 1), on the last turn. Equal rewards share
their places, so the sum over a group is always half of its size, and a group of equals tells nobody apart. It keeps the
order and forgets by how much: an environment that pays 1,000 once in a while does not drown what it pays elsewhere.

An episode without others gets 1/2. Not policy-invariant: what is best on average may not be what is better more often.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from agentgym.registry import register
from agentgym.reward import Shaper, on_last_turn
from agentgym.types import Trajectory

__all__ = ["Rank"]

_TOLERANCE = 1e-9
"""Sums of floats that differ by no more are equal, relative to the larger one where that is above 1."""


@register
class Rank(Shaper):
    """0 to 1, by rank."""

    async def shape(self, group: Sequence[Trajectory]) -> list[list[float]]:
        """For each episode 0 for each turn but the last."""
        rewards = [trajectory.environment_reward for trajectory in group]
        return [
            on_last_turn(trajectory, _place(reward, rewards)) for trajectory, reward in zip(group, rewards, strict=True)
        ]


def _place(reward: float, rewards: Sequence[float]) -> float:
    """``reward`` is one of ``rewards``."""
    if len(rewards) == 1:
        return 0.5
    less = sum(other < reward and not _is_same(other, reward) for other in rewards)
    same = sum(_is_same(other, reward) for other in rewards) - 1
    return (less + same / 2) / (len(rewards) - 1)


def _is_same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
