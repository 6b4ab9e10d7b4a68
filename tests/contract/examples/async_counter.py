"""An environment that waits for something outside: async, with tasks, an expert and a state of its own."""

from __future__ import annotations

import asyncio
from typing import Any

import agentgym
from agentgym.env import Expert


@agentgym.register
class AsyncCounter(agentgym.Env):
    """Count up to the task's number, one "up" at a time."""

    def tasks(self, split: str) -> list[str]:
        return {"train": ["3", "4"], "validation": ["5"], "test": ["6", "7"]}[split]

    async def reset(  # type: ignore[override]
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        await asyncio.sleep(0)
        self.goal, self.count = int((options or {}).get("task") or 3), 0
        return self.seen(), {}

    async def step(  # type: ignore[override]
        self, action: str
    ) -> tuple[str, float, bool, bool, dict[str, Any]]:
        await asyncio.sleep(0)
        self.count += action == "up"
        done = self.count == self.goal
        info = {} if action in ("up", "down") else {"invalid_action": "say up or down"}
        return self.seen(), float(done), done, False, info

    def seen(self) -> agentgym.Observation:
        return agentgym.Observation(f"{self.count} of {self.goal}", admissible=["up", "down"])

    def expert(self) -> Expert:
        return lambda observation: "up"

    def get_state(self) -> tuple[int, int]:
        return self.goal, self.count

    def set_state(self, state: tuple[int, int]) -> None:
        self.goal, self.count = state
