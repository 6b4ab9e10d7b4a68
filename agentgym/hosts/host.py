"""The contract of a host: one environment, wherever it runs, and the maker of hosts.

Whatever an environment raises comes out as an EnvError (a UserError stays one), and so does its process's death.
Deadlines are the caller's: it stops waiting and kills the host.
"""

from __future__ import annotations

import abc
from typing import Any

from agentgym.types import Action, Observation, StepResult

__all__ = ["CLOSE_SECONDS", "Host", "Hosts"]

CLOSE_SECONDS = 5.0
"""How long an environment may take to close before it is given up."""


class Host(abc.ABC):
    """One environment. Calls do not overlap."""

    name: str
    instructions: str
    max_turns: int

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
    async def close(self) -> None:
        """Close the environment and free what it ran on; takes seconds at most, whatever the environment does.

        An environment that does not close, or raises while it closes, is told of by a RuntimeWarning.
        """

    @abc.abstractmethod
    def kill(self) -> None:
        """Give it up at once, in the middle of a call if need be. It is not used again."""


class Hosts(abc.ABC):
    """Makes hosts of one environment."""

    @abc.abstractmethod
    async def open(self) -> Host:
        """A fresh environment. Raises EnvError when it cannot be made, UserError when it is asked for wrongly."""

    async def close(self) -> None:  # noqa: B027  # most keep nothing
        """Free what all hosts share; the hosts themselves are closed before."""
