"""One for an episode that succeeds, on its last turn; nothing otherwise.

Makes success worth more than the partial credit that an environment gives, so that a policy does not settle for what
is nearly right. Not policy-invariant: it changes what is optimal where success and reward disagree.
"""

from __future__ import annotations

from agentgym.registry import register
from agentgym.reward import on_last_turn
from agentgym.types import Trajectory

__all__ = ["success"]


@register
def success(trajectory: Trajectory) -> list[float]:
    """0 for each turn but the last, which gets 1 if the episode succeeded."""
    return on_last_turn(trajectory, float(trajectory.success))
