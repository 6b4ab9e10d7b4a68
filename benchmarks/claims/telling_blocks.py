"""The blocks world that says itself why an action cannot be done, as many environments do."""

from __future__ import annotations

from typing import Any

from agentgym.environments.blocksworld import BlocksWorld
from agentgym.registry import register
from agentgym.types import Observation

__all__ = ["TellingBlocks"]


@register
class TellingBlocks(BlocksWorld):
    """What an operation lacks stands in the observation."""

    def step(self, action: str) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        seen, reward, terminated, truncated, info = super().step(action)
        observation = Observation.of(seen)
        if problem := info.get("invalid_action"):
            observation = Observation(f"{seen} error: {problem}.", admissible=observation.admissible)
        return observation, reward, terminated, truncated, info
