"""A bonus for doing something else than the others of the group did: many ways to a goal are kept open.

The share of the other episodes of the group whose actions are not the same, on the last turn. As such it pays for being
odd; among successes alone, which is the default, it pays for another way that leads to the goal. What counts is what
the environment took: a reply that could not be read or an action without effect makes no episode another one, nor does
case, nor the number of blanks.

Like polychromic sets (arXiv 2509.25424) in what it is for, but for each episode and added to its reward: there the
*set* is rewarded with mean reward times diversity, which is grpo's preset. Not policy-invariant.
"""

from __future__ import annotations

from collections.abc import Sequence

from agentgym.registry import register
from agentgym.reward import Shaper, on_last_turn
from agentgym.types import Trajectory

__all__ = ["Diversity"]


@register
class Diversity(Shaper):
    """0 to 1: 1 for an episode that did what no other did."""

    def __init__(self, *, successes_only: bool = True) -> None:
        """Choose who is compared.

        Args:
            successes_only: a success is compared with the other successes of its group, and a failure gets nothing;
                otherwise all are compared with all.
        """
        self.successes_only = successes_only

    async def shape(self, group: Sequence[Trajectory]) -> list[list[float]]:
        """For each episode 0 for each turn but the last."""
        done = [_done(trajectory) if trajectory.success or not self.successes_only else None for trajectory in group]
        compared = [actions for actions in done if actions is not None]
        return [
            on_last_turn(trajectory, 0.0 if actions is None else _share_of_others(actions, compared))
            for trajectory, actions in zip(group, done, strict=True)
        ]


def _share_of_others(actions: tuple[str, ...], compared: Sequence[tuple[str, ...]]) -> float:
    """How many of ``compared`` are not ``actions``, which is one of them, in parts of all others."""
    return sum(other != actions for other in compared) / max(len(compared) - 1, 1)


def _done(trajectory: Trajectory) -> tuple[str, ...]:
    """What was done, in order."""
    return tuple(
        " ".join(turn.action.lower().split())
        for turn in trajectory.turns
        if turn.action is not None and turn.error is None
    )
