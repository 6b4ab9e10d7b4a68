"""Minus one for each turn, so that shorter episodes are better. Not policy-invariant."""

from __future__ import annotations

from agentgym.registry import register
from agentgym.types import Trajectory

__all__ = ["turn_cost"]


@register
def turn_cost(trajectory: Trajectory) -> list[float]:
    """-1 for each turn; scale it with the weight: ``--rewards.turn-cost 0.01``."""
    return [-1.0] * len(trajectory.turns)
