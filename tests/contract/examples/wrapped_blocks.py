"""Wrappers in a wrapper: one that keeps something itself, and around it one that changes what is seen and done."""

from __future__ import annotations

from typing import Any, Literal

import agentgym
from agentgym.env import Expert
from agentgym.types import Observation


class Counted(agentgym.Wrapper):
    """Says how many turns there were."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.turns = 0
        return super().reset(seed=seed, options=options)

    def step(self, action: str) -> Any:
        self.turns += 1
        return super().step(action)

    def observation(self, seen: Observation) -> str:
        return Observation(f"{self.turns} turns. {seen}", admissible=seen.admissible)


@agentgym.register
class WrappedBlocks(agentgym.Wrapper):
    """The blocks world, shouting."""

    def __init__(self, level: Literal["b3", "b4"] = "b3") -> None:
        """Choose the level.

        Args:
            level: as the blocks world's.
        """
        super().__init__(Counted(agentgym.make("blocksworld", level=level)))

    def observation(self, seen: Observation) -> str:
        return Observation(seen.upper(), admissible=[action.upper() for action in seen.admissible or ()])

    def action(self, said: str) -> str:
        return said.lower()

    def expert(self) -> Expert:
        expert = super().expert()
        assert expert is not None
        return lambda observation: expert(observation).upper()
