"""A wrapper around an ``async`` environment, which need not be ``async`` itself."""

from __future__ import annotations

from pathlib import Path

import agentgym
from agentgym.types import Observation


@agentgym.register
class WrappedAsync(agentgym.Wrapper):
    """Count up, in brackets, for half the reward."""

    def __init__(self) -> None:
        super().__init__(agentgym.make(str(Path(__file__).with_name("async_counter.py"))))

    def observation(self, seen: Observation) -> str:
        return Observation(f"[{seen}]", admissible=seen.admissible)

    def reward(self, paid: float) -> float:
        return paid / 2
