"""The far side of environments on a cluster: one actor of a node, which has a process for each of them there.

It hands packets on and does not look into them. Whatever it is asked it answers with bytes.
"""

from __future__ import annotations

import contextlib
import itertools
import os

from agentgym.errors import EnvError, UserError
from agentgym.hosts.failures import Failure
from agentgym.hosts.processes.frames import Packet, framed, unframed
from agentgym.hosts.processes.host import ProcessHost, ProcessHosts
from agentgym.version import VERSION

__all__ = ["Station"]


class Station:
    """Environments of one kind on one node. ``asked`` is a packet with their id, options and augmentations."""

    def __init__(self, asked: bytes) -> None:
        head = unframed(asked).head
        with contextlib.suppress(OSError):  # a path that is not here is told of as one that names no environment
            os.chdir(head["directory"])
        self._made = ProcessHosts(head["id"], head["options"], head["augment"])
        self._hosts: dict[int, ProcessHost] = {}
        self._numbers = itertools.count()

    async def get_ready(self) -> bytes:
        """Import the environments; what runs here, or why they cannot be imported."""
        try:
            await self._made.get_ready()
        except (EnvError, UserError) as error:
            return framed(Packet({"failed": Failure.of(error)}))
        return framed(Packet({"agentgym": VERSION}))

    async def fork(self) -> bytes:
        """The number of a process in which an environment is still to be made."""
        try:
            host = await self._made.fork()
        except (EnvError, UserError) as error:
            return framed(Packet({"failed": Failure.of(error)}))
        number = next(self._numbers)
        self._hosts[number] = host
        return framed(Packet({"number": number}))

    async def relay(self, number: int, frame: bytes) -> bytes:
        """What the process of that number answers, or how it died."""
        host = self._hosts.get(number)
        if host is None:
            return framed(Packet({"died": ["was given up", ""]}))
        try:
            return framed(await host.relay(frame))
        except EnvError as error:
            death = host.death
            return framed(Packet({"died": [str(error), ""] if death is None else [death.how, death.last]}))

    async def close(self, number: int) -> None:
        """Close the environment of that number, and end its process."""
        if (host := self._hosts.pop(number, None)) is not None:
            await host.close()

    async def kill(self, number: int) -> None:
        """End the process of that number at once."""
        if (host := self._hosts.pop(number, None)) is not None:
            host.kill()
