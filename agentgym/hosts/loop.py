"""Environments in the event loop: the cheapest place, for those that answer at once or are ``async``.

An environment that blocks holds up all others here, and one that hangs cannot be killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from collections.abc import Callable
from typing import Any

from agentgym.env import Env
from agentgym.errors import EnvError, UserError
from agentgym.hosts.failures import Failure, Situation
from agentgym.hosts.host import CLOSE_SECONDS, Host, Hosts
from agentgym.hosts.resident import Resident, as_action
from agentgym.loops import must_wait
from agentgym.snapshot import Mark
from agentgym.types import Action, Observation, StepResult
from agentgym.wrapper import adopted

__all__ = ["LoopHosts"]

_PASSED_ON = (EnvError, UserError, KeyboardInterrupt, asyncio.CancelledError, GeneratorExit)
"""Interrupts and cancellations are meant for the loop's owner, not for the environment."""


class LoopHosts(Hosts):
    """Calls environments directly."""

    def __init__(self, make_env: Callable[[], Env]) -> None:
        self._make_env = make_env
        self._closing: set[asyncio.Task[None]] = set()

    async def open(self) -> Host:
        try:
            return LoopHost(adopted(self._make_env()), self._closing)
        except _PASSED_ON:
            raise
        except BaseException as error:
            raise Failure.of(error).error(Situation(getattr(self._make_env, "id", "the environment"))) from error

    async def close(self) -> None:
        await asyncio.gather(*self._closing, return_exceptions=True)


class LoopHost(Host):
    """An environment in the event loop."""

    def __init__(self, env: Env, closing: set[asyncio.Task[None]]) -> None:
        self.name, self.instructions, self.max_turns = env.name, env.instructions, env.max_turns
        self._resident, self._situation, self._closing = Resident(env), Situation(env.name), closing
        self._is_closed = False

    async def reset(self, seed: int, options: dict[str, Any] | None) -> tuple[Observation, dict[str, Any]]:
        self._situation.begin(seed, options)
        return await self._begun(self._resident.reset, seed, options)

    async def step(self, action: Action) -> StepResult:
        self._situation.action = action
        result: StepResult = await self._call(self._resident.step, action)
        return result

    async def expert(self, observation: Observation) -> Action | None:
        return as_action(await self._call(self._resident.expert, observation))

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
        observation, info = await self._call(method, *args)
        env = self._resident.env
        self.instructions, self.max_turns = env.instructions, env.max_turns
        return observation, info

    async def _call(self, method: Callable[..., Any], *args: Any) -> Any:
        try:
            result = method(*args)
            return await result if must_wait(result) else result
        except _PASSED_ON:
            raise
        except BaseException as error:
            raise Failure.of(error).error(self._situation) from error
