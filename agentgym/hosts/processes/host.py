"""Environments in processes: for those that crash, hang, or keep the interpreter busy. Linux only.

One process for each, forked in milliseconds from a nursery that has imported the environment's module once. It can be
killed at any moment; when it dies, the call in progress says so at once; and none outlives the program, however that
ends.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import inspect
import os
import sys
import warnings
from typing import Any

from agentgym.errors import ConfigError, EnvError, UnknownIdError, UserError
from agentgym.hosts.host import CLOSE_SECONDS, Host, Hosts
from agentgym.hosts.processes.channel import Channel
from agentgym.hosts.processes.framed import FramedHost
from agentgym.hosts.processes.frames import Packet, framed
from agentgym.hosts.processes.nurse import Death, Nurse, NurseryLost
from agentgym.registry import EnvFactory, plugins

__all__ = ["ProcessHost", "ProcessHosts"]

_STATUS_SECONDS = 1.0
"""How long to wait for the nursery's word on a process whose socket was closed."""


class ProcessHosts(Hosts):
    """Gives each environment a process. Raises ConfigError for options that JSON cannot say."""

    def __init__(
        self, id: str, options: dict[str, Any] | None = None, augment: dict[str, dict[str, Any]] | None = None
    ) -> None:
        if sys.platform != "linux":
            raise ConfigError("environments run in processes on Linux only; let them run in threads")
        self._factory = EnvFactory(id, dict(options or {}), dict(augment or {}))
        try:
            framed(Packet({"options": self._factory.options, "augment": self._factory.augment}))
        except EnvError as error:
            raise ConfigError(f'options of "{id}": {error}') from None
        self._directory = os.getcwd()  # paths mean the same after a restart
        self._nurse: Nurse | None = None
        self._starting: asyncio.Task[None] | None = None

    async def get_ready(self) -> None:
        await self._started()

    async def open(self) -> Host:
        try:
            return await self._open()
        except NurseryLost:  # a new one is started, once
            return await self._open()

    async def close(self) -> None:
        nurse, self._nurse = self._nurse, None
        if self._starting is not None:
            self._starting.cancel()
        if nurse is not None:
            await nurse.close()

    async def fork(self) -> ProcessHost:
        """A process whose environment is still to be made."""
        return ProcessHost(await self._started(), self._factory.id)

    async def _open(self) -> ProcessHost:
        host = await self.fork()
        try:
            await host.begin()
        except BaseException:
            host.kill()
            raise
        return host

    async def _started(self) -> Nurse:
        """The nursery, ready; many may wait for it at once."""
        if self._nurse is None or not self._nurse.is_alive or self._starting is None or self._starting.cancelled():
            if self._nurse is not None:
                self._nurse.end()
            self._nurse = Nurse(self._factory, self._directory)
            self._starting = asyncio.get_running_loop().create_task(self._nurse.start())
        nurse = self._nurse
        try:
            await asyncio.shield(self._starting)
        except UnknownIdError as error:
            raise self._unknown(error) from None
        return nurse

    def _unknown(self, error: UnknownIdError) -> UserError:
        id = self._factory.id
        if id not in plugins("environments").ids():
            return error
        cls: Any = plugins("environments").get(id)
        with contextlib.suppress(OSError, TypeError):  # written at a prompt
            file = inspect.getsourcefile(cls)
            return UserError(
                f'environment "{id}" is registered in this program only, and its processes cannot find it; name the '
                f"file: {file}:{cls.__name__} (what that file does beside defining goes under "
                'if __name__ == "__main__")'
            )
        return UserError(f'environment "{id}" is in no file, where its processes could find it; write it to one')


class ProcessHost(FramedHost):
    """An environment in a process."""

    def __init__(self, nurse: Nurse, id: str) -> None:
        super().__init__(id)
        self._nurse = nurse
        self._waiting: collections.deque[asyncio.Future[Packet]] = collections.deque()
        self.death: Death | None = None
        self._buried: asyncio.Future[None] | None = None
        self._number, sock = nurse.fork(self._on_death)
        self._channel = Channel(sock, self._on_packet, self._on_end)

    async def close(self) -> None:
        if self.death is not None:
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._call({"call": "close"})
        except (EnvError, UserError, TimeoutError) as error:
            warnings.warn(
                f"{self._situation.name} did not close: {str(error) or 'it hangs'}", RuntimeWarning, stacklevel=2
            )
        finally:
            self.kill()
        await self._burial()

    def kill(self) -> None:
        """Its process and the group of that are killed."""
        self._nurse.kill(self._number)
        self._end(Death(None, "was given up"))

    async def relay(self, frame: bytes) -> Packet:
        if self.death is not None:
            raise self._error(self.death)
        answer: asyncio.Future[Packet] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        self._channel.send(frame)
        return await answer

    def _on_packet(self, packet: Packet) -> None:
        if self._waiting:
            answer = self._waiting.popleft()
            if not answer.done():  # otherwise nobody waits for it any more
                answer.set_result(packet)

    def _on_end(self) -> None:
        """Its socket is closed: in a moment the nursery will say why."""
        asyncio.get_running_loop().call_later(_STATUS_SECONDS, self._on_silence)

    def _on_silence(self) -> None:
        self._nurse.kill(self._number)
        self._end(Death(None, "closed its socket"))

    def _on_death(self, death: Death) -> None:
        self._channel.drain()  # it may have answered before
        self._end(death)
        if self._buried is not None and not self._buried.done():
            self._buried.set_result(None)

    def _end(self, death: Death) -> None:
        if self.death is None:
            self.death = death
            self._channel.close()
            while self._waiting:
                if not (answer := self._waiting.popleft()).done():
                    answer.set_exception(self._error(death))

    def _error(self, death: Death) -> EnvError:
        kind = NurseryLost if death.with_nursery else EnvError
        last = f"; it printed last:\n{death.last}" if death.last else ""
        return kind(f"the process of {self._situation.name} {death.how} ({self._situation}){last}")

    async def _burial(self) -> None:
        """Until the nursery has reaped it."""
        if self._nurse.knows(self._number):
            self._buried = asyncio.get_running_loop().create_future()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STATUS_SECONDS):
                    await self._buried
