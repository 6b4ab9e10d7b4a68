"""The contract of a host: one environment, wherever it runs, and the maker of hosts.

Whatever an environment raises comes out as an EnvError (a UserError stays one), and so does its process's death.
Deadlines are the caller's: it stops waiting and kills the host.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any

from agentgym.snapshot import Mark
from agentgym.types import Action, Observation, StepResult, TaskId

__all__ = ["CLOSE_SECONDS", "Host", "Hosts"]

CLOSE_SECONDS = 5.0
"""How long an environment may take to close before it is given up."""


class Host(abc.ABC):
    """One environment. Calls do not overlap."""

    name: str
    instructions: str
    """As of the last ``reset`` or ``load``, which may change it; so is ``max_turns``."""
    max_turns: int
    corpus_episodes: int

    @abc.abstractmethod
    async def tasks(self, split: str) -> Sequence[TaskId]:
        """Task ids of "train", "validation" or "test"."""

    @abc.abstractmethod
    async def has_expert(self) -> bool:
        """Whether the running episode has an expert."""

    @abc.abstractmethod
    async def reset(self, seed: int, options: dict[str, Any] | None) -> tuple[Observation, dict[str, Any]]:
        """Start an episode."""

    @abc.abstractmethod
    async def step(self, action: Action) -> StepResult:
        """One turn."""

    @abc.abstractmethod
    async def expert(self, observation: Observation) -> Action | None:
        """What the environment's expert does now; None where there is no expert.

        One expert serves an episode: it is made at the first call after ``reset``.
        """

    @abc.abstractmethod
    async def save(self) -> Mark:
        """Keep this moment of the episode, to come back to. Raises SnapshotError where there is no way back.

        The state stays where the environment lives, until it is to ``forget`` it or needs the room; the mark is small.
        """

    @abc.abstractmethod
    async def load(self, mark: Mark) -> tuple[Observation, dict[str, Any]]:
        """Go back to the moment of ``mark``, of this host or of another one of the same environment.

        Where it is not kept here (any more) it is replayed, each turn compared with what it showed. Raises
        SnapshotError where one differs: the environment stands elsewhere then, and must be reset or loaded.
        """

    @abc.abstractmethod
    async def forget(self, *marks: Mark) -> None:
        """Free what is kept for ``marks``; they can still be replayed. Marks of other hosts are fine."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Close the environment and free what it ran on; takes seconds at most, whatever the environment does.

        An environment that does not close, or raises while it closes, is told of by a RuntimeWarning.
        """

    @abc.abstractmethod
    def kill(self) -> None:
        """Give it up at once, in the middle of a call if need be. It is not used again."""


class Hosts(abc.ABC):
    """Makes hosts of one environment."""

    async def get_ready(self) -> None:  # noqa: B027  # most need nothing
        """Import and load what all hosts share, which may take longer than making one. Raises as ``open`` does."""

    @abc.abstractmethod
    async def open(self) -> Host:
        """A fresh environment. Raises EnvError when it cannot be made, UserError when it is asked for wrongly."""

    async def keeps(self, host: Host) -> bool:
        """Whether an idle host is where it should be; otherwise it is closed, and another one opened in its place."""
        return True

    async def close(self) -> None:  # noqa: B027  # most keep nothing
        """Free what all hosts share; the hosts themselves are closed before."""
