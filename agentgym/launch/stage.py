"""A stage of a run, and what all stages share.

A run is a list of stages, one after the other: warm start, measure, train, measure again. Each can be interrupted
between two of its steps; what it would have to know to go on is its ``state``.
"""

from __future__ import annotations

import abc
import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from agentgym.archive import chosen
from agentgym.launch.kept import Kept
from agentgym.launch.monitor import Monitor
from agentgym.launch.parts import Parts
from agentgym.launch.reporting import Reporter
from agentgym.launch.settings import TrainSettings
from agentgym.learn.loop import Loop
from agentgym.ledger import Tally
from agentgym.run import Run
from agentgym.types import Trajectory
from agentgym.watchdog import Watchdog

__all__ = ["Clock", "Stage", "Workbench"]


class Clock:
    """Seconds spent on a run, interruptions left out."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._began

    def go_on_from(self, seconds: float) -> None:
        """So many were spent before."""
        self._began = time.monotonic() - seconds


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """What the stages of a run share."""

    settings: TrainSettings
    parts: Parts
    run: Run
    reporter: Reporter
    monitor: Monitor
    kept: Kept
    watchdog: Watchdog
    clock: Clock
    report: dict[str, Any]
    """What report.json will hold."""
    tally: Tally


class Stage(abc.ABC):
    """One of a run's stages. Nothing happens before ``open``."""

    name: str
    at: int = 0
    """Steps that are done: updates, where it has any."""
    loop: Loop | None = None
    """What learns, where anything does; a checkpoint holds its trainer and learners."""

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench

    def open(self) -> None:  # noqa: B027  # most need nothing
        """Make what it works with, from the weights as they are now. Raises ConfigError for what does not go."""

    @abc.abstractmethod
    async def run(self, pause: Callable[[], None]) -> None:
        """From where it stands to its end; ``pause`` is called between two steps, where it may be saved."""

    @property
    def is_whole(self) -> bool:
        """False in the middle of a step, when it cannot be saved."""
        return self.loop is None or self.loop.is_whole

    def state(self) -> dict[str, Any]:
        """What ``run`` depends on beside the weights, as JSON."""
        return {"at": self.at}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what ``state`` returned; after ``open``."""
        self.at = state["at"]

    def keep(self, episodes: Iterable[Trajectory], *, update: int, all_of_them: bool = False) -> None:
        """Put episodes into the run's archive, or as many as are to be kept.

        ``update`` is the one that was learned from them, or that they were played after. Nothing may be awaited
        between this and the step that counts them: a checkpoint in between would have them played and kept again.
        """
        share = 1.0 if all_of_them else self.bench.settings.archive.keep
        where = {"stage": self.name, "update": update}
        self.bench.run.episodes.append(each.model_copy(update=where) for each in episodes if chosen(each, share))

    def lose_best(self) -> None:
        """The best policy so far is lost: the one that is loaded takes its place."""
        self.bench.kept.keep(self.bench.parts.policy, self.bench.report.get("best_update", 0))

    async def close(self) -> None:
        """Free what ``open`` made."""
        if self.loop is not None:
            await self.loop.close()
