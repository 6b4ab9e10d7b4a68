"""Environments on a cluster: each in a process of a node, on whichever node has the least to do.

A node that joins gets environments from then on; of one that is lost every call ends with an EnvError, so that the
episodes there are played again elsewhere, under the same ordinal and the next attempt.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import time
import warnings
from typing import Any

from agentgym.cluster.connection import Cluster, Lost, Node
from agentgym.cluster.station import Station
from agentgym.errors import EnvError, UserError
from agentgym.hosts import Host, Hosts
from agentgym.hosts.failures import Failure, Situation
from agentgym.hosts.host import CLOSE_SECONDS
from agentgym.hosts.processes.framed import FramedHost
from agentgym.hosts.processes.frames import Packet, framed, unframed
from agentgym.registry import EnvFactory
from agentgym.version import VERSION

__all__ = ["ClusterHosts"]

_LOOK_SECONDS = 1.0
"""Between two looks at which nodes there are."""
_PATIENCE_SECONDS = 60.0
"""For a node to be there, where there is none."""


@dataclasses.dataclass(slots=True, eq=False)
class _Post:
    """The station of a node."""

    node: Node
    actor: Any
    ready: asyncio.Task[None]
    num_hosts: int = 0
    is_lost: bool = False
    """Whether one of its environments did not answer."""

    def load_with(self, more: int) -> float:
        """Environments for each core, were there ``more`` of them."""
        return (self.num_hosts + more) / max(1.0, self.node.cpus)

    @property
    def load(self) -> float:
        return self.load_with(0)


class ClusterHosts(Hosts):
    """Gives each environment a process on a node. Raises ConfigError for options that JSON cannot say."""

    def __init__(self, cluster: Cluster, factory: EnvFactory) -> None:
        self._cluster, self._id = cluster, factory.id
        self._asked = framed(
            Packet(
                {
                    "id": factory.id,
                    "options": factory.options,
                    "augment": factory.augment,
                    "directory": os.getcwd(),
                }
            )
        )
        self._posts: dict[str, _Post] = {}
        self._looked_at = -_LOOK_SECONDS
        self._looking = asyncio.Lock()

    async def get_ready(self) -> None:
        await self._least_loaded()

    async def open(self) -> Host:
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            post = await self._least_loaded()
            post.num_hosts += 1
            try:
                return await self._opened(post)
            except Lost as lost:
                self._drop(post)
                if time.monotonic() > until:
                    raise EnvError(f"no node of the cluster takes {self._id}: {lost}") from None

    async def keeps(self, host: Host) -> bool:
        """Not on a lost node, and not where there is so much more to do than elsewhere that the move evens it out."""
        assert isinstance(host, ClusterHost)
        await self._look()
        post = host.post
        if self._posts.get(post.node.id) is not post or post.is_lost:
            return False
        others = [other for other in self._posts.values() if other.ready.done() and other is not post]
        return not any(other.load_with(1) <= post.load_with(-1) for other in others)

    async def close(self) -> None:
        posts, self._posts = self._posts, {}
        for post in posts.values():
            post.ready.cancel()
            self._cluster.kill(post.actor)

    async def _opened(self, post: _Post) -> ClusterHost:
        try:
            head = unframed(await self._cluster.asked(post.actor.fork.remote())).head
            if "failed" in head:
                raise Failure(*head["failed"]).error(Situation(self._id))
        except BaseException:  # a deadline too
            post.num_hosts -= 1
            raise
        host = ClusterHost(self._cluster, post, head["number"], self._id)
        try:
            await host.begin()
        except BaseException:
            host.kill()
            raise
        return host

    async def _least_loaded(self) -> _Post:
        """The station with the least to do, ready. Raises EnvError where there is none for a while."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            await self._look()
            for post in [post for post in self._posts.values() if post.is_lost]:
                self._drop(post)
            for post in sorted(self._posts.values(), key=lambda post: (not post.ready.done(), post.load)):
                try:
                    await asyncio.shield(post.ready)
                except Lost:
                    self._drop(post)
                    continue
                return min((each for each in self._posts.values() if each.ready.done()), key=lambda each: each.load)
            if time.monotonic() > until:
                raise EnvError(f"the cluster has no node that answers, for {_PATIENCE_SECONDS:g} seconds")
            await asyncio.sleep(_LOOK_SECONDS)

    async def _look(self) -> None:
        """Have a station on each node that is there."""
        async with self._looking:
            if time.monotonic() - self._looked_at < _LOOK_SECONDS:
                return
            try:
                nodes = {node.id: node for node in await self._cluster.nodes()}
            except Lost:
                nodes = {}
            for id in self._posts.keys() - nodes.keys():
                self._drop(self._posts[id])
            for id in nodes.keys() - self._posts.keys():
                actor = self._cluster.actor(Station, self._asked, on=nodes[id])
                ready = asyncio.get_running_loop().create_task(self._prepared(actor, nodes[id]))
                ready.add_done_callback(lambda done: done.cancelled() or done.exception())  # told to whoever waits
                self._posts[id] = _Post(nodes[id], actor, ready)
            self._looked_at = time.monotonic()

    async def _prepared(self, actor: Any, node: Node) -> None:
        head = unframed(await self._cluster.asked(actor.get_ready.remote())).head
        if "failed" in head:
            raise Failure(*head["failed"]).error(Situation(self._id))
        if head["agentgym"] != VERSION:
            raise UserError(
                f"node {node.address} has agentgym {head['agentgym']}, this one {VERSION}; install the "
                "same version on all nodes"
            )

    def _drop(self, post: _Post) -> None:
        if self._posts.get(post.node.id) is post:
            del self._posts[post.node.id]
        self._cluster.kill(post.actor)


class ClusterHost(FramedHost):
    """An environment in a process of a node."""

    def __init__(self, cluster: Cluster, post: _Post, number: int, id: str) -> None:
        super().__init__(id)
        self._cluster, self.post, self._number = cluster, post, number
        self._is_over = False

    async def relay(self, frame: bytes) -> Packet:
        if self._is_over:
            raise self._error("was given up")
        try:
            packet = unframed(await self._cluster.asked(self.post.actor.relay.remote(self._number, frame)))
        except Lost as lost:
            self.post.is_lost = True
            self._end()
            raise self._error(f"was lost with its node: {lost}") from None
        if "died" in packet.head:
            self._end()
            how, last = packet.head["died"]
            raise self._error(how, f"; it printed last:\n{last}" if last else "")
        return packet

    async def close(self) -> None:
        if self._is_over:
            return
        self._end()
        try:
            async with asyncio.timeout(2 * CLOSE_SECONDS):  # the far side waits for so long, and then ends it
                await self._cluster.asked(self.post.actor.close.remote(self._number))
        except (Lost, TimeoutError) as error:
            told = str(error) or "it hangs"
            warnings.warn(f"{self._situation.name} did not close: {told}", RuntimeWarning, stacklevel=2)

    def kill(self) -> None:
        """Its process and the group of that are killed, where its node can be reached."""
        if not self._is_over:
            self._end()
            self.post.actor.kill.remote(self._number)

    def _end(self) -> None:
        self._is_over = True
        self.post.num_hosts -= 1

    def _error(self, how: str, last: str = "") -> EnvError:
        where = f"the process of {self._situation.name} on node {self.post.node.address}"
        return EnvError(f"{where} {how} ({self._situation}){last}")
