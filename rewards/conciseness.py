"""Of a group's successes the shorter are worth more than the longer; a failure costs, however short.

exp(-α z) for a success, with z its length among the successes of its group in standard deviations, and -1 for a failure
(GRPO-LEAD, arXiv 2504.09696), on the last turn. A failure's length does not count, so nobody gains by giving up early.
Lengths are those of all replies of an episode, in tokens. Departs from the paper in that it is added to what the
environment pays: grpo's ``brevity`` is the same in place of it, and the preset ``lead`` all of the paper. Not
policy-invariant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from agentgym.lengths import length_of, length_rewards
from agentgym.registry import register
from agentgym.reward import Shaper, on_last_turn
from agentgym.types import Trajectory

__all__ = ["Conciseness"]


@register
class Conciseness(Shaper):
    """About 1 for a success, more for a short one; -1 for a failure."""

    def __init__(self, *, rate: Annotated[float, Field(gt=0)] = 0.05) -> None:
        """Choose how much length counts.

        Args:
            rate: α: by so much, as an exponent, a success is worth less for each standard deviation that it is longer.
        """
        self.rate = rate

    async def shape(self, group: Sequence[Trajectory]) -> list[list[float]]:
        """For each episode 0 for each turn but the last."""
        lengths = [length_of(trajectory) for trajectory in group]
        values = length_rewards([trajectory.success for trajectory in group], lengths, alpha=self.rate)
        return [on_last_turn(trajectory, value) for trajectory, value in zip(group, values, strict=True)]
