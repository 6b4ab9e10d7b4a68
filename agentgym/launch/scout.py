"""The environment of a run before its episodes: made, asked for its tasks and its expert, played for its words.

All of this happens where a hang ends nothing: in a thread, or in a process where the run's environments are in
processes. Each answer has a deadline, and what goes wrong is a UserError that says so before anything is written.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import TypeVar

from agentgym.errors import EnvError, UserError
from agentgym.hosts import Host, Hosts
from agentgym.rollout import EpisodeSpec
from agentgym.rollout.deadline import ended_by_force, in_time, open_in_time
from agentgym.types import Action, Observation, StepResult, TaskId
from agentgym.visit import NO_EPISODE, Standing

__all__ = ["Scout", "sent_ahead"]

T = TypeVar("T")


class Scout:
    """An environment that goes ahead of a run's episodes."""

    def __init__(self, host: Host, seconds: float | None) -> None:
        self._host, self._seconds = host, seconds
        self._force = ended_by_force(seconds)
        self._tasks: dict[str, Sequence[TaskId]] = {}
        self.is_augmented = False
        """Whether there are augmentations around the environment."""
        self.strength = 0.0
        """That they have in the episodes that begin."""
        self.now = NO_EPISODE
        """How its episode stands."""

    @property
    def name(self) -> str:
        return self._host.name

    @property
    def instructions(self) -> str:
        return self._host.instructions

    @property
    def corpus_episodes(self) -> int:
        return self._host.corpus_episodes

    def in_a_row(self) -> contextlib.AbstractContextManager[object]:
        """To be entered around many answers, which then cost less."""
        return self._force

    def tasks(self, split: str) -> Sequence[TaskId]:
        """Task ids of a split that was fetched."""
        return self._tasks[split]

    async def fetch(self, *splits: str) -> None:
        """Ask for the task ids of ``splits``, those that are not known yet. Raises UserError."""
        for split in splits:
            if split not in self._tasks:
                self._tasks[split] = await self._answer(self._host.tasks(split), f'tasks("{split}")')

    async def has_expert(self) -> bool:
        """Whether there is anybody to imitate. Raises UserError."""
        await self.reset(seed=0)
        return await self._answer(self._host.has_expert(), "expert()")

    async def look(self) -> None:
        """Reset, and take one turn, whatever comes of it: also with all that its augmentations do.

        Raises UserError where it breaks or hangs, and for augmentations that do not fit.
        """
        task = next(iter(self.tasks("train")), None)
        for strength in (1.0, 0.0) if self.is_augmented else (0.0,):
            self.strength = strength
            seen = await self.reset(task, seed=0)
            action = await self.expert()
            await self.step((seen.admissible or ("",))[0] if action is None else action)

    # -- an episode, as a Visit plays it -----------------------------------------------------------------

    @property
    def goes_on(self) -> bool:
        """Whether a rollout would play another turn."""
        return not self.now.is_over and self.now.num_turns < self._host.max_turns

    async def reset(self, task: TaskId | None = None, seed: int = 0) -> Observation:
        """Begin an episode."""
        spec = EpisodeSpec(task=task, seed=seed, strength=self.strength)
        observation, info = await self._answer(self._host.reset(seed, spec.reset_options), "reset")
        self.now = Standing(observation=observation, info=info)
        return observation

    async def step(self, action: str) -> StepResult:
        """One turn."""
        result = await self._answer(self._host.step(Action.of(action)), "step")
        self.now = self.now.after(result)
        return result

    async def expert(self) -> Action | None:
        """What the environment's expert would do now; None where there is none."""
        return await self._answer(self._host.expert(self.now.observation), "its expert")

    async def close(self) -> None:
        """Close the environment."""
        await self._host.close()

    async def _answer(self, call: Awaitable[T], what: str) -> T:
        try:
            with self._force:
                return await in_time(call, self._seconds, f"{self.name}: {what}")
        except EnvError as error:
            self._host.kill()
            raise _refused(self.name, error) from error


@contextlib.asynccontextmanager
async def sent_ahead(hosts: Hosts, name: str, seconds: float | None) -> AsyncIterator[Scout]:
    """A fresh environment of ``hosts``, which knows its train tasks; ``seconds`` are what each answer may take.

    Raises UserError where it cannot be made.
    """
    try:
        with ended_by_force(seconds):
            host = await open_in_time(hosts, seconds, name)
    except EnvError as error:
        raise _refused(name, error) from error
    scout = Scout(host, seconds)
    try:
        await scout.fetch("train")
        yield scout
    finally:
        await scout.close()


def _refused(name: str, error: EnvError) -> UserError:
    return UserError(f'the environment "{name}" breaks in its first episodes: {error}')
