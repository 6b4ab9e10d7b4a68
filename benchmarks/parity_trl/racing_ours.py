"""Our side of a race: ``agentgym train`` with GRPO, which stops where its turn ends."""

from __future__ import annotations

import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ClassVar

import agentgym
from agentgym.launch import train
from agentgym.learn.players import Players
from agentgym.learn.trainer import Lesson
from agentgym.trainers.grpo import GRPO
from agentgym.types import Trajectory
from benchmarks.parity_trl import through
from benchmarks.parity_trl.race import Race, Track

__all__ = ["run"]

NEVER = 10**6
assert through


@agentgym.register(id="racing-grpo")
class Racing(GRPO):
    """GRPO that waits for its turn before every so many updates."""

    track: ClassVar[Track]
    lap_updates: ClassVar[int]

    async def play(self, update: int, players: Players) -> list[Trajectory]:
        """Play, when it is our turn."""
        if update % self.lap_updates == 0:
            self.track.line(self._save)
        began = time.process_time()
        played = await super().play(update, players)
        self.track.lap.playing += time.process_time() - began
        return played

    def lesson(self, update: int, trajectories: Sequence[Trajectory]) -> Lesson:
        """Count what was played."""
        lap = self.track.lap
        lap.updates += 1
        lap.episodes += len(trajectories)
        lap.replies += sum(len(each.turns) for each in trajectories)
        lap.tokens += sum(sample.num_trained for each in trajectories for sample in each.samples)
        lap.rewards += sum(each.reward for each in trajectories)
        return super().lesson(update, trajectories)

    def _save(self, folder: Path) -> None:
        self.equipment.learner.module.save_pretrained(folder)
        self.equipment.tokenizer.hf.save_pretrained(folder)


def run(race: Race, pipe: Connection, folder: Path) -> None:
    """Train until the other end of ``pipe`` ends the process."""
    Racing.track, Racing.lap_updates = Track(pipe, folder), race.lap_updates
    train(settings(race, folder / "run"))


def settings(race: Race, output: Path) -> dict[str, Any]:
    """Those of TRL's side, in our words; nothing is measured on the way."""
    return {
        **race.said,
        "model": race.start,
        "trainer": {
            "id": "racing-grpo",
            "groups": race.groups,
            "group_size": race.group_size,
            "learning_rate": race.learning_rate,
            "precision": race.precision,
        },
        "updates": race.updates + 1,  # the last turn ends where another one would begin
        "idle_updates": None,
        "eval": {"episodes": 1, "validation_episodes": 1, "every": NEVER},
        "checkpoint_seconds": NEVER,
        "watchdog_seconds": None,
        "seed": race.seed,
        "output": output,
    }
