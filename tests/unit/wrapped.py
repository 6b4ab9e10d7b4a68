"""Environments with wrappers around them, by path: functions make them too."""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium import wrappers

import agentgym

MAX_TURNS = 2


class Steps(agentgym.Env):
    """Counts turns; "end" ends it with reward 1 and no word on success."""

    instructions = "Say something."
    max_turns = 7

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.count = 0
        return f"begin {self.np_random.integers(10**6)}", {"channels": {"count": 0}}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.count += 1
        seen = f"{action} {self.np_random.integers(10**6)}"
        return seen, float(action == "end"), action == "end", False, {"channels": {"count": self.count}}


class AsyncSteps(Steps):
    """The same, to be awaited."""

    async def step(self, action: str) -> Any:  # type: ignore[override]
        return super().step(action)


def limited(max_turns: int = MAX_TURNS) -> gymnasium.Env[Any, Any]:
    """Gymnasium's wrappers, one around another.

    Args:
        max_turns: after which it is cut.
    """
    halved = wrappers.TransformReward(wrappers.PassiveEnvChecker(Steps()), lambda reward: float(reward) / 2)
    return wrappers.RecordEpisodeStatistics(wrappers.TimeLimit(wrappers.OrderEnforcing(halved), max_turns))


def autoreset() -> gymnasium.Env[Any, Any]:
    """What no rollout can play."""
    return wrappers.Autoreset(Steps())
