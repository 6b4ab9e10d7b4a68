"""An environment to play by hand, a policy that says what it is told to, and what is shown when lines are typed."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

import agentgym
from agentgym.protocol import Protocol
from agentgym.protocols.react import React
from agentgym.repl import Reply, play
from agentgym.repl.policy import Hear
from agentgym.types import Message

DOORS = ("left", "right")


class Doors(agentgym.Env):
    """Three doors, each left or right; "jam" and "hang" are what goes wrong, "walk <where>" wants words."""

    instructions = "Say left or right."
    max_turns = 5

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.route = [DOORS[i] for i in self.np_random.integers(2, size=3)]
        self.passed: list[str] = []
        return self._look(), {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        if action == "jam":
            self.passed.append("half-way")  # what breaks may have changed something before
            raise RuntimeError("the door is jammed")
        if action == "hang":
            raise KeyboardInterrupt  # Ctrl-C while it hangs
        if action not in DOORS:
            return self._look(), 0.0, False, False, {"invalid_action": "no such door"}
        right = action == self.route[len(self.passed)]
        self.passed.append(action)
        done = len(self.passed) == 3
        info = {"breakdown": {"doors": 0.5 * right}, "success": self.passed == self.route}
        return self._look(), 0.5 * right, done, False, info

    def expert(self) -> agentgym.env.Expert:
        return lambda _: self.route[len(self.passed)]

    def _look(self) -> str:
        return agentgym.Observation(f"Passed {len(self.passed)}: {self.passed}", admissible=(*DOORS, "walk <where>"))


class Stairs(agentgym.Env):
    """Each step is worth a quarter more than the one before: 0.25, 0.5, 0.75, 1, and the fourth is the last.

    "stumble" costs one and has no effect, "fall" and "hang" have changed something when they break off.
    """

    instructions = "Climb."
    max_turns = 4

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.stair = 0
        self.options = dict(options or {})
        return f"stair 0 of seed {self.seed}", {"begun": True}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        if action == "stumble":
            return f"stair {self.stair}", -1.0, False, False, {"invalid_action": "you stumble"}
        self.stair += 1
        if action == "fall":
            raise LookupError("no stair there")
        if action == "hang":
            raise KeyboardInterrupt
        return f"stair {self.stair}", 0.25 * self.stair, self.stair == 4, False, {"stair": self.stair}

    def expert(self) -> agentgym.env.Expert | None:
        return lambda seen: f"climb from {seen}"


class Scripted:
    """Says the given replies in turn and remembers what it was shown."""

    def __init__(self, *replies: str, protocol: Protocol | None = None) -> None:
        self.replies, self.protocol = list(replies), protocol or React()
        self.shown: list[list[str]] = []
        self.scored: list[tuple[str, ...]] = []

    async def say(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]], *, hear: Hear | None = None
    ) -> Reply:
        self.shown.append([message["content"] for message in messages])
        reply = self.replies.pop(0)
        return Reply(reply, tuple((word, -0.5) for word in reply.split()))

    async def score(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]], replies: Sequence[str]
    ) -> list[float]:
        self.scored.append(tuple(replies))
        return [-0.1 * len(reply) for reply in replies]


def transcript(*lines: str, env: agentgym.Env | None = None, **options: Any) -> str:
    """What is shown when these lines are typed."""
    out = io.StringIO()
    console = Console(file=out, width=100, highlight=False)
    play(env or Doors(), stdin=io.StringIO("\n".join(lines) + "\n"), console=console, **options)
    return out.getvalue()
