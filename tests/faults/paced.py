"""An environment that takes its time, and notes on which node it was played."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import agentgym
from agentgym.env import Expert

WORDS = ("north", "east", "south", "west")


@agentgym.register
class Paced(agentgym.Env):
    """Say the word that is shown, some times.

    Args:
        notes: a directory with a file for each network that episodes were played in
        seconds: how long a step takes
        turns: of an episode
    """

    instructions = "Answer with the word."
    corpus_episodes = 2  # each takes its time

    def __init__(self, notes: str, seconds: float = 0.05, turns: int = 4) -> None:
        self.notes, self.seconds, self.turns = notes, seconds, turns

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        (Path(self.notes) / str(os.stat("/proc/self/ns/net").st_ino)).touch()
        self.words = self.np_random.choice(WORDS, size=self.turns).tolist()
        self.turn = 0
        return f"say {self.words[0]}", {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        time.sleep(self.seconds)
        reward = (action == self.words[self.turn]) / self.turns
        self.turn += 1
        over = self.turn == self.turns
        return "" if over else f"say {self.words[self.turn]}", reward, over, False, {}

    def expert(self) -> Expert:
        return lambda observation: self.words[self.turn]
