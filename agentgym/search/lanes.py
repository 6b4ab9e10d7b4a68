"""One environment that the lines of a tree have in turns.

While one line waits for its reply, another one may step: whoever comes has the environment brought to where its line
stands. What was left behind is saved first, if somebody may come back to it; where the environment stands there
already, nothing is done. Where a way back is a replay, a line keeps the environment until it is at its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from agentgym.hosts import Host
from agentgym.snapshot import Mark
from agentgym.types import Action, Observation, StepResult, TaskId

__all__ = ["Ground", "Lane"]


class Ground:
    """The environment, and who is on it."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.lock = asyncio.Lock()
        self.inside: Lane | None = None
        self.at: Mark | None = None
        """The saved moment at which the environment stands; None where it has moved on."""
        self.marks: list[Mark] = []
        self.num_steps = self.num_restores = 0
        self.restore_seconds = 0.0

    def lane(self, mark: Mark | None = None) -> Lane:
        """A host for one line, which begins at ``mark`` or, without one, with a reset."""
        return Lane(self, mark)

    async def saved(self) -> Mark:
        """This moment. Raises SnapshotError where there is no way back."""
        if self.at is None:
            self.at = await self.host.save()
            self.marks.append(self.at)
        return self.at

    async def restored(self, mark: Mark) -> tuple[Observation, dict[str, Any]]:
        """Go back to ``mark``. Raises SnapshotError where that leads elsewhere."""
        began = time.perf_counter()
        self.at = None
        found = await self.host.load(mark)
        self.at = mark
        self.num_restores += 1
        self.restore_seconds += time.perf_counter() - began
        return found

    async def forget(self) -> None:
        """Free what is kept for the moments of the tree."""
        marks, self.marks, self.at, self.inside = self.marks, [], None, None
        await self.host.forget(*marks)


class Lane(Host):
    """The environment as one line of play has it."""

    def __init__(self, ground: Ground, mark: Mark | None) -> None:
        self.ground, self.mark = ground, mark
        self.is_left = False
        """Whether nobody comes back: what it left behind need not be saved."""
        self._look_up()

    def leave(self) -> None:
        """The line is at its end."""
        self.is_left = True
        if self.ground.inside is self:
            self.ground.inside = None

    async def tasks(self, split: str) -> Sequence[TaskId]:
        return await self.ground.host.tasks(split)

    async def has_expert(self) -> bool:
        async with self._entered() as host:
            return await host.has_expert()

    async def reset(self, seed: int, options: dict[str, Any] | None) -> tuple[Observation, dict[str, Any]]:
        ground = self.ground
        async with ground.lock:
            await self._relieve()
            ground.at, ground.inside = None, self
            found = await ground.host.reset(seed, options)
            self._look_up()
            return found

    async def step(self, action: Action) -> StepResult:
        async with self._entered() as host:
            self.ground.at = None
            self.ground.num_steps += 1
            return await host.step(action)

    async def expert(self, observation: Observation) -> Action | None:
        async with self._entered() as host:
            return await host.expert(observation)

    async def save(self) -> Mark:
        async with self._entered():
            self.mark = await self.ground.saved()
            return self.mark

    async def load(self, mark: Mark) -> tuple[Observation, dict[str, Any]]:
        ground = self.ground
        async with ground.lock:
            await self._relieve()
            ground.inside, self.mark = self, mark
            found = await ground.restored(mark)
            self._look_up()
            return found

    async def forget(self, *marks: Mark) -> None:
        await self.ground.host.forget(*marks)

    async def close(self) -> None:
        self.leave()

    def kill(self) -> None:
        self.ground.host.kill()

    @contextlib.asynccontextmanager
    async def _entered(self) -> AsyncIterator[Host]:
        """With the environment where this line stands."""
        ground = self.ground
        async with ground.lock:
            if ground.inside is not self:
                await self._relieve()
                if self.mark is not None and ground.at is not self.mark:
                    await ground.restored(self.mark)
                    self._look_up()
                ground.inside = self
            yield ground.host

    async def _relieve(self) -> None:
        """Have whoever is inside come back to where it is."""
        other = self.ground.inside
        self.ground.inside = None
        if other is not None and other is not self and not other.is_left:
            other.mark = await self.ground.saved()

    def _look_up(self) -> None:
        host = self.ground.host
        self.name, self.instructions = host.name, host.instructions
        self.max_turns, self.corpus_episodes = host.max_turns, host.corpus_episodes
