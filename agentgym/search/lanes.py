"""One environment that the lines of a tree have in turns.

While one line waits for its reply, another one may step: whoever steps has the environment brought to where its line
stands. What is left behind is saved first, if somebody still stands there; where the environment is there already,
nothing is done, so that a line which nobody comes in between of needs no way back. Where the way back is a replay, a
line keeps the environment until it is at its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from agentgym.errors import SnapshotError
from agentgym.hosts import Host
from agentgym.snapshot import Mark
from agentgym.types import Action, Observation, StepResult, TaskId

__all__ = ["Ground", "Lane"]


@dataclasses.dataclass(slots=True, eq=False)
class _Moment:
    """Where lines stand."""

    mark: Mark | None = None
    """The way back, where there is one."""
    num_lanes: int = 0
    """Lines that stand here and may go on."""


class Ground:
    """The environment, and where it is."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.num_restores = 0
        self.restore_seconds = 0.0
        self.lock = asyncio.Lock()
        self._line = asyncio.Lock()
        self._at: _Moment | None = None
        """None where nobody stands, or it is not known."""
        self._marks: list[Mark] = []

    def lane(self, beside: Lane | None = None) -> Lane:
        """A host for one line, which goes on from where another one stands; without one it begins with a reset."""
        return Lane(self, _Moment() if beside is None else beside.at)

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """For whoever plays a line to its end: where every way back is a replay, others that do so wait."""
        if self._marks and self._marks[0].rung == "replay":
            async with self._line:
                yield
        else:
            yield

    async def reset(self, moment: _Moment, seed: int, options: dict[str, Any] | None) -> Any:
        """Begin an episode, which is at ``moment`` then."""
        self._at = None
        found = await self.host.reset(seed, options)
        self._at = moment
        return found

    async def step(self, moment: _Moment, action: Action) -> StepResult:
        """A turn from where the environment is; what follows is ``moment``."""
        self._at = None
        result = await self.host.step(action)
        self._at = moment
        return result

    async def save(self) -> None:
        """Keep where the environment is. Raises SnapshotError where there is no way back."""
        if self._at is not None and self._at.mark is None:
            self._at.mark = await self.host.save()
            self._marks.append(self._at.mark)

    async def enter(self, moment: _Moment) -> None:
        """Bring the environment to ``moment``. Raises SnapshotError where it does not come there."""
        if self._at is moment:
            return
        if self._at is not None and self._at.num_lanes:
            with contextlib.suppress(SnapshotError):  # said to whoever comes back
                await self.save()
        if moment.mark is None:
            raise SnapshotError(f"{self.host.name} has moved on from a moment that there is no way back to")
        began, self._at, mark, moment.mark = time.perf_counter(), None, moment.mark, None
        await self.host.load(mark)
        self._at, moment.mark = moment, mark
        self.num_restores += 1
        self.restore_seconds += time.perf_counter() - began

    async def forget(self) -> None:
        """Free what is kept for the moments of the tree."""
        marks, self._marks, self._at = self._marks, [], None
        if marks:
            await self.host.forget(*marks)


class Lane(Host):
    """The environment as one line of play has it."""

    def __init__(self, ground: Ground, at: _Moment) -> None:
        self.ground, self.at, self.is_left = ground, at, False
        at.num_lanes += 1
        self._look_up()

    def leave(self) -> None:
        """The line is at its end: nobody comes back for it."""
        if not self.is_left:
            self.is_left = True
            self.at.num_lanes -= 1

    async def tasks(self, split: str) -> Sequence[TaskId]:
        return await self.ground.host.tasks(split)

    async def has_expert(self) -> bool:
        async with self._entered() as ground:
            return await ground.host.has_expert()

    async def reset(self, seed: int, options: dict[str, Any] | None) -> tuple[Observation, dict[str, Any]]:
        async with self.ground.lock:
            found: tuple[Observation, dict[str, Any]] = await self.ground.reset(self.at, seed, options)
            self._look_up()
            return found

    async def step(self, action: Action) -> StepResult:
        async with self._entered() as ground:
            self.at.num_lanes -= 1
            self.at = _Moment(num_lanes=1)
            return await ground.step(self.at, action)

    async def expert(self, observation: Observation) -> Action | None:
        async with self._entered() as ground:
            return await ground.host.expert(observation)

    async def save(self) -> Mark:
        async with self._entered() as ground:
            await ground.save()
            assert self.at.mark is not None
            return self.at.mark

    async def load(self, mark: Mark) -> tuple[Observation, dict[str, Any]]:
        raise SnapshotError("a line of a tree goes on: whoever is to be elsewhere is another line")

    async def forget(self, *marks: Mark) -> None:
        """The tree does, at its end."""

    async def close(self) -> None:
        self.leave()

    def kill(self) -> None:
        self.ground.host.kill()

    @contextlib.asynccontextmanager
    async def _entered(self) -> AsyncIterator[Ground]:
        """With the environment where this line stands."""
        async with self.ground.lock:
            await self.ground.enter(self.at)
            self._look_up()
            yield self.ground

    def _look_up(self) -> None:
        host = self.ground.host
        self.name, self.instructions = host.name, host.instructions
        self.max_turns, self.corpus_episodes = host.max_turns, host.corpus_episodes
