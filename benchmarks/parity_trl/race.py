"""What the two sides of a race share: its settings, the episodes of its updates, and whose turn it is.

Each side is a process of its own. It makes all that it needs, waits, and then does so many updates whenever it is its
turn; only these are on its clock. Between them it writes its policy down, for the one who judges both.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from agentgym.curricula.uniform import Uniform
from agentgym.groups import group_specs
from agentgym.rollout import EpisodeSpec, seed_of

__all__ = ["Lap", "Race", "Track"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Race:
    """What both sides are told."""

    start: str
    """Directory of the model."""
    game: str = "blocksworld"
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    groups: int = 16
    group_size: int = 8
    learning_rate: float = 1e-3
    reply_tokens: int = 32
    """Tokens that a reply may have."""
    threads: int = 1
    precision: Literal["float32", "bfloat16"] = "float32"
    lap_updates: int = 5
    """Updates of a turn."""
    updates: int = 150
    """Of all turns."""
    seed: int = 0

    @property
    def env(self) -> dict[str, Any]:
        """The environment of our side, and of the judge."""
        return {"id": "through-trl", "game": self.game, "options": self.options}

    @property
    def said(self) -> dict[str, Any]:
        """How our side and the judge speak and play."""
        return {
            "env": self.env,
            "protocol": {"id": "tools-read-by-trl", "system": ""},
            "rollout": {"max_reply_tokens": self.reply_tokens, "concurrency": 128},
            "threads": self.threads,
        }

    def specs(self, tasks: Any, update: int) -> list[EpisodeSpec]:
        """The groups of an update of ours, one episode of each: what ``agentgym train`` with this seed plays."""
        draws = Uniform(tasks, seed=seed_of(self.seed, "train") % 2**31)
        return group_specs(draws, update, groups=self.groups, group_size=self.group_size)[:: self.group_size]


@dataclasses.dataclass(kw_only=True)
class Lap:
    """What a side did in its turn."""

    seconds: float = 0.0
    """Of the processor: on a machine that others use too, these are the side's own."""
    wall: float = 0.0
    """Seconds that passed."""
    playing: float = 0.0
    """Of the processor's seconds; rewards and advantages included on TRL's side."""
    updates: int = 0
    episodes: int = 0
    replies: int = 0
    tokens: int = 0
    """That the policy said."""
    rewards: float = 0.0
    """Of all episodes."""
    policy: str = ""
    """Directory of the policy after it."""

    def __add__(self, other: Lap) -> Lap:
        sums = {field.name: getattr(self, field.name) + getattr(other, field.name) for field in _NUMBERS}
        return Lap(**sums, policy=other.policy)


_NUMBERS = [field for field in dataclasses.fields(Lap) if field.name != "policy"]


class Track:
    """A side's end of the line: when it may go, and what it says of what it did."""

    def __init__(self, pipe: Connection, folder: Path) -> None:
        self.pipe, self.folder = pipe, folder
        self.lap = Lap()
        self._began: tuple[float, float] | None = None
        self._number = 0

    def line(self, save: Callable[[Path], None]) -> None:
        """Called where a turn ends and the next one begins; ``save`` writes the policy down."""
        if self._began is not None:
            self.lap.seconds = time.process_time() - self._began[0]
            self.lap.wall = time.perf_counter() - self._began[1]
            self._number += 1
            self.lap.policy = str(self.folder / str(self._number))
            save(Path(self.lap.policy))
        self.pipe.send(self.lap)
        self.pipe.recv()
        self.lap, self._began = Lap(), (time.process_time(), time.perf_counter())
