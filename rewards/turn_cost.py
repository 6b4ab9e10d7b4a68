"""Minus one for each turn, so that shorter episodes are better. Not policy-invariant."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from agentgym.registry import register
from agentgym.reward import EpisodeShaper
from agentgym.types import Trajectory

__all__ = ["TurnCost"]


@register
class TurnCost(EpisodeShaper):
    """-1 for each turn; scale it with the weight: ``--rewards.turn-cost 0.01``."""

    def __init__(self, *, free_turns: Annotated[int, Field(ge=0)] = 0) -> None:
        """Choose from where on turns cost.

        Args:
            free_turns: turns at the beginning of an episode that cost nothing, such as the fewest that a task takes.
        """
        self.free_turns = free_turns

    def __call__(self, trajectory: Trajectory) -> list[float]:
        """What each turn costs."""
        return [0.0 if number < self.free_turns else -1.0 for number in range(len(trajectory.turns))]
