"""Engines on a cluster behind the face of one: a session goes where its beginning is known, and on from there.

Weights are put into the cluster's shared memory once and taken from there by every engine. One that is lost is made
anew with the weights of the day; whatever was asked of it is asked of another, with the same seed, so that an episode
does not know. Each token says which version sampled it, by the engine that did.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from typing import Any, TypeVar

from agentgym import errors
from agentgym.cluster import speech
from agentgym.cluster.blueprint import blueprint
from agentgym.cluster.connection import Cluster, Lost
from agentgym.cluster.parcels import packed
from agentgym.cluster.replica import Replica
from agentgym.cluster.router import Router
from agentgym.cluster.settings import ClusterSettings
from agentgym.config import Choice
from agentgym.engine import Completion, Engine, NamedWeights, Outlook, Prompt, Sampling
from agentgym.errors import AgentGymError, EngineError, UserError
from agentgym.hosts.failures import Failure, Situation
from agentgym.hosts.processes.frames import Packet, framed, unframed
from agentgym.version import VERSION
from agentgym.weights import weights_of

__all__ = ["ClusterEngine"]

T = TypeVar("T")

_STARTS = 3
"""How often an engine may end while it starts, at the beginning."""
_PATIENCE_SECONDS = 120.0
"""For an engine to be there, where all are lost."""


class ClusterEngine(Engine):
    """``settings.engines`` engines of the kind that ``choice`` names, around models like ``module``.

    ``sessions`` are those that may be under way at once, over all of them; ``threads`` those of torch in each.
    """

    def __init__(
        self, cluster: Cluster, choice: Choice, module: Any, settings: ClusterSettings, *, threads: int | None = None
    ) -> None:
        self._cluster, self._settings = cluster, settings
        self._module: Any = module
        threads = threads or max(1, round(settings.engine_cpus))
        head = {"id": choice.id, "options": choice.options, "threads": threads}
        self._asked = framed(Packet(head, blueprint(module)))
        self._group: Any = None
        self._actors: dict[int, Any] = {}
        """By number, those that serve or are about to."""
        self._places: dict[int, int] = {}
        """Part of the cluster that an engine has."""
        self._numbers = itertools.count()
        self._router: Router[int] = Router()
        self._parcels: list[Any] = []
        self._some = asyncio.Event()
        """Set while an engine serves."""
        self._rebirths: set[asyncio.Task[None]] = set()
        self._why = ""
        """What the last engine that could not be made anew said."""

    # -- the contract --------------------------------------------------------------------------------

    async def start(self) -> None:
        settings = self._settings
        self._group = await self._cluster.set_aside(
            settings.engines, cpus=settings.engine_cpus, gpus=settings.engine_gpus
        )
        self._parcels = await self._put(weights_of(self._module))
        self._module = None  # the learner's; what an engine needs of it is in the blueprint
        heads = await asyncio.gather(*(self._first_born(place) for place in range(settings.engines)))
        for name, value in heads[0]["about"].items():
            setattr(self, name, value)

    async def generate(self, prompt: Prompt, sampling: Sampling, *, session: str) -> Completion:
        frame = framed(speech.pack_request(prompt, sampling, session))
        found = await self._asked_of(lambda: self._router.place(session, prompt.token_ids), "generate", frame)
        return speech.unpack_completion(found)

    async def score(self, prompt: Prompt) -> list[float]:
        packet = await self._asked_of(self._least_busy, "score", framed(speech.pack_prompt(prompt)))
        logprobs: list[float] = packet.head["logprobs"]
        return logprobs

    async def outlooks(self, prompt: Prompt, num: int, *, most: int = 5) -> list[Outlook]:
        frame = framed(speech.pack_prompt(prompt, num=num, most=most))
        found = (await self._asked_of(self._least_busy, "outlooks", frame)).head["outlooks"]
        return [Outlook(tuple((id, logprob) for id, logprob in likeliest), entropy) for likeliest, entropy in found]

    async def update_weights(self, version: int, weights: NamedWeights) -> None:
        self._parcels, self.policy_version = await self._put(weights), version
        self._router.forget()
        await asyncio.gather(*(self._updated(number) for number in list(self._actors)))

    async def fork(self, session: str, new: str) -> None:
        number = self._router.fork(session, new)
        if number is not None:
            self._actors[number].fork.remote(session, new)

    def park(self, session: str) -> None:
        number = self._router.where(session)
        if number is not None:
            self._actors[number].park.remote(session)

    def release(self, session: str) -> None:
        number = self._router.release(session)
        if number is not None:
            self._actors[number].release.remote(session)

    async def close(self) -> None:
        for task in self._rebirths:
            task.cancel()
        await asyncio.gather(*self._rebirths, return_exceptions=True)
        for number in list(self._actors):
            self._router.drop(number)
            self._cluster.kill(self._actors.pop(number))
        if self._group is not None:
            self._cluster.give_back(self._group)
            self._group = None
        self._parcels = []

    # -- asking --------------------------------------------------------------------------------------

    async def _asked_of(self, choose: Callable[[], int], method: str, frame: bytes) -> Packet:
        """The answer of the engine that is chosen, or of the next where that one is lost."""
        while True:
            await self._somebody()
            number = choose()
            actor = self._actors[number]
            try:
                return _read(await self._cluster.asked(getattr(actor, method).remote(frame)))
            except Lost as lost:
                self._bury(number, str(lost))

    async def _somebody(self) -> None:
        """Until an engine serves. Raises EngineError where none does for long."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while not self._actors:  # one that came may have gone again before this goes on
                    await self._some.wait()
        except TimeoutError:
            raise EngineError(
                f"all engines on the cluster are lost, for {_PATIENCE_SECONDS:g} seconds; the last said: {self._why}"
            ) from None

    def _least_busy(self) -> int:
        return min(self._router.sessions, key=lambda number: len(self._router.sessions[number]))

    # -- lives and deaths ----------------------------------------------------------------------------

    async def _first_born(self, place: int) -> dict[str, Any]:
        """An engine at the beginning. Raises EngineError where it ends again and again."""
        for _ in range(_STARTS - 1):
            with contextlib.suppress(Lost):
                return await self._born(place)
        try:
            return await self._born(place)
        except Lost as lost:
            raise EngineError(f"an engine ended while it started, {_STARTS} times: {lost}") from None

    async def _born(self, place: int) -> dict[str, Any]:
        """Make an engine in a part of the cluster, and have it serve; what it said. Raises Lost."""
        settings, number = self._settings, next(self._numbers)
        actor = self._cluster.actor(
            Replica, self._asked, cpus=settings.engine_cpus, gpus=settings.engine_gpus, place=(self._group, place)
        )
        try:
            version = self.policy_version
            head = _read(await self._cluster.asked(actor.start.remote(version, *self._parcels))).head
            if head["agentgym"] != VERSION:
                raise UserError(
                    f"an engine's node has agentgym {head['agentgym']}, this one {VERSION}; install the "
                    "same version on all nodes"
                )
            while version != self.policy_version:  # it was made while weights changed
                version = self.policy_version
                _read(await self._cluster.asked(actor.update.remote(version, *self._parcels)))
        except BaseException:
            self._cluster.kill(actor)
            raise
        self._actors[number], self._places[number] = actor, place
        self._router.add(number)
        self._some.set()
        return head

    async def _updated(self, number: int) -> None:
        try:
            _read(await self._cluster.asked(self._actors[number].update.remote(self.policy_version, *self._parcels)))
        except Lost as lost:
            self._bury(number, str(lost))

    def _bury(self, number: int, why: str) -> None:
        """An engine is lost: have another one made in its place. Without effect where that is known."""
        if (actor := self._actors.pop(number, None)) is None:
            return
        self._why = why
        self._router.drop(number)
        self._cluster.kill(actor)
        if not self._actors:
            self._some.clear()
        task = asyncio.get_running_loop().create_task(self._reborn(self._places.pop(number)))
        self._rebirths.add(task)
        task.add_done_callback(self._rebirths.discard)

    async def _reborn(self, place: int) -> None:
        """Until it serves: its node may be gone, and another one still to come."""
        wait = 0.5
        while True:
            try:
                await self._born(place)
            except AgentGymError as error:
                self._why = str(error)
                await asyncio.sleep(wait)
                wait = min(2 * wait, 10.0)
            else:
                return

    async def _put(self, weights: NamedWeights) -> list[Any]:
        return [await self._cluster.put(parcel) for parcel in packed(weights)]


def _read(data: bytes) -> Packet:
    """An answer. Raises what the far side refused it with, or EngineError for what went wrong there."""
    packet = unframed(data)
    if "refused" in packet.head:
        kind, message = packet.head["refused"]
        raise getattr(errors, kind, EngineError)(message)
    if "failed" in packet.head:
        raise EngineError(str(Failure(*packet.head["failed"]).error(Situation("an engine on the cluster"))))
    return packet
