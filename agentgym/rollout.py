"""Playing episodes: one policy, many environments at once, every token on record.

The runner is asynchronous; an environment's ``reset`` and ``step`` may be plain or ``async``. A reply that
cannot be parsed does not step the environment: the policy is told what was wrong and the turn is marked. An
environment that breaks voids its episode, which is tried again on a fresh environment with the same seed
and, if it breaks again, comes back with ``StopReason.ENV_ERROR`` for the caller to exclude and count.

A whole rollout is a pure function of weights, tasks and seeds: every completion has a seed of its own,
derived from the episode's seed and the turn. Environments run in the event loop; threads, processes and
deadlines are not here yet.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import hashlib
import inspect
import weakref
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from agentgym.engine import Engine
from agentgym.env import Env, Expert
from agentgym.errors import EnvError, ParseError, UserError
from agentgym.protocol import Protocol
from agentgym.stream import TokenStream
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import Action, Completion, Message, Observation, Sampling, StopReason, TaskId, Trajectory, Turn

__all__ = [
    "Actor",
    "EpisodeSpec",
    "Limits",
    "Rollout",
    "Shaper",
    "engine_actor",
    "expert_actor",
    "led_actor",
    "seed_of",
]

Shaper: TypeAlias = Callable[[Trajectory], Sequence[float]]
"""A reward shaper: one number for each turn of a finished trajectory."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeSpec:
    """What to play. ``seed`` seeds the environment and, together with ``draw``, the sampling."""

    task: TaskId | None
    seed: int
    draw: int = 0
    """Tells apart the members of a group, which share task and environment seed."""
    group_id: str = ""
    ordinal: int | None = None
    """Place of the task in the order of training, for the ledger."""
    preface: str = ""
    """Shown between the instructions and the first observation, for instance another policy's attempt."""
    episode_id: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When an episode is cut."""

    max_turns: int | None = None
    """None takes the environment's own ``max_turns``."""
    max_reply_tokens: int = 64
    max_invalid_actions: int | None = None
    """End the episode at the first invalid action beyond so many; None never does."""
    max_attempts: int = 2
    """How often an episode is begun when its environment breaks."""


@dataclasses.dataclass(slots=True)
class Episode:
    """A running episode, as an actor sees it."""

    spec: EpisodeSpec
    env: Env
    stream: TokenStream
    observation: Observation
    messages: list[Message]
    max_tokens: int = 0


Actor: TypeAlias = Callable[[Episode], Awaitable[Completion]]
"""Says the next reply of an episode."""


def seed_of(*parts: object) -> int:
    """A 63-bit seed that is a pure function of ``parts``."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "big") >> 1


def engine_actor(engine: Engine, *, temperature: float) -> Actor:
    """A policy that samples from ``engine``."""

    async def act(episode: Episode) -> Completion:
        spec, stream = episode.spec, episode.stream
        sampling = Sampling(
            temperature=temperature,
            max_tokens=episode.max_tokens,
            stop_token_ids=stream.tokenizer.stop_token_ids,
            seed=seed_of(spec.seed, spec.draw, stream.num_turns),
        )
        return await engine.generate(stream.token_ids, sampling, session=f"{spec.episode_id}/{stream.num_forks}")

    return act


def expert_actor(protocol: Protocol) -> Actor:
    """The environment's own expert, speaking the protocol; its log-probabilities are 0 (it is certain)."""
    experts: weakref.WeakKeyDictionary[TokenStream, Expert] = weakref.WeakKeyDictionary()

    async def act(episode: Episode) -> Completion:
        if episode.stream.num_turns == 0:
            expert = episode.env.expert()
            if expert is None:
                raise UserError(f"{type(episode.env).__name__} has no expert()")
            experts[episode.stream] = expert
        said = experts[episode.stream](episode.observation)
        tokenizer = episode.stream.tokenizer
        reply = protocol.format(said if isinstance(said, Action) else Action(said))
        ids = [*tokenizer.encode(reply), tokenizer.stop_token_ids[0]]
        return Completion(
            token_ids=ids, logprobs=[0.0] * len(ids), policy_versions=[-1] * len(ids), finish_reason="stop"
        )

    return act


def led_actor(leader: Actor, follower: Actor, turns: Mapping[str, int]) -> Actor:
    """``leader`` says the first ``turns[episode_id]`` replies of an episode, ``follower`` the rest."""

    async def act(episode: Episode) -> Completion:
        leads = episode.stream.num_turns < turns.get(episode.spec.episode_id, 0)
        return await (leader if leads else follower)(episode)

    return act


class Rollout:
    """Plays episodes of one environment with one protocol, ``concurrency`` at a time.

    Environments are made by ``make_env`` when first needed and used again; a broken one is dropped.
    """

    def __init__(
        self,
        make_env: Callable[[], Env],
        tokenizer: ChatTokenizer,
        protocol: Protocol,
        *,
        limits: Limits = Limits(),
        shapers: Iterable[tuple[str, float, Shaper]] = (),
        max_context: int,
        concurrency: int = 64,
    ) -> None:
        self.make_env, self.tokenizer, self.protocol = make_env, tokenizer, protocol
        self.limits, self.shapers, self.max_context = limits, list(shapers), max_context
        self.concurrency = concurrency
        self._idle: list[Env] = []

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
        gate = asyncio.Semaphore(self.concurrency)

        async def one(spec: EpisodeSpec) -> Trajectory:
            async with gate:
                trajectory = await self._attempts(spec, actor, release, limits or self.limits)
                on_episode(trajectory)
                return trajectory

        tasks = [asyncio.ensure_future(one(spec)) for spec in specs]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def close(self) -> None:
        """Close the idle environments."""
        while self._idle:
            self._idle.pop().close()

    async def _attempts(
        self, spec: EpisodeSpec, actor: Actor, release: Callable[[str], None], limits: Limits
    ) -> Trajectory:
        trajectory: Trajectory | None = None
        for attempt in range(limits.max_attempts):
            env = self._idle.pop() if self._idle and attempt == 0 else self.make_env()
            stream = TokenStream(self.tokenizer)
            trajectory = Trajectory(
                env=env.name,
                task=spec.task,
                seed=spec.seed,
                episode_id=spec.episode_id,
                group_id=spec.group_id,
                ordinal=spec.ordinal,
                tokenizer=self.tokenizer.fingerprint,
                attempt=attempt,
            )
            try:
                await _Play(self, env, spec, actor, stream, trajectory, limits, release).run()
            except BaseException:
                _discard(env)
                raise
            finally:
                release(f"{spec.episode_id}/{stream.num_forks}")
            if trajectory.stop_reason is not StopReason.ENV_ERROR:
                self._idle.append(env)
                break
            _discard(env)
        assert trajectory is not None
        for name, weight, shaper in self.shapers:
            _shape(trajectory, name, weight, shaper)
        return trajectory


def _discard(env: Env) -> None:
    """Close an environment that is not used again, whatever state it is in."""
    with contextlib.suppress(Exception):
        env.close()


class _Play:
    """One attempt at one episode."""

    def __init__(
        self,
        rollout: Rollout,
        env: Env,
        spec: EpisodeSpec,
        actor: Actor,
        stream: TokenStream,
        trajectory: Trajectory,
        limits: Limits,
        release: Callable[[str], None],
    ) -> None:
        self.rollout, self.env, self.spec, self.actor = rollout, env, spec, actor
        self.protocol, self.stream, self.trajectory, self.limits = rollout.protocol, stream, trajectory, limits
        self.release = release
        self.num_invalid = 0

    async def run(self) -> None:
        try:
            await self._play()
        except EnvError as error:
            self.trajectory.error = str(error)
            self._stop(StopReason.ENV_ERROR)
        self.trajectory.samples = self.stream.samples

    async def _play(self) -> None:
        options = None if self.spec.task is None else {"task": self.spec.task}
        observation, _ = await self._call(self.env.reset, seed=self.spec.seed, options=options)
        instructions = "\n\n".join(filter(None, (self.env.instructions, self.spec.preface)))
        episode = Episode(self.spec, self.env, self.stream, observation, self.protocol.opening(instructions))
        episode.messages.append(self.protocol.show(observation))
        max_turns = self.limits.max_turns or self.env.max_turns
        while True:
            num_forks = self.stream.num_forks
            self.stream.extend(episode.messages, episode.observation.tools)
            if self.stream.num_forks > num_forks:
                self.release(f"{self.spec.episode_id}/{num_forks}")
            if not self._fits(episode):
                return self._stop(StopReason.CONTEXT_LIMIT, episode.observation)
            if await self._turn(episode):
                return None
            if len(self.trajectory.turns) >= max_turns:
                return self._stop(StopReason.TURN_LIMIT, episode.observation)

    def _fits(self, episode: Episode) -> bool:
        room = self.rollout.max_context - len(self.stream.token_ids)
        if room < 1 and not self.trajectory.turns:
            raise UserError(
                f"the first observation takes {len(self.stream.token_ids)} tokens, the context holds "
                f"{self.rollout.max_context}; choose a larger --engine.max_context (or a model with a longer context)"
            )
        episode.max_tokens = min(self.limits.max_reply_tokens, room)
        return room >= 1

    async def _turn(self, episode: Episode) -> bool:
        """One reply and its consequence; True when the episode is over."""
        completion = await self.actor(episode)
        self.stream.append(completion)
        reply = self.stream.tokenizer.decode_reply(completion.token_ids)
        turn = Turn(observation=str(episode.observation), reply=reply)
        self.trajectory.turns.append(turn)
        episode.messages.append(self.protocol.said(reply))
        try:
            action = self.protocol.parse(reply)
        except ParseError as error:
            turn.error = str(error)
            episode.messages.append(self.protocol.complain(str(error)))
            return self._too_many_invalid(episode)
        return await self._step(episode, turn, action)

    async def _step(self, episode: Episode, turn: Turn, action: Action) -> bool:
        turn.action = str(action)
        observation, reward, terminated, truncated, info = await self._call(self.env.step, action)
        turn.reward, turn.breakdown = reward, {"environment": reward}
        episode.observation = observation
        episode.messages.append(self.protocol.show(observation))
        if terminated or truncated:
            self.trajectory.success = bool(info.get("success", self.trajectory.reward >= 1))
            self._stop(StopReason.TERMINATED if terminated else StopReason.TRUNCATED, observation)
            return True
        if "invalid_action" in info:
            turn.error = str(info["invalid_action"])
            return self._too_many_invalid(episode)
        return False

    def _too_many_invalid(self, episode: Episode) -> bool:
        self.num_invalid += 1
        limit = self.limits.max_invalid_actions
        if limit is None or self.num_invalid <= limit:
            return False
        self._stop(StopReason.INVALID_LIMIT, episode.observation)
        return True

    def _stop(self, reason: StopReason, observation: str = "") -> None:
        self.trajectory.stop_reason = reason
        self.trajectory.terminated = reason in (StopReason.TERMINATED, StopReason.INVALID_LIMIT)
        self.trajectory.truncated = reason.is_truncated
        self.trajectory.final_observation = str(observation)

    async def _call(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call into the environment: whatever it raises becomes an EnvError."""
        try:
            result = method(*args, **kwargs)
            return await result if inspect.isawaitable(result) else result
        except (EnvError, UserError):
            raise
        except Exception as error:
            raise EnvError(f"{type(self.env).__name__} raised {type(error).__name__}: {error}") from error


def _shape(trajectory: Trajectory, name: str, weight: float, shaper: Shaper) -> None:
    """Add a shaper's numbers to the turns' rewards, under its own channel."""
    values = shaper(trajectory)
    if len(values) != len(trajectory.turns):
        raise UserError(
            f'reward "{name}" gave {len(values)} numbers for {len(trajectory.turns)} turns, expected one for each'
        )
    turns = []
    for turn, value in zip(trajectory.turns, values, strict=True):
        breakdown = {**turn.breakdown, name: weight * value}
        turns.append(Turn(**{**dict(turn), "reward": turn.reward + weight * value, "breakdown": breakdown}))
    trajectory.turns = turns
