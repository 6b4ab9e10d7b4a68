"""A newcomer's environment: no tasks, no expert, no state of its own to save."""

from __future__ import annotations

from typing import Any

import agentgym

COLORS = ["red", "green", "blue"]


@agentgym.register
class GuessColor(agentgym.Env):
    """Name the color I think of."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.color = str(self.np_random.choice(COLORS))
        self.left = 3
        return f"Guess: {', '.join(COLORS)}?", {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.left -= 1
        hit = action == self.color
        return ("Yes!" if hit else f"No. {self.np_random.integers(100)}"), float(hit), hit, self.left == 0, {}
