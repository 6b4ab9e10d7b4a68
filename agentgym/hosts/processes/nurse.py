"""The parent's line to its nursery: starts it, has it fork and kill, and learns who died.

The nursery runs in a session of its own, so that Ctrl-C and the closing of a terminal reach the parent alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from agentgym.errors import EnvError
from agentgym.hosts.failures import Failure, Situation
from agentgym.hosts.host import CLOSE_SECONDS
from agentgym.hosts.processes.channel import Channel, connected_pair
from agentgym.hosts.processes.frames import Packet, framed
from agentgym.registry import EnvFactory

__all__ = ["Death", "Nurse", "NurseryLost"]

_START = (
    "import sys; control, parent, *sys.path = sys.argv[1:]; del sys.argv[1:]; "
    "from agentgym.hosts.processes.nursery import main; main(int(control), int(parent))"
)
"""Not ``python -m``, which would put the working directory before the standard library."""


class NurseryLost(EnvError):
    """The process that environments are forked from has died."""


class Death(NamedTuple):
    """How a process ended."""

    status: int | None
    """Exit code, or the negative number of a signal; None where nobody knows."""
    how: str
    last: str = ""
    """What it printed last."""
    with_nursery: bool = False


class Nurse:
    """A running nursery."""

    def __init__(self, factory: EnvFactory, directory: str) -> None:
        ours, theirs = connected_pair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START, str(theirs.fileno()), str(os.getpid()), *sys.path],
                cwd=directory,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._factory = factory
        self._channel = Channel(ours, self._on_packet, self._on_end)
        self._mourners: dict[int, Callable[[Death], None]] = {}
        self._numbers = itertools.count()
        self._ready: asyncio.Future[Packet] | None = None
        self._ended: asyncio.Future[None] | None = None

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked for anything."""
        return self._channel.is_open

    async def start(self) -> None:
        """Have it import the environment. Raises what that raises, as EnvError or UserError."""
        self._ready = asyncio.get_running_loop().create_future()
        made = self._factory
        self._channel.send(framed(Packet({"id": made.id, "options": made.options, "augment": made.augment})))
        head = (await self._ready).head
        if "failed" in head:
            raise Failure(*head["failed"]).error(Situation(self._factory.id))
        if head.get("ready"):
            warnings.warn(
                f"importing {self._factory.id} starts threads ({', '.join(head['ready'])}), which are missing in the "
                "processes of its environments; start them when an environment is made",
                RuntimeWarning,
                stacklevel=2,
            )

    def knows(self, number: int) -> bool:
        """Whether a process is not reaped yet."""
        return number in self._mourners

    def fork(self, on_death: Callable[[Death], None]) -> tuple[int, socket.socket]:
        """A new process's number, to kill it by, and the socket it serves; ``on_death`` is told of its end."""
        number = next(self._numbers)
        ours, theirs = connected_pair()
        self._mourners[number] = on_death
        self._channel.send(framed(Packet({"open": number})), theirs)
        return number, ours

    def kill(self, number: int) -> None:
        """Kill a process and its group. Without effect when it is dead already."""
        if number in self._mourners:
            self._channel.send(framed(Packet({"kill": number})))

    async def close(self) -> None:
        """Have it kill all processes and end."""
        if self._channel.is_open:
            self._ended = asyncio.get_running_loop().create_future()
            self._channel.hang_up()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._ended
        self.end()

    def end(self) -> None:
        """End it at once, if it has not ended: its children die with it."""
        self._channel.close()
        self._process.kill()
        self._process.wait()

    def _on_packet(self, packet: Packet) -> None:
        head: dict[str, Any] = packet.head
        if "died" in head:
            if (mourner := self._mourners.pop(head["died"], None)) is not None:
                mourner(Death(head["status"], _how(head["status"]), head["last"]))
        elif self._ready is not None and not self._ready.done():
            self._ready.set_result(packet)

    def _on_end(self) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(NurseryLost(f"the process that imports {self._factory.id} died"))
        mourners, self._mourners = self._mourners, {}
        for mourner in mourners.values():
            mourner(Death(None, "died with the one that it was forked from", with_nursery=True))


def _how(status: int | None) -> str:
    if status is None:
        return "could not be started"
    if status >= 0:
        return f"left with exit code {status}"
    names = {one.value: one.name for one in signal.Signals}
    hint = ", perhaps for want of memory" if -status == signal.SIGKILL else ""
    return f"was killed by signal {-status} ({names.get(-status, 'unknown')}{hint})"
