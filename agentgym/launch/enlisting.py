"""Further ranks on a cluster: what torchrun starts on machines that somebody has named, Ray starts where there is room.

Rank 0 stays this process. The others meet it by its address on the cluster, follow it as they do under torchrun
(``following``), and end with the run; one that is lost ends it, and it is resumed with as many as there are then.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from agentgym.cluster.connection import joined
from agentgym.errors import ConfigError, UserError
from agentgym.hosts.processes.frames import Packet, framed, unframed
from agentgym.launch import ranks
from agentgym.launch.following import led
from agentgym.launch.settings import TrainSettings
from agentgym.variables import variables_set

__all__ = ["Recruit", "enlisted"]


class Recruit:
    """A further rank, in a process of the cluster; ``asked`` are its variables, as torchrun would set them."""

    def __init__(self, asked: bytes) -> None:
        os.environ.update(unframed(asked).head)

    def follow(self, address: str) -> None:
        """Until rank 0, which is at ``address``, says that it is over."""
        _speak_from(address)

        async def nothing() -> Path:
            raise AssertionError("a rank that follows does not lead")

        with contextlib.suppress(SystemExit):  # rank 0 has said why
            asyncio.run(led(nothing))


async def enlisted(settings: TrainSettings, work: Callable[[], Awaitable[Path]]) -> Path:
    """What ``work`` returns, done with as many ranks as the settings ask of the cluster; by this process without any.

    Raises ConfigError where torchrun has started some already, UserError where they do not fit the cluster.
    """
    wanted = settings.cluster
    if wanted is None or wanted.learners == 1:
        return await work()
    if ranks.num_ranks() > 1:
        raise ConfigError(
            "cluster.learners has no effect under torchrun, which says how many ranks there are; type "
            "--cluster.learners 1, or the command without torchrun"
        )
    async with joined(wanted.address) as cluster:
        address, number = cluster.own_address, wanted.learners
        group = await cluster.set_aside(number - 1, cpus=1, gpus=wanted.learner_gpus, what="learners")
        recruits = []
        try:
            with ranks.meeting(address, number) as variables:
                for rank in range(1, number):
                    asked = framed(Packet({**variables, "RANK": str(rank)}))
                    place = (group, rank - 1)
                    recruits.append(
                        cluster.actor(Recruit, asked, cpus=1, gpus=wanted.learner_gpus, place=place, concurrency=1)
                    )
                following = [recruit.follow.remote(address) for recruit in recruits]
                with variables_set({**variables, "RANK": "0"}):
                    _speak_from(address)
                    run = await led(work)
                await asyncio.gather(*map(cluster.asked, following))
            return run
        finally:
            for recruit in recruits:
                cluster.kill(recruit)
            cluster.give_back(group)


def _speak_from(address: str) -> None:
    """Have gloo speak over the network by which ``address`` is reached; it would choose by the machine's name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 1))  # nothing is sent
        own = probe.getsockname()[0]
    name = next((name for name, found in _interfaces() if found == own), None)
    if name is None:
        raise UserError(f"no network interface of this machine has the address {own}, from which {address} is reached")
    os.environ.setdefault("GLOO_SOCKET_IFNAME", name)


def _interfaces() -> Iterator[tuple[str, str]]:
    """Network interfaces and their addresses."""
    import fcntl
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            with contextlib.suppress(OSError):  # it has none
                yield name, socket.inet_ntoa(fcntl.ioctl(asked.fileno(), 0x8915, request)[20:24])  # SIOCGIFADDR
