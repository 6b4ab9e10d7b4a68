"""A cluster without Ray: actors are objects of this process, which can be lost."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable
from typing import Any

from agentgym.cluster.connection import Cluster, Lost, Node

__all__ = ["Actor", "LocalCluster"]


class Actor:
    """Calls of ``made`` go on beside those who wait for them, until it is lost."""

    def __init__(self, made: Any, node: str) -> None:
        self.made, self.node = made, node
        self.calls: set[asyncio.Task[Any]] = set()
        self.asked: list[str] = []
        self.is_lost = False

    def __getattr__(self, name: str) -> Any:
        return _Method(self, name)

    def lose(self) -> None:
        self.is_lost = True
        for call in self.calls:
            call.cancel()


class _Method:
    def __init__(self, actor: Actor, name: str) -> None:
        self.actor, self.name = actor, name

    def remote(self, *args: Any) -> asyncio.Future[Any]:
        assert all(isinstance(arg, bytes | int | str) for arg in args), "Ray would pickle it"
        self.actor.asked.append(self.name)
        call = asyncio.get_running_loop().create_task(self.called(*args))
        self.actor.calls.add(call)
        call.add_done_callback(self.actor.calls.discard)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        call.add_done_callback(lambda done: self.told(done, answer))
        return answer

    async def called(self, *args: Any) -> Any:
        if self.actor.is_lost:
            raise Lost("it is lost")
        return await getattr(self.actor.made, self.name)(*args)

    def told(self, call: asyncio.Task[Any], answer: asyncio.Future[Any]) -> None:
        if answer.done():
            return
        if call.cancelled():
            answer.set_exception(Lost("it is lost"))
        elif (error := call.exception()) is not None:
            answer.set_exception(error)
        else:
            answer.set_result(call.result())
        answer.exception()  # nobody may wait for it


class LocalCluster(Cluster):
    """Has the nodes that ``addresses`` says, and keeps what was made on them."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.actors: list[Actor] = []
        self.numbers = itertools.count()
        self.given_back: list[Any] = []
        self.answers = True

    async def nodes(self) -> list[Node]:
        if not self.answers:
            raise Lost("no answer")
        return [Node(address, address, 1.0) for address in self.addresses]

    def actor(self, kind: type, *args: bytes, on: Node | None = None, place: Any = None, **_: Any) -> Actor:
        where = on.id if on is not None else self.addresses[place[1] % len(self.addresses)]
        self.actors.append(Actor(kind(*args), where))
        if where not in self.addresses:
            self.actors[-1].lose()
        return self.actors[-1]

    async def set_aside(self, number: int, *, cpus: float, gpus: float, what: str = "engines") -> Any:
        return ("set aside", number)

    def give_back(self, group: Any) -> None:
        self.given_back.append(group)

    async def put(self, data: bytes) -> Any:
        return data

    async def asked(self, call: Awaitable[Any]) -> Any:
        return await call

    def kill(self, actor: Any) -> None:
        actor.lose()

    def lose(self, address: str) -> None:
        """A node, with all that is on it."""
        self.addresses.remove(address)
        for actor in self.on(address):
            actor.lose()

    def on(self, address: str) -> list[Actor]:
        return [actor for actor in self.actors if actor.node == address and not actor.is_lost]
