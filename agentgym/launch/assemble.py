"""From settings to the parts of a run: environment, policy, engine, protocol, rollout.

Everything that can be refused is refused here, before a file is written.
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from agentgym.config import Choice, validated
from agentgym.engine import Engine
from agentgym.env import Env
from agentgym.errors import ConfigError, UserError
from agentgym.launch.engines import is_served, make_engine, policy_source, served
from agentgym.launch.settings import HFSettings, RolloutSettings, TrainSettings, check_options
from agentgym.learn.learner import Learner
from agentgym.learn.nano import NanoConfig, build_model, build_tokenizer
from agentgym.learn.policy import Policy, load_policy
from agentgym.learn.trainer import Trainer, TrainerSettings
from agentgym.protocol import Protocol
from agentgym.registry import EnvFactory, plugins
from agentgym.rollout import Episode, EpisodeSpec, Limits, Rollout
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import Completion, Observation, StepResult

__all__ = [
    "Parts",
    "assemble",
    "env_factory",
    "make_learner",
    "make_protocol",
    "make_trainer",
    "settled",
]

_BYTES_A_TOKEN = 4
"""Roughly: the context of an engine that speaks text is counted in bytes here, and in its own tokens there."""


@dataclasses.dataclass(slots=True)
class Parts:
    """What a run is made of."""

    make_env: Callable[[], Env]
    env: Env
    policy: Policy
    engine: Engine
    protocol: Protocol
    rollout: Rollout
    limits: Limits
    """Of training episodes; evaluation has none but the environment's own."""


def env_factory(env: Choice) -> EnvFactory:
    """Makes the chosen environment."""
    return EnvFactory(env.id, env.options)


def make_protocol(choice: Choice) -> Protocol:
    """The chosen protocol."""
    factory = plugins("protocols").get(choice.id)
    check_options("protocol", factory, choice.options)
    protocol: Protocol = factory(**choice.options)
    return protocol


def make_trainer(choice: Choice) -> Trainer[Any]:
    """The chosen trainer with its settings."""
    factory: Any = plugins("trainers").get(choice.id)
    trainer: Trainer[Any] = factory(validated(factory.Settings, choice.options, where="trainer"))
    return trainer


def assemble(settings: TrainSettings, *, policy_dir: Path | None = None) -> Parts:
    """All parts of a training run; ``policy_dir`` holds the policy when a run goes on."""
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    make_env = env_factory(settings.env)
    env = make_env()
    assert settings.protocol is not None
    protocol = make_protocol(settings.protocol)
    if is_served(settings):
        policy, engine = served(settings)
    else:
        policy = make_policy(settings.model, env, seed=settings.seed, policy_dir=policy_dir)
        engine = make_engine(
            settings.engine, policy.module, sessions=settings.rollout.concurrency, ahead=settings.mode != "sync"
        )
    parts = _parts(make_env, env, policy, engine, protocol, settings)
    asyncio.run(_try_out(parts))
    return parts


def _parts(
    make_env: Callable[[], Env], env: Env, policy: Policy, engine: Engine, protocol: Protocol, settings: TrainSettings
) -> Parts:
    limits = training_limits(settings.rollout)
    shapers = [(name, weight, plugins("rewards").get(name)) for name, weight in settings.rewards.items()]
    rollout = Rollout(
        make_env,
        policy.tokenizer,
        protocol,
        limits=dataclasses.replace(limits, max_invalid_actions=None),
        shapers=shapers,
        max_context=engine.max_context * (_BYTES_A_TOKEN if engine.speaks_text else 1),
        concurrency=settings.rollout.concurrency,
        where=settings.rollout.hosts,
    )
    return Parts(make_env, env, policy, engine, protocol, rollout, limits)


async def _try_out(parts: Parts) -> None:
    """Play the first turn of a task with an empty reply. Raises UserError if its observation does not fit."""
    end = parts.policy.tokenizer.stop_token_ids[0]

    async def say_nothing(episode: Episode) -> Completion:
        return Completion(token_ids=[end], logprobs=[0.0], policy_versions=[-1], finish_reason="stop")

    specs = [EpisodeSpec(task=task, seed=0, episode_id="try-out") for task in parts.env.tasks("train")[:1]]
    try:
        for played in await parts.rollout.run(
            specs, say_nothing, limits=dataclasses.replace(parts.limits, max_turns=1)
        ):
            if played.stop_reason.is_void:
                raise UserError(f'the environment "{parts.env.name}" breaks in its first episodes: {played.error}')
    finally:
        await parts.rollout.close()


def training_limits(rollout: RolloutSettings) -> Limits:
    """Limits of training episodes."""
    return Limits(
        max_turns=rollout.max_turns,
        max_reply_tokens=rollout.max_reply_tokens,
        max_invalid_actions=rollout.max_invalid_actions,
        step_seconds=rollout.step_seconds,
        episode_seconds=rollout.episode_seconds,
        context_tokens=rollout.context_tokens,
        on_overflow=rollout.on_overflow,
        keep_observations=rollout.keep_observations,
    )


def make_policy(model: Choice, env: Env, *, seed: int, policy_dir: Path | None = None) -> Policy:
    """The chosen policy: made from nothing, loaded, or taken from where a run left off."""
    if model.id != "nano":
        hf = validated(HFSettings, model.options, where="model")
        if "lora_rank" in hf.model_fields_set and not hf.lora:
            raise ConfigError("model.lora_rank has no effect without LoRA; add --lora")
        rank = hf.lora_rank if hf.lora and policy_dir is None else None
        return load_policy(policy_dir or policy_source(model.id), device=hf.device, dtype=hf.dtype, lora_rank=rank)
    nano = validated(NanoConfig, model.options, where="model")
    if policy_dir is not None:
        return load_policy(policy_dir, device="cpu")
    tokenizer = build_tokenizer(*corpus(env), nano)
    return Policy(build_model(len(tokenizer), nano, seed=seed), ChatTokenizer(tokenizer))


def make_learner(
    module: Any, settings: TrainerSettings, *, temperature: float, dump_dir: Path, **changes: Any
) -> Learner:
    """A learner with a trainer's settings, and ``changes`` to them."""
    given = {
        "learning_rate": settings.learning_rate,
        "warmup_updates": settings.warmup_updates,
        "schedule": settings.schedule,
        "precision": settings.precision,
        "gradient_checkpointing": settings.gradient_checkpointing,
        "max_tokens_constant": settings.aggregation_tokens,
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "max_microbatch_tokens": settings.max_microbatch_tokens,
        "aggregation": settings.aggregation,
        "temperature": temperature,
        "dump_dir": dump_dir,
    }
    return Learner(module, **{**given, **changes})


def corpus(env: Env) -> tuple[list[str], list[str]]:
    """What the environment shows in training tasks and what is said there, by its expert or at random."""
    try:
        return asyncio.run(_corpus(env))
    except UserError:
        raise
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
        raise UserError(f'the environment "{env.name}" breaks in its first episodes: {problem}') from error


async def _corpus(env: Env) -> tuple[list[str], list[str]]:
    observed, said = [env.instructions], []
    rng = np.random.default_rng(0)
    tasks = env.tasks("train")
    for number in range(min(env.corpus_episodes, len(tasks))):
        observation = Observation.of((await settled(env.reset(seed=number, options={"task": tasks[number]})))[0])
        observed.append(observation)
        expert = env.expert()
        for _ in range(env.max_turns):
            action = expert(observation) if expert else _any_action(observation, rng)
            said.append(str(action))
            observation, _, terminated, truncated, _ = cast(StepResult, await settled(env.step(action)))
            observed.append(observation)
            if terminated or truncated:
                break
    return observed, said


async def settled(result: Any) -> Any:
    """What ``reset`` or ``step`` returned, also where the environment is async."""
    return await result if inspect.isawaitable(result) else result


def _any_action(observation: Observation, rng: np.random.Generator) -> str:
    """One that would have an effect where they are listed, otherwise a word that was shown."""
    choices = observation.admissible or observation.split() or [""]
    return str(choices[int(rng.integers(len(choices)))])
