"""From settings to the parts of a run: environment, policy, engine, protocol, rollout.

Everything that can be refused is refused here, before a file is written.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import torch

from agentgym.cluster.connection import Cluster, joined
from agentgym.cluster.hosts import ClusterHosts
from agentgym.corpus import corpus
from agentgym.engine import Completion, Engine
from agentgym.errors import ConfigError, UserError
from agentgym.hosts import Hosts, make_hosts
from agentgym.launch.judging import appoint
from agentgym.launch.models import engine_of, is_served, make_policy, served_policy
from agentgym.launch.prompting import prompted
from agentgym.launch.sampling import refuse_overflow
from agentgym.launch.scout import Scout, sent_ahead
from agentgym.launch.sections import RolloutSettings
from agentgym.launch.settings import TrainSettings
from agentgym.learn.policy import Policy
from agentgym.protocol import Protocol
from agentgym.registry import EnvFactory, plugins
from agentgym.reward import Shaper
from agentgym.rollout import Episode, EpisodeSpec, Limits, Rollout
from agentgym.rollout.deadline import ended_by_force
from agentgym.search import Search

__all__ = ["Parts", "assembled"]

_BYTES_A_TOKEN = 4
"""Roughly: the context of an engine that speaks text is counted in bytes here, and in its own tokens there."""


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """What a run is made of."""

    env: Scout
    """To ask for tasks; episodes are played elsewhere."""
    policy: Policy
    engine: Engine
    protocol: Protocol
    rollout: Rollout
    limits: Limits
    """Of training episodes; evaluation has none but the environment's own."""
    search: Search
    """How the episodes of a task branch, where they do."""
    warning: str = ""
    """What the user is to be told first; nothing mostly."""

    async def publish(self, version: int) -> None:
        """Have the engine sample from the policy's weights as they are."""
        await self.engine.take(version, self.policy.weights())


@contextlib.asynccontextmanager
async def assembled(
    settings: TrainSettings, *, policy_dir: Path | None = None, beat: Callable[[], None] = lambda: None
) -> AsyncIterator[Parts]:
    """All parts of a run, closed at the end.

    ``policy_dir`` holds the policy when a run goes on; ``beat`` is called at every sign of progress.
    """
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    async with contextlib.AsyncExitStack() as closing:
        make_env = EnvFactory(settings.env.id, settings.env.options, settings.augmentations)
        cluster = await _cluster(settings, closing)
        shares_hosts = cluster is not None or settings.rollout.hosts == "processes"
        if cluster is not None:
            hosts: Hosts = ClusterHosts(cluster, make_env)
        else:
            hosts = make_hosts("processes" if shares_hosts else "threads", make_env)
        closing.push_async_callback(hosts.close)
        ahead = sent_ahead(hosts, settings.env.id, settings.rollout.step_seconds)
        env = await closing.enter_async_context(ahead)
        env.is_augmented = bool(settings.augment)
        protocol: Protocol = plugins("protocols").build(settings.protocol.id, settings.protocol.options)
        refuse_overflow(settings.rollout, protocol, settings.protocol.id)
        if is_served(settings):
            engine = engine_of(settings, None)
        else:
            augmented = functools.partial(_augmented, env, settings.env.id) if settings.augment else None
            policy = await make_policy(
                settings.model, env, seed=settings.seed, policy_dir=policy_dir, augmented=augmented
            )
            engine = engine_of(settings, policy.module, cluster)
        closing.push_async_callback(engine.close)
        await engine.start()
        if is_served(settings):
            policy = served_policy(settings.model.id, engine)
        for text in protocol.own_texts:
            policy.tokenizer.spare(text)
        limits = training_limits(settings.rollout)
        shapers = {
            name: plugins("rewards").build(name, reward.options)
            for name, reward in settings.rewards.items()
            if reward.weight
        }
        search = plugins("searches").build(settings.search.id, settings.search.options)
        await appoint(
            [*shapers.values(), search], engine, policy, sessions=settings.rollout.concurrency, closing=closing
        )
        for part in (*shapers.values(), search):
            if isinstance(part, Shaper | Search):
                closing.push_async_callback(part.close)
                await part.open()
        rollout = Rollout(
            make_env,
            policy.tokenizer,
            protocol,
            limits=dataclasses.replace(limits, max_invalid_actions=None),
            shapers=[(name, settings.rewards[name].weight, shaper) for name, shaper in shapers.items()],
            max_context=engine.max_context * (_BYTES_A_TOKEN if engine.speaks_text else 1),
            concurrency=settings.rollout.concurrency,
            where=settings.rollout.hosts,
            hosts=hosts if shares_hosts else None,
            beat=beat,
        )
        closing.push_async_callback(rollout.close)
        closing.push_async_callback(env.close)  # before what it runs on
        rollout.protocol = await prompted(rollout.protocol, env)
        parts = Parts(env, policy, engine, rollout.protocol, rollout, limits, search)
        await env.look()
        tried = await _try_out(parts)
        told = [_on_history(policy), _on_prompt(parts, tried), _on_pictures(parts, settings) if tried.pictures else ""]
        yield dataclasses.replace(parts, warning="\n".join(filter(None, told)))


async def _cluster(settings: TrainSettings, closing: contextlib.AsyncExitStack) -> Cluster | None:
    """The cluster that the settings ask for, which is left when ``closing`` ends."""
    if settings.cluster is None:
        return None
    return await closing.enter_async_context(joined(settings.cluster.address))


async def _augmented(env: Scout, id: str) -> tuple[list[str], list[str]]:
    """What is seen and said at full strength, and the hints, which whoever makes no mistake never sees."""
    env.strength = 1.0
    try:
        observed, said = await corpus(env)
    finally:
        env.strength = 0.0
    hints = getattr(plugins("environments").get(id), "hints", ())
    return observed + [f"Hint: {hint.text}" for hint in hints], said


@dataclasses.dataclass(slots=True)
class _Tried:
    """What a first turn showed."""

    pictures: bool = False
    actions: bool = False
    """The environment listed its actions."""


async def _try_out(parts: Parts) -> _Tried:
    """Play the first turn of a task with an empty reply. Raises UserError if its observation does not fit."""
    tried = _Tried()
    end = parts.policy.tokenizer.stop_token_ids[0]

    async def say_nothing(episode: Episode) -> Completion:
        tried.actions |= episode.observation.admissible is not None
        return Completion(token_ids=[end], logprobs=[0.0], policy_versions=[-1], finish_reason="stop")

    specs = [EpisodeSpec(task=task, seed=0, episode_id="try-out") for task in parts.env.tasks("train")[:1]]
    limits = dataclasses.replace(parts.limits, max_turns=1)
    with ended_by_force(_patience(limits)):  # a hang in the event loop holds up its own deadline, and nobody watches
        tries = await parts.rollout.run(specs, say_nothing, limits=limits)
    for played in tries:
        if played.stop_reason.is_void:
            raise UserError(f'the environment "{parts.env.name}" breaks in its first episodes: {played.error}')
        if played.shaping_error is not None:
            raise UserError(f"{played.shaping_error}; it was tried out on an episode of one turn")
        tried.pictures |= any(turn.media for turn in played.turns)
    return tried


def _patience(limits: Limits) -> float | None:
    """Seconds that a first turn takes at most: to be made, reset and stepped, again and again, and to be shaped."""
    if limits.step_seconds is None or limits.shaping_seconds is None:
        return None
    return limits.max_attempts * 3 * limits.step_seconds + limits.shaping_seconds


def _on_prompt(parts: Parts, tried: _Tried) -> str:
    """What is to be told of options of the prompt that do something else than one may think."""
    prompt, rules, told = parts.protocol.prompt, parts.protocol.rules, []
    if prompt.system is not None and rules and "{rules}" not in prompt.system:
        told.append(f'protocol.system has no {{rules}}, so the policy is not told by us how to reply: "{rules}"')
    if prompt.actions != "hidden" and not tried.actions:
        told.append(f'protocol.actions "{prompt.actions}" shows nothing: "{parts.env.name}" lists no actions at first')
    return "\n".join(told)


def _on_pictures(parts: Parts, settings: TrainSettings) -> str:
    """What is to be told where there are pictures. Raises ConfigError when the engine keeps them from the policy."""
    if parts.engine.speaks_text or parts.engine.supports_images:
        return ""
    if parts.policy.tokenizer.sees_images:
        raise ConfigError(
            f'the engine "{settings.engine.id}" shows no pictures, and the environment "{parts.env.name}" has some; '
            "type: --engine embedded"
        )
    return f'the environment "{parts.env.name}" shows pictures, which this policy does not see: it gets the text alone'


def _on_history(policy: Policy) -> str:
    """What is to be told where a chat template does not keep what was said."""
    rewritten = [name for name in policy.tokenizer.facts.rewritten if name in ("all", "with a thought")]
    if not rewritten:
        return ""
    return (
        f"the chat template rewrites earlier replies ({', '.join(rewritten)}): after each of them the token stream "
        "forks, that is, the next turn begins another sample with the whole conversation"
    )


def training_limits(rollout: RolloutSettings) -> Limits:
    """Limits of training episodes."""
    return Limits(
        max_turns=rollout.max_turns,
        max_reply_tokens=rollout.max_reply_tokens,
        max_invalid_actions=rollout.max_invalid_actions,
        step_seconds=rollout.step_seconds,
        episode_seconds=rollout.episode_seconds,
        shaping_seconds=rollout.shaping_seconds,
        context_tokens=rollout.context_tokens,
        on_overflow=rollout.on_overflow,
        keep_observations=rollout.keep_observations,
    )
