"""Who speaks in an episode: an engine, the environment's expert, or the one and then the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from agentgym.engine import Completion, Engine, Sampling
from agentgym.errors import UserError
from agentgym.hosts import Host
from agentgym.protocol import Protocol
from agentgym.rollout.deadline import in_time
from agentgym.rollout.specs import EpisodeSpec, seed_of
from agentgym.stream import TokenStream
from agentgym.types import Message, Observation, SamplingRecord

__all__ = ["Actor", "Episode", "engine_actor", "expert_actor", "led_actor"]


@dataclasses.dataclass(slots=True)
class Episode:
    """A running episode, as an actor sees it."""

    spec: EpisodeSpec
    host: Host
    stream: TokenStream
    observation: Observation
    messages: list[Message]
    max_tokens: int = 0
    wants_summary: bool = False
    """The next reply is to sum up the episode instead of acting."""
    sampling: SamplingRecord | None = None
    """How a policy that spoke drew its tokens; for the record."""
    step_seconds: float | None = None
    """How long the environment, and its expert with it, may take for an answer."""


Actor: TypeAlias = Callable[[Episode], Awaitable[Completion]]
"""Says the next reply of an episode."""


def engine_actor(
    engine: Engine, *, temperature: float, top_p: float = 1.0, top_k: int = 0, min_p: float = 0.0
) -> Actor:
    """A policy that samples from ``engine``."""
    record = SamplingRecord(temperature=temperature, top_p=top_p, top_k=top_k, min_p=min_p)

    async def act(episode: Episode) -> Completion:
        spec, stream, episode.sampling = episode.spec, episode.stream, record
        sampling = Sampling(
            temperature=temperature,
            top_p=top_p,
            top_k=top_k,
            min_p=min_p,
            max_tokens=episode.max_tokens,
            stop_token_ids=stream.tokenizer.stop_token_ids,
            seed=seed_of(spec.seed, spec.member, stream.num_turns) if engine.supports_seeds else None,
        )
        if engine.speaks_text:
            reply = await engine.chat(episode.messages, sampling, tools=episode.observation.tools)
            return _unsampled(episode, reply)
        return await engine.generate(stream.prompt, sampling, session=f"{spec.episode_id}/{stream.num_forks}")

    return act


def expert_actor(protocol: Protocol) -> Actor:
    """The environment's own expert, speaking the protocol; its log-probabilities are 0 (it is certain)."""

    async def act(episode: Episode) -> Completion:
        if episode.wants_summary:
            return _unsampled(episode, "")  # an expert needs no memory
        asked = episode.host.expert(episode.observation)
        said = await in_time(asked, episode.step_seconds, f"{episode.host.name}: its expert")
        if said is None:
            raise UserError(f"{episode.host.name} has no expert()")
        say = protocol.format if episode.stream.num_turns else protocol.first
        return _unsampled(episode, say(said))

    return act


def led_actor(leader: Actor, follower: Actor) -> Actor:
    """``leader`` says the first ``shown_turns`` replies of an episode, ``follower`` the rest."""

    async def act(episode: Episode) -> Completion:
        leads = episode.stream.num_turns < episode.spec.shown_turns
        return await (leader if leads else follower)(episode)

    return act


def _unsampled(episode: Episode, reply: str) -> Completion:
    """A completion that no policy of ours sampled."""
    tokenizer = episode.stream.tokenizer
    ids = [*tokenizer.encode_reply(reply, after=episode.stream.text), tokenizer.stop_token_ids[0]]
    return Completion(token_ids=ids, logprobs=[0.0] * len(ids), policy_versions=[-1] * len(ids), finish_reason="stop")
