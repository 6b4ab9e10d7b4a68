"""Calls of tools: lenient at first, strict later, as training goes on.

    R(t) = s(t) · strict + (1 - s(t)) · general        s(t) = 1 / (1 + exp(-k (t - m)))
    strict = 1 if the calls are the reference's, else 0        general = |Y ∩ Y*| / |Y*| - 1/2

Tool Zero (arXiv 2511.01934), for each turn at which the environment compares calls Y with a reference Y* (see
``call-match``). t is the training step, which is not on record while an episode is shaped: here it is the version of
the weights, that is the number of updates before them, and of a group its newest, so that all members are paid alike.

Departs from the paper in that the schedule's two constants are not the paper's, in leaving out its small bonuses for
calls of several tools and for values, and in the overlap, which is of calls and not of tokens. Where no call is
expected, the overlap is whole if none was made, else nothing. What a reward is worth changes with t: trainers that
compare episodes with their group do not see that, a critic does. Not policy-invariant.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from agentgym.registry import register
from agentgym.reward import Shaper, check_reported
from agentgym.types import Trajectory, Turn

__all__ = ["StrictSchedule"]


@register
class StrictSchedule(Shaper):
    """From -0.5 … 0.5 for calls that are nearly right to 1 or 0."""

    def __init__(
        self, midpoint: Annotated[float, Field(ge=0)], *, steepness: Annotated[float, Field(gt=0)] = 0.1
    ) -> None:
        """Choose when it becomes strict.

        Args:
            midpoint: updates after which both count the same: about half of those that the run has.
            steepness: how quickly it goes over: within 2/steepness updates either side of the midpoint from 0.12 to
                0.88.
        """
        self.midpoint, self.steepness = midpoint, steepness

    async def shape(self, group: Sequence[Trajectory]) -> list[list[float]]:
        """A number for each turn. Raises UserError where a whole episode compares no calls with a reference."""
        for trajectory in group:
            check_reported("strict-schedule", trajectory, "expected_calls", at_end=True)
        strictness = self.strictness(_version(group))
        return [[_value(turn, strictness) for turn in trajectory.turns] for trajectory in group]

    def strictness(self, update: float) -> float:
        """s after ``update`` updates, in [0, 1]."""
        return (1 + math.tanh(self.steepness * (update - self.midpoint) / 2)) / 2  # the same, and never too large


def _version(group: Sequence[Trajectory]) -> int:
    """Updates before the newest weights that spoke in the group."""
    return max((int(s.policy_versions.max(initial=0)) for one in group for s in one.samples), default=0)


def _value(turn: Turn, strictness: float) -> float:
    made, expected, matched = (turn.channels.get(name) for name in ("made_calls", "expected_calls", "matched_calls"))
    if made is None or expected is None or matched is None:
        return 0.0
    overlap = matched / expected if expected else float(not made)
    return strictness * (made == expected == matched) + (1 - strictness) * (overlap - 0.5)
