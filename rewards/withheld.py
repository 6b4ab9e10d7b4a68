"""What the environment paid, taken back: what is learned from is what the other rewards give.

With weight 1 nothing of the environment's own is left, with 0.5 half of it. Reports and metrics go on telling what was
paid. ``--reward sparse`` is this with ``success``; not policy-invariant unless what is added says the same.
"""

from __future__ import annotations

from agentgym.registry import register
from agentgym.types import Trajectory

__all__ = ["withheld"]


@register
def withheld(trajectory: Trajectory) -> list[float]:
    """Minus what the environment paid, turn by turn."""
    return [-turn.breakdown.get("environment", 0.0) for turn in trajectory.turns]
