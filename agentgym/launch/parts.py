"""From settings to the parts of a run: environment, policy, engine, protocol, rollout.

Everything that can be refused is refused here, before a file is written.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import torch

from agentgym.config import Choice, validated
from agentgym.corpus import corpus
from agentgym.engine import Engine
from agentgym.env import Env
from agentgym.errors import ConfigError, UserError
from agentgym.launch.settings import RolloutSettings, TrainSettings
from agentgym.learn.byte_tokenizer import byte_tokenizer
from agentgym.learn.learner import Learner
from agentgym.learn.model_settings import HFSettings
from agentgym.learn.nano import NanoConfig, build_model, build_tokenizer
from agentgym.learn.nano_vision import seeing
from agentgym.learn.policy import Policy, load_policy, load_tokenizer
from agentgym.learn.settings import TrainerSettings
from agentgym.loops import settled
from agentgym.protocol import Protocol
from agentgym.registry import EnvFactory, plugins
from agentgym.rollout import Episode, EpisodeSpec, Limits, Rollout
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import Completion, Observation

__all__ = ["Parts", "assembled", "make_engine", "make_learner", "make_policy", "policy_source"]

_BYTES_A_TOKEN = 4
"""Roughly: the context of an engine that speaks text is counted in bytes here, and in its own tokens there."""


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """What a run is made of."""

    env: Env
    """To ask for tasks; episodes are played elsewhere."""
    policy: Policy
    engine: Engine
    protocol: Protocol
    rollout: Rollout
    limits: Limits
    """Of training episodes; evaluation has none but the environment's own."""
    warning: str = ""
    """What the user is to be told first; nothing mostly."""

    async def publish(self, version: int) -> None:
        """Have the engine sample from the policy's weights as they are."""
        await self.engine.update_weights(version, self.policy.weights())


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
        make_env = EnvFactory(settings.env.id, settings.env.options)
        env = make_env()
        closing.push_async_callback(_close, env)
        protocol: Protocol = plugins("protocols").build(settings.protocol.id, settings.protocol.options)
        if is_served(settings):
            engine = _engine(_of_server(settings), None, settings)
        else:
            policy = await make_policy(settings.model, env, seed=settings.seed, policy_dir=policy_dir)
            engine = _engine(settings.engine, policy.module, settings)
        closing.push_async_callback(engine.close)
        await engine.start()
        if is_served(settings):
            policy = _served_policy(settings.model.id, engine)
        limits = training_limits(settings.rollout)
        rollout = Rollout(
            make_env,
            policy.tokenizer,
            protocol,
            limits=dataclasses.replace(limits, max_invalid_actions=None),
            shapers=[
                (name, reward.weight, plugins("rewards").build(name, reward.options))
                for name, reward in settings.rewards.items()
            ],
            max_context=engine.max_context * (_BYTES_A_TOKEN if engine.speaks_text else 1),
            concurrency=settings.rollout.concurrency,
            where=settings.rollout.hosts,
            beat=beat,
        )
        closing.push_async_callback(rollout.close)
        parts = Parts(env, policy, engine, protocol, rollout, limits)
        shows_pictures = await _try_out(parts)
        yield dataclasses.replace(parts, warning=_on_pictures(parts, settings) if shows_pictures else "")


async def _close(env: Any) -> None:
    await settled(env.close())


async def _try_out(parts: Parts) -> bool:
    """Play the first turn of a task with an empty reply; whether it showed pictures.

    Raises UserError if its observation does not fit.
    """
    shows_pictures = False
    end = parts.policy.tokenizer.stop_token_ids[0]

    async def say_nothing(episode: Episode) -> Completion:
        return Completion(token_ids=[end], logprobs=[0.0], policy_versions=[-1], finish_reason="stop")

    specs = [EpisodeSpec(task=task, seed=0, episode_id="try-out") for task in parts.env.tasks("train")[:1]]
    for played in await parts.rollout.run(specs, say_nothing, limits=dataclasses.replace(parts.limits, max_turns=1)):
        if played.stop_reason.is_void:
            raise UserError(f'the environment "{parts.env.name}" breaks in its first episodes: {played.error}')
        if played.shaping_error is not None:
            raise UserError(f"{played.shaping_error}; it was tried out on an episode of one turn")
        shows_pictures |= any(turn.media for turn in played.turns)
    return shows_pictures


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


# -- policies and their learners -------------------------------------------------------------------------


def policy_source(model: str | Path) -> str:
    """Where a policy is loaded from: a run directory means its trained policy."""
    trained = Path(model) / "policy"
    return str(trained) if trained.is_dir() else str(model)


async def make_policy(model: Choice, env: Env, *, seed: int, policy_dir: Path | None = None) -> Policy:
    """The chosen policy: made from nothing, loaded, or taken from where a run left off."""
    if model.id != "nano":
        hf = validated(HFSettings, model.options, where="model")
        rank = hf.lora_rank if hf.lora and policy_dir is None else None
        return load_policy(policy_dir or policy_source(model.id), device=hf.device, dtype=hf.dtype, lora_rank=rank)
    nano = validated(NanoConfig, model.options, where="model")
    if policy_dir is not None:
        return load_policy(policy_dir, device="cpu")
    observed, said = await corpus(env)
    tokenizer = build_tokenizer(observed, said, nano)
    if any(Observation.of(text).images for text in observed):
        return seeing(tokenizer, nano, seed=seed)
    if idle := nano.model_fields_set & {"image_size", "patch_size", "vision_layers"}:
        raise ConfigError(f'model.{min(idle)} has no effect: the environment "{env.name}" shows no pictures')
    return Policy(build_model(len(tokenizer), nano, seed=seed), ChatTokenizer(tokenizer))


def make_learner(module: Any, settings: TrainerSettings, **changes: Any) -> Learner:
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
    }
    return Learner(module, **{**given, **changes})


# -- engines ---------------------------------------------------------------------------------------------


def make_engine(choice: Choice, module: Any, *, sessions: int, ahead: bool = False) -> Engine:
    """The chosen engine around the policy's module; with ``ahead`` it plays while the module is trained."""
    factory, known = plugins("engines").get(choice.id), plugins("engines").settings(choice.id).model_fields
    if "module" not in inspect.signature(factory).parameters:
        raise ConfigError(f'the engine "{choice.id}" has no model behind it; type: --engine embedded')
    copied = {"own_copy": True} if ahead and "own_copy" in known else {}
    options = {"max_sessions": sessions, **copied, **choice.options}
    engine: Engine = plugins("engines").build(choice.id, options, module)
    return engine


def _engine(choice: Choice, module: Any, settings: TrainSettings) -> Engine:
    return make_engine(choice, module, sessions=settings.rollout.concurrency, ahead=settings.mode != "sync")


def is_served(settings: TrainSettings) -> bool:
    """Whether the model is a server's and not on this machine."""
    factory: Any = plugins("engines").get(settings.engine.id)
    is_here = settings.model.id == "nano" or Path(policy_source(settings.model.id)).is_dir()
    return bool(factory.has_own_model) and not is_here


def _of_server(settings: TrainSettings) -> Choice:
    """The engine, told which of the server's models is meant."""
    return settings.engine.model_copy(update={"model": settings.model.id, **settings.engine.options})


def _served_policy(model: str, engine: Engine) -> Policy:
    """A policy without a module, for the engine that has it.

    Where the server speaks text, the tokens on record are bytes, which nothing is trained on. Raises ConfigError when
    it takes token ids and the tokenizer is not to be had here.
    """
    if engine.speaks_text:
        return Policy(None, ChatTokenizer(byte_tokenizer()))
    try:
        return Policy(None, ChatTokenizer(load_tokenizer(model)))
    except (OSError, ValueError):
        raise ConfigError(
            f'the server takes token ids, and the tokenizer of "{model}" is not on this machine; type: '
            "--model DIR with a directory that has it, or --engine.form text"
        ) from None
