"""Environments in threads: for those that block, in the network or in code that lets the interpreter go on.

Each environment has one thread, in which it is made, reset, stepped and closed; an ``async`` one has an event loop of
its own there, which runs during its calls. A thread cannot be killed: one that hangs is abandoned and counted, and does
not keep the interpreter from leaving. Environments that must be killed run in processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import queue
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from agentgym.env import Env
from agentgym.errors import EnvError, UserError
from agentgym.exits import contained
from agentgym.hosts.failures import Failure, Situation
from agentgym.hosts.host import CLOSE_SECONDS, Host, Hosts
from agentgym.hosts.resident import About, Resident
from agentgym.loops import Blocking, must_wait
from agentgym.snapshot import Mark
from agentgym.types import Action, Observation, StepResult, TaskId
from agentgym.wrapper import adopted

__all__ = ["ThreadHosts"]

_GRACE_SECONDS = 0.5
"""For threads that were abandoned and are about to end."""


class ThreadHosts(Hosts):
    """Gives each environment a thread."""

    def __init__(self, make_env: Callable[[], Env]) -> None:
        self._make_env = make_env
        self._numbers = itertools.count()
        self._abandoned: list[ThreadHost] = []

    async def open(self) -> Host:
        host = ThreadHost(self._make_env, next(self._numbers), self._abandoned)
        try:
            await host.begin()
        except BaseException:
            host.kill()
            raise
        return host

    async def close(self) -> None:
        """Warns of the threads that were abandoned and still run."""
        until = time.monotonic() + _GRACE_SECONDS
        while time.monotonic() < until and any(host.thread.is_alive() for host in self._abandoned):
            await asyncio.sleep(0.01)
        if alive := [str(host) for host in self._abandoned if host.thread.is_alive()]:
            warnings.warn(
                f"{len(alive)} environments hang in threads, which cannot be killed and end with the program; let them "
                f"run in processes, which can be: {'; '.join(alive[:5])}",
                RuntimeWarning,
                stacklevel=2,
            )
        self._abandoned.clear()


class ThreadHost(Host):
    """An environment in a thread."""

    def __init__(self, make_env: Callable[[], Env], number: int, abandoned: list[ThreadHost]) -> None:
        self._life = _Life(make_env)
        self._abandoned = abandoned
        self._situation = Situation(getattr(make_env, "id", "the environment"))
        # A daemon, and none of an executor's: those are joined when the interpreter leaves.
        self.thread = threading.Thread(target=self._life.live, name=f"agentgym-environment-{number}", daemon=True)
        self.thread.start()

    def __str__(self) -> str:
        return f"{self._situation.name} in {self.thread.name} ({self._situation})"

    async def begin(self) -> None:
        """Make the environment."""
        about: About = await self._call(self._life.make)
        self.name, self.instructions, self.max_turns, self.corpus_episodes = about
        self._situation.name = self.name

    async def tasks(self, split: str) -> Sequence[TaskId]:
        tasks: Sequence[TaskId] = await self._call(self._life.do, "tasks", split)
        return tasks

    async def has_expert(self) -> bool:
        return bool(await self._call(self._life.do, "has_expert"))

    async def reset(self, seed: int, options: dict[str, Any] | None) -> tuple[Observation, dict[str, Any]]:
        self._situation.begin(seed, options)
        return await self._begun("reset", seed, options)

    async def step(self, action: Action) -> StepResult:
        self._situation.action = action
        result: StepResult = await self._call(self._life.do, "step", action)
        return result

    async def expert(self, observation: Observation) -> Action | None:
        said: Action | None = await self._call(self._life.do, "expert", observation)
        return said

    async def save(self) -> Mark:
        mark: Mark = await self._call(self._life.do, "save")
        return mark

    async def load(self, mark: Mark) -> tuple[Observation, dict[str, Any]]:
        self._situation.return_to(mark)
        return await self._begun("load", mark)

    async def forget(self, *marks: Mark) -> None:
        await self._call(self._life.do, "forget", [mark.id for mark in marks])

    async def close(self) -> None:
        if self._life.abandoned:
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._call(self._life.end)
        except (EnvError, UserError, TimeoutError) as error:
            warnings.warn(f"{self.name} did not close: {str(error) or 'it hangs'}", RuntimeWarning, stacklevel=2)
        finally:
            self.kill()
        if self._life.ended:
            self.thread.join(1)  # it has nothing left to do but to return

    def kill(self) -> None:
        """Abandon the thread: it ends when the environment lets go; an ``async`` one is told to."""
        if not self._life.abandoned:
            self._life.abandon()
            self._abandoned[:] = [host for host in (*self._abandoned, self) if host.thread.is_alive()]

    async def _begun(self, method: str, *args: Any) -> tuple[Observation, dict[str, Any]]:
        answer = await self._call(self._life.begin, method, *args)
        begun: tuple[Observation, dict[str, Any]] = answer[0]
        _, self.instructions, self.max_turns, _ = answer[1]
        return begun

    async def _call(self, function: Callable[..., Any], *args: Any) -> Any:
        if self._life.abandoned:
            raise EnvError(f"{self._situation.name} was given up ({self._situation})")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        self._life.calls.put((function, args, _Answer(loop, answer, self._situation)))
        return await answer


class _Answer:
    """Brings a result from a thread to the loop that waits for it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], situation: Situation) -> None:
        self._loop, self._future, self._situation = loop, future, situation

    def give(self, result: Any) -> None:
        self._send(self._future.set_result, result)

    def fail(self, error: BaseException) -> None:
        if not isinstance(error, EnvError | UserError):
            raised = Failure.of(error).error(self._situation)
            raised.__cause__, error = error, raised
        self._send(self._future.set_exception, error)

    def _send(self, settle: Callable[[Any], object], value: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(lambda: None if self._future.done() else settle(value))


class _Life:
    """What runs in the thread."""

    def __init__(self, make_env: Callable[[], Env]) -> None:
        self.calls: queue.SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...], _Answer] | None] = queue.SimpleQueue()
        self.abandoned = self.ended = False
        self._make_env = make_env
        self._resident: Resident | None = None
        self._blocking = Blocking()
        self._loop: asyncio.AbstractEventLoop | None = None

    def live(self) -> None:
        """Answer calls until one says to end."""
        with contained():
            self._answer_calls()

    def _answer_calls(self) -> None:
        while (call := self.calls.get()) is not None:
            function, args, answer = call
            try:
                answer.give(function(*args))
            except BaseException as error:  # an environment's SystemExit must not end its thread unanswered
                answer.fail(error)
            del call, args, answer
        with contextlib.suppress(BaseException):  # given up: what it raises now is for nobody
            self.end()

    def make(self) -> About:
        """Make the environment; returns what it says of itself."""
        self._resident = Resident(adopted(self._make_env()))
        return self._resident.about()

    def do(self, method: str, *args: Any) -> Any:
        """Call a method of the resident."""
        return self._settled(getattr(self._resident, method)(*args))

    def begin(self, method: str, *args: Any) -> tuple[Any, About]:
        """Call one after which the environment may have other instructions and max_turns; returns these too."""
        result = self.do(method, *args)
        assert self._resident is not None
        return result, self._resident.about()

    def end(self) -> None:
        """Close the environment, once, and the loop."""
        resident, self._resident = self._resident, None
        try:
            if resident is not None:
                self._settled(resident.close())
        finally:
            self.ended = True
            self._blocking.close()

    def abandon(self) -> None:
        """Called from outside: end when the running call does, and have that end soon where it is ``async``."""
        self.abandoned = True
        self.calls.put(None)
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the thread is at its end already
                self._loop.call_soon_threadsafe(self._cancel)

    def _settled(self, result: Any) -> Any:
        if must_wait(result):
            self._loop = self._blocking.loop
        return self._blocking(result)

    def _cancel(self) -> None:
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
