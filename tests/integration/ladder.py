"""An environment whose outcomes depend on what is drawn alone, and a curriculum whose draws depend on outcomes alone.

So two runs with other weights, or with episodes that were played again, draw the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import agentgym
from agentgym.curriculum import Curriculum, Outcome
from agentgym.draw import Draw
from agentgym.errors import UserError
from agentgym.types import TaskId


@agentgym.register
class Ladder(agentgym.Env):
    """Is reached or not, whatever is said; the higher the rung, the rarer."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        given = dict(options or {})
        self.task, self.rung = int(given.pop("task", 0)), int(given.pop("rung", 0))
        if given:
            raise UserError(f"ladder has no option {min(given)}; known: rung")
        return f"rung {self.rung}", {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        return "there", float(self.task % (self.rung + 1) == 0), True, False, {}


class Stairs(agentgym.Env):
    """Takes four turns, whatever is said."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.steps = 0
        return "at the foot", {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        return f"step {self.steps}", float(self.steps == 4), self.steps == 4, False, {}


@agentgym.register
class Climbing(Curriculum):
    """A rung higher after every update that was solved by half, and one lower after the others."""

    def __init__(self, tasks: Sequence[TaskId], *, seed: int) -> None:
        super().__init__(tasks, seed=seed)
        self.rung = 0
        self.heard: list[int] = []
        """Ordinals, in the order in which they were heard of."""

    def draw(self, ordinal: int) -> Draw:
        return Draw(
            task=self.order[ordinal], options={"rung": self.rung}, level=self.rung, strength=1 / (1 + self.rung)
        )

    def learn(self, outcomes: Sequence[Outcome]) -> None:
        successes = [success for outcome in outcomes for success in outcome.successes]
        self.rung = max(0, self.rung + (1 if 2 * sum(successes) >= len(successes) else -1))
        self.heard += [outcome.ordinal for outcome in outcomes]

    def state(self) -> dict[str, Any]:
        return {"rung": self.rung, "heard": list(self.heard)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.rung, self.heard = state["rung"], list(state["heard"])
