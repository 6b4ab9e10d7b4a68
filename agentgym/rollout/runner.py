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
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from agentgym.errors import EnvError, UserError
from agentgym.hosts import Host, Hosts, Where, make_hosts
from agentgym.protocol import Protocol
from agentgym.rollout.actors import Actor
from agentgym.rollout.play import Play
from agentgym.rollout.specs import EpisodeSpec, Limits
from agentgym.stream import TokenStream
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import StopReason, Trajectory, Turn

__all__ = ["Rollout", "Shaper"]

Shaper: TypeAlias = Callable[[Trajectory], Sequence[float]]
"""A reward shaper: one number for each turn of a finished trajectory."""

_DEFAULT_LIMITS = Limits()


class Rollout:
    """Plays episodes of one environment with one protocol, ``concurrency`` at a time.

    Environments are made by ``make_env`` when first needed, where ``where`` says, and used again; a broken one is
    dropped. ``beat`` is called at every sign of progress.
    """

    def __init__(
        self,
        make_env: Callable[[], Any],
        tokenizer: ChatTokenizer,
        protocol: Protocol,
        *,
        limits: Limits = _DEFAULT_LIMITS,
        shapers: Iterable[tuple[str, float, Shaper]] = (),
        max_context: int,
        concurrency: int = 64,
        where: Where = "loop",
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self.make_env, self.tokenizer, self.protocol = make_env, tokenizer, protocol
        self.limits, self.shapers, self.max_context = limits, list(shapers), max_context
        self.concurrency, self.beat = concurrency, beat
        self.hosts: Hosts = make_hosts(where, make_env)
        self.num_running = 0
        """Episodes that have a place."""
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
    ) -> list[Trajectory]:
        """Play every spec; trajectories come back in the order of ``specs``, void ones included.

        ``release`` is told each session that an episode is done with, ``on_episode`` each trajectory as it
        ends. Raises UserError when a first observation does not fit the context, ValueError when two specs have
        the same ``episode_id``.
        """
        specs = list(specs)
        for name, count in collections.Counter(spec.episode_id for spec in specs).items():
            if count > 1:
                raise ValueError(f"episode_id {name!r} is given twice: sessions and records go by it")

        async def one(spec: EpisodeSpec) -> Trajectory:
            async with self._gate:
                self.num_running += 1
                try:
                    trajectory = await self._attempts(spec, actor, release, limits or self.limits)
                finally:
                    self.num_running -= 1
                on_episode(trajectory)
                return trajectory

        tasks = [asyncio.ensure_future(one(spec)) for spec in specs]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """Close the idle environments and what they ran on."""
        idle, self._idle = self._idle, []
        for host in idle:
            await host.close()
        await self.hosts.close()

    async def _attempts(
        self, spec: EpisodeSpec, actor: Actor, release: Callable[[str], None], limits: Limits
    ) -> Trajectory:
        for attempt in range(limits.max_attempts):
            trajectory = await self._attempt(spec, actor, release, limits, attempt)
            if trajectory.stop_reason is not StopReason.ENV_ERROR:
                break
        for name, weight, shaper in self.shapers:
            _shape(trajectory, name, weight, shaper)
        return trajectory

    async def _attempt(
        self, spec: EpisodeSpec, actor: Actor, release: Callable[[str], None], limits: Limits, attempt: int
    ) -> Trajectory:
        stream = TokenStream(self.tokenizer)
        trajectory = Trajectory(
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
            role=spec.role,
            tokenizer=self.tokenizer.fingerprint,
            attempt=attempt,
        )
        try:
            host = self._idle.pop() if self._idle and attempt == 0 else await self.hosts.open()
        except EnvError as error:
            trajectory.stop_reason, trajectory.error = StopReason.ENV_ERROR, str(error)
            return trajectory
        trajectory.env = host.name
        play = Play(
            host,
            spec,
            actor,
            self.protocol,
            stream,
            trajectory,
            limits=limits,
            max_context=self.max_context,
            release=release,
            beat=self.beat,
        )
        try:
            await play.run()
        except BaseException:
            host.kill()
            raise
        finally:
            release(f"{spec.episode_id}/{stream.num_forks}")
        if trajectory.stop_reason.is_void:
            host.kill()
        else:
            self._idle.append(host)
        return trajectory


def _shape(trajectory: Trajectory, name: str, weight: float, shaper: Shaper) -> None:
    """Add a shaper's numbers to the turns' rewards, under its own channel."""
    values = shaper(trajectory)
    if not isinstance(values, Sequence):
        raise UserError(f'reward "{name}" gave {values!r:.80}, expected a list with one number for each turn')
    if len(values) != len(trajectory.turns):
        raise UserError(
            f'reward "{name}" gave {len(values)} numbers for {len(trajectory.turns)} turns, expected one for each'
        )
    turns = []
    for turn, value in zip(trajectory.turns, values, strict=True):
        breakdown = {**turn.breakdown, name: weight * value}
        turns.append(Turn(**{**dict(turn), "reward": turn.reward + weight * value, "breakdown": breakdown}))
    trajectory.turns = turns
