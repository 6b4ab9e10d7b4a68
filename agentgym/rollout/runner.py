"""Many episodes at once.

The runner is asynchronous. An environment that breaks voids its episode, which is tried again on a fresh environment
with the same seed and, if it breaks again, comes back with ``StopReason.ENV_ERROR`` for the caller to exclude and
count. Episodes that wait for a place get it in the order in which they came, whoever asked.

Where the engine honors seeds, a whole rollout is a pure function of weights, tasks and seeds: every completion has a
seed of its own, derived from the episode's seed and the turn.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any

from agentgym.errors import EnvError
from agentgym.hosts import Host, Hosts, Where, make_hosts
from agentgym.protocol import Protocol
from agentgym.reward import EpisodeReward, Shaper, as_shaper
from agentgym.rollout.actors import Actor
from agentgym.rollout.deadline import ended_by_force, open_in_time
from agentgym.rollout.latencies import Latencies
from agentgym.rollout.play import Play
from agentgym.rollout.shaping import Finish, Weighted, shape, together, weighed
from agentgym.rollout.specs import EpisodeSpec, Limits
from agentgym.stream import TokenStream
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import StopReason, Trajectory

__all__ = ["Rollout", "Seat"]

_DEFAULT_LIMITS = Limits()
_CLOSE_SECONDS = 60.0
"""That an environment which holds up the event loop may take to close, when the run is over."""


@dataclasses.dataclass(slots=True)
class Seat:
    """A host that is lent."""

    host: Host
    is_spoiled: bool = False
    """Its episode was void: it is killed instead of given back."""


class Rollout:
    """Plays episodes of one environment with one protocol, ``concurrency`` at a time.

    Environments are made by ``make_env`` when first needed, where ``where`` says, or by ``hosts`` where there are some
    already, and used again; a broken one is dropped. ``shapers`` are rewards beside the environment's: name, weight,
    shaper. ``beat`` is called at every sign of progress.
    """

    def __init__(
        self,
        make_env: Callable[[], Any],
        tokenizer: ChatTokenizer,
        protocol: Protocol,
        *,
        limits: Limits = _DEFAULT_LIMITS,
        shapers: Iterable[tuple[str, float, Shaper | EpisodeReward]] = (),
        max_context: int,
        concurrency: int = 64,
        where: Where = "loop",
        hosts: Hosts | None = None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self.make_env, self.tokenizer, self.protocol = make_env, tokenizer, protocol.suited(*tokenizer.speech)
        self.limits, self.max_context = limits, max_context
        self.shapers = [Weighted(name, weight, as_shaper(shaper)) for name, weight, shaper in shapers]
        self.concurrency, self.beat = concurrency, beat
        self.hosts: Hosts = hosts or make_hosts(where, make_env)
        self.num_running = 0
        """Episodes that have a place."""
        self.latencies = Latencies()
        """What they waited for."""
        self._idle: list[Host] = []
        self._gate = asyncio.Semaphore(concurrency)

    async def run(
        self,
        specs: Iterable[EpisodeSpec],
        actor: Actor,
        *,
        release: Callable[[str], None] = lambda session: None,
        on_episode: Callable[[Trajectory], None] = lambda trajectory: None,
        limits: Limits | None = None,
        shaped: bool = True,
    ) -> list[Trajectory]:
        """Play every spec; trajectories come back in the order of ``specs``, void ones included.

        ``release`` is told each session that an episode is done with, ``on_episode`` each trajectory once it is
        complete: as it ends, or with its group (see ``shaping``). Without ``shaped`` the environment's reward is all
        there is. Raises UserError when a first observation does not fit the context or a reward is mistaken,
        ValueError when two specs have the same ``episode_id``.
        """
        specs = list(specs)
        for name, count in collections.Counter(spec.episode_id for spec in specs).items():
            if count > 1:
                raise ValueError(f"episode_id {name!r} is given twice: sessions and records go by it")

        limits = limits or self.limits
        finish = Finish(specs, self.shapers if shaped else [], on_episode, seconds=limits.shaping_seconds)

        async def one(spec: EpisodeSpec) -> Trajectory:
            async with self._place():
                trajectory = await self._attempts(spec, actor, release, limits)
            await finish.ended(trajectory)
            return trajectory

        tasks = [asyncio.ensure_future(one(spec)) for spec in specs]
        try:
            if tasks:  # no gather: that would hand on a second cancellation to those that are just ending
                await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in tasks:
                if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                    raise error
            return [task.result() for task in tasks]
        finally:
            for task in tasks:
                task.cancel()
            await _ended(tasks)

    async def shape(self, trajectories: Sequence[Trajectory], *, factors: Mapping[str, float] | None = None) -> None:
        """Give episodes that were played before, group after group, the rewards that they would be given now.

        ``factors`` are of the weights, by name. Raises UserError for one of a reward that there is not.
        """
        shapers = weighed(self.shapers, factors or {})
        groups: dict[str, list[Trajectory]] = {}
        for trajectory in trajectories:
            groups.setdefault(together(trajectory), []).append(trajectory)
        for group in groups.values():
            await shape(group, shapers, seconds=self.limits.shaping_seconds)

    @contextlib.asynccontextmanager
    async def seat(self, *, fresh: bool = False) -> AsyncIterator[Seat]:
        """A host for more than one episode, one after the other; it counts as one episode of ``concurrency``.

        A ``fresh`` one was not played on before. It is given back at the end, or killed where it is spoiled or the body
        raises. Raises EnvError when an environment cannot be made.
        """
        async with self._place(), self._lent(fresh=fresh) as seat:
            yield seat

    def play(
        self,
        host: Host,
        spec: EpisodeSpec,
        actor: Actor,
        *,
        release: Callable[[str], None],
        limits: Limits | None = None,
        attempt: int = 0,
    ) -> Play:
        """An episode that is to be played on ``host``; who plays it releases its last session."""
        trajectory = self.record(spec, attempt)
        trajectory.env = host.name
        return Play(
            host,
            spec,
            actor,
            self.protocol,
            TokenStream(self.tokenizer),
            trajectory,
            limits=limits or self.limits,
            max_context=self.max_context,
            release=release,
            beat=self.beat,
            latencies=self.latencies,
        )

    async def close(self) -> None:
        """Close the idle environments and what they ran on."""
        idle, self._idle = self._idle, []
        for host in idle:
            with ended_by_force(_CLOSE_SECONDS):
                await host.close()
        await self.hosts.close()

    async def _attempts(
        self, spec: EpisodeSpec, actor: Actor, release: Callable[[str], None], limits: Limits
    ) -> Trajectory:
        for attempt in range(limits.max_attempts):
            trajectory = await self._attempt(spec, actor, release, limits, attempt)
            if trajectory.stop_reason is not StopReason.ENV_ERROR:
                break
        return trajectory

    async def _attempt(
        self, spec: EpisodeSpec, actor: Actor, release: Callable[[str], None], limits: Limits, attempt: int
    ) -> Trajectory:
        try:
            async with self._lent(fresh=attempt > 0) as seat:
                play = self.play(seat.host, spec, actor, release=release, limits=limits, attempt=attempt)
                try:
                    await play.run()
                finally:
                    release(play.session)
                seat.is_spoiled = play.trajectory.stop_reason.is_void
                return play.trajectory
        except EnvError as error:  # there is no environment to play on
            trajectory = self.record(spec, attempt)
            trajectory.stop_reason, trajectory.error = StopReason.ENV_ERROR, str(error)
            return trajectory

    def record(self, spec: EpisodeSpec, attempt: int) -> Trajectory:
        """The record of an episode before anything of it is played."""
        return Trajectory(
            env=str(getattr(self.make_env, "id", "")),
            task=spec.task,
            seed=spec.seed,
            episode_id=spec.episode_id,
            group_id=spec.group_id,
            ordinal=spec.ordinal,
            split=spec.split,
            options=dict(spec.options),
            level=spec.level,
            strength=spec.strength,
            shown_turns=spec.shown_turns,
            max_turns=spec.max_turns,
            role=spec.role,
            tokenizer=self.tokenizer.fingerprint,
            attempt=attempt,
        )

    @contextlib.asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """One of ``concurrency``."""
        async with self._gate:
            self.num_running += 1
            try:
                yield
            finally:
                self.num_running -= 1

    async def _taken(self) -> Host:
        """An idle host, or a new one."""
        while self._idle:
            host = self._idle.pop()
            if await self.hosts.keeps(host):
                return host
            with ended_by_force(_CLOSE_SECONDS):
                await host.close()
        return await self._opened()

    async def _opened(self) -> Host:
        return await open_in_time(self.hosts, self.limits.step_seconds, str(getattr(self.make_env, "id", "it")))

    @contextlib.asynccontextmanager
    async def _lent(self, *, fresh: bool = False) -> AsyncIterator[Seat]:
        seat = Seat(await (self._opened() if fresh else self._taken()))
        try:
            yield seat
        except BaseException:
            seat.host.kill()
            raise
        if seat.is_spoiled:
            seat.host.kill()
        else:
            self._idle.append(seat.host)


async def _ended(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Until all of them have come to their end, also when the waiting is cancelled once more.

    Who goes on without them would close what they are still playing on.
    """
    cancelled: asyncio.CancelledError | None = None
    while running := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(running)
        except asyncio.CancelledError as error:
            cancelled = error
    for task in tasks:
        if not task.cancelled():
            task.exception()  # told by whoever asked first; otherwise the loop would complain that nobody did
    if cancelled is not None:
        raise cancelled
