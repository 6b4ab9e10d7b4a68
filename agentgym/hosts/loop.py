"""Environments in the event loop: the cheapest place, for those that answer at once or are ``async``.

An environment that blocks holds up all others here, and one that hangs cannot be killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from agentgym.env import Env
from agentgym.errors import EnvError, UserError
from agentgym.exits import contained
from agentgym.hosts.failures import Failure, Situation
from agentgym.hosts.host import CLOSE_SECONDS, Host, Hosts
from agentgym.hosts.resident import Resident
from agentgym.loops import is_ctrl_c, must_wait
from agentgym.snapshot import Mark
from agentgym.types import Action, Observation, StepResult, TaskId
from agentgym.wrapper import adopted

__all__ = ["LoopHosts"]

_PASSED_ON = (EnvError, UserError)


def _is_for_the_owner(error: BaseException, task: asyncio.Task[Any] | None) -> bool:
    """Whether it stops ``task`` from outside, and is none that the environment raised itself."""
    match error:
        case asyncio.CancelledError():
            return task is None or task.cancelling() > 0
        case GeneratorExit():
            return asyncio.current_task() is not task  # it is closed by somebody else, not run
        case KeyboardInterrupt():
            return is_ctrl_c(error)
    return False


class LoopHosts(Hosts):
    """Calls environments directly."""

    def __init__(self, make_env: Callable[[], Env]) -> None:
        self._make_env = make_env
        self._closing: set[asyncio.Task[None]] = set()

    async def open(self) -> Host:
        try:
            with contained():
                return LoopHost(adopted(self._make_env()), self._closing)
        except _PASSED_ON:
            raise
        except BaseException as error:
            if _is_for_the_owner(error, asyncio.current_task()):
                raise
            raise Failure.of(error).error(Situation(getattr(self._make_env, "id", "the environment"))) from error

    async def close(self) -> None:
        await asyncio.gather(*self._closing, return_exceptions=True)


class LoopHost(Host):
    """An environment in the event loop."""

    def __init__(self, env: Env, closing: set[asyncio.Task[None]]) -> None:
        self._resident, self._closing, self._is_closed = Resident(env), closing, False
        self.name, self.instructions, self.max_turns, self.corpus_episodes = self._resident.about()
        self._situation = Situation(self.name)

    async def tasks(self, split: str) -> Sequence[TaskId]:
        tasks: Sequence[TaskId] = await self._call(self._resident.tasks, split)
        return tasks

    async def has_expert(self) -> bool:
        return bool(await self._call(self._resident.has_expert))

    async def reset(self, seed: int, options: dict[str, Any] | None) -> tuple[Observation, dict[str, Any]]:
        self._situation.begin(seed, options)
        return await self._begun(self._resident.reset, seed, options)

    async def step(self, action: Action) -> StepResult:
        self._situation.action = action
        result: StepResult = await self._call(self._resident.step, action)
        return result

    async def expert(self, observation: Observation) -> Action | None:
        said: Action | None = await self._call(self._resident.expert, observation)
        return said

    async def save(self) -> Mark:
        mark: Mark = await self._call(self._resident.save)
        return mark

    async def load(self, mark: Mark) -> tuple[Observation, dict[str, Any]]:
        self._situation.return_to(mark)
        return await self._begun(self._resident.load, mark)

    async def forget(self, *marks: Mark) -> None:
        self._resident.forget(mark.id for mark in marks)

    async def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._call(self._resident.close)
        except (EnvError, UserError, TimeoutError) as error:
            warnings.warn(f"{self.name} did not close: {str(error) or 'it hangs'}", RuntimeWarning, stacklevel=2)

    def kill(self) -> None:
        """It is closed by the loop, soon; without a running loop it is dropped as it is."""
        with contextlib.suppress(RuntimeError):
            loop = asyncio.get_running_loop()
            task = loop.create_task(self.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _begun(self, method: Callable[..., Any], *args: Any) -> tuple[Observation, dict[str, Any]]:
        begun: tuple[Observation, dict[str, Any]] = await self._call(method, *args)
        _, self.instructions, self.max_turns, _ = await self._call(self._resident.about)
        return begun

    async def _call(self, method: Callable[..., Any], *args: Any) -> Any:
        task = asyncio.current_task()
        try:
            with contained():
                result = method(*args)
                return await result if must_wait(result) else result
        except _PASSED_ON:
            raise
        except BaseException as error:
            if _is_for_the_owner(error, task):
                raise
            raise Failure.of(error).error(self._situation) from error
