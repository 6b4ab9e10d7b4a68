"""The far side of an engine on a cluster: an actor that has any of our engines, around a model of its own."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

from agentgym.cluster import speech
from agentgym.cluster.blueprint import built
from agentgym.cluster.parcels import unpacked
from agentgym.engine import Engine
from agentgym.errors import AgentGymError
from agentgym.hosts.failures import Failure
from agentgym.hosts.processes.frames import Packet, framed, unframed
from agentgym.registry import plugins
from agentgym.version import VERSION
from agentgym.weights import put, weights_of

__all__ = ["Replica"]


class Replica:
    """One engine. ``asked`` is a packet with its id, options and threads, and the blueprint of its model."""

    def __init__(self, asked: bytes) -> None:
        self._asked = unframed(asked)
        self._module: Any = None
        self._engine: Engine

    async def start(self, version: int, *parcels: bytes) -> bytes:
        """Make the engine, with the weights in ``parcels``; what it says of itself."""
        return await _answered(lambda: self._start(version, parcels))

    async def update(self, version: int, *parcels: bytes) -> bytes:
        """Have it sample from these weights."""
        return await _answered(lambda: self._update(version, parcels))

    async def generate(self, frame: bytes) -> bytes:
        """A completion."""
        return await _answered(lambda: self._generate(frame))

    async def score(self, frame: bytes) -> bytes:
        """Log-probabilities of a prompt's tokens."""
        return await _answered(lambda: self._score(frame))

    async def outlooks(self, frame: bytes) -> bytes:
        """What else might have stood there."""
        return await _answered(lambda: self._outlooks(frame))

    async def fork(self, session: str, new: str) -> None:
        """Have a session begin where another stands."""
        await self._engine.fork(session, new)

    async def park(self, session: str) -> None:
        """It may go on or not."""
        self._engine.park(session)

    async def release(self, session: str) -> None:
        """It is over."""
        self._engine.release(session)

    async def _start(self, version: int, parcels: tuple[bytes, ...]) -> Packet:
        import torch

        head, attached = self._asked
        torch.set_num_threads(head["threads"])
        self._module = built(bytes(attached))
        put(self._module, unpacked(parcels))
        self._engine = plugins("engines").build(head["id"], head["options"], self._module)
        await self._engine.start()
        await self._engine.update_weights(version, weights_of(self._module))
        about = {name: getattr(self._engine, name) for name in speech.ABOUT}
        return Packet({"agentgym": VERSION, "pid": os.getpid(), "about": about})

    async def _update(self, version: int, parcels: tuple[bytes, ...]) -> Packet:
        # Between two of the engine's steps: nothing samples while one half of the weights is new.
        put(self._module, unpacked(parcels))
        await self._engine.update_weights(version, weights_of(self._module))
        return Packet({})

    async def _generate(self, frame: bytes) -> Packet:
        prompt, sampling, session = speech.unpack_request(unframed(frame))
        return speech.pack_completion(await self._engine.generate(prompt, sampling, session=session))

    async def _score(self, frame: bytes) -> Packet:
        return Packet({"logprobs": await self._engine.score(speech.unpack_prompt(unframed(frame)))})

    async def _outlooks(self, frame: bytes) -> Packet:
        packet = unframed(frame)
        prompt = speech.unpack_prompt(packet)
        found = await self._engine.outlooks(prompt, packet.head["num"], most=packet.head["most"])
        return Packet({"outlooks": [[list(map(list, each.likeliest)), each.entropy] for each in found]})


async def _answered(work: Callable[[], Awaitable[Packet]]) -> bytes:
    """The packet that ``work`` comes to, or what is wrong: an error of ours by its kind, another with its place."""
    try:
        return framed(await work())
    except AgentGymError as error:
        return framed(Packet({"refused": [type(error).__name__, str(error)]}))
    except Exception as error:
        return framed(Packet({"failed": Failure.of(error)}))
