"""From settings to what says and what learns: the policy, the engine that samples from it, a learner of it."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

from agentgym.cluster.connection import Cluster
from agentgym.cluster.engine import ClusterEngine
from agentgym.config import Choice, validated
from agentgym.corpus import Played, corpus
from agentgym.engine import Engine
from agentgym.env import Env
from agentgym.errors import ConfigError
from agentgym.launch import ranks
from agentgym.launch.settings import TrainSettings, engine_defaults
from agentgym.learn.byte_tokenizer import byte_tokenizer
from agentgym.learn.learner import Learner
from agentgym.learn.model_settings import HFSettings
from agentgym.learn.nano import NanoConfig, build_model, build_tokenizer
from agentgym.learn.nano_vision import seeing
from agentgym.learn.policy import Policy, load_policy, load_tokenizer, saved_ends
from agentgym.learn.settings import TrainerSettings
from agentgym.learn.sources import is_adapter, is_here, loading, policy_source
from agentgym.registry import plugins
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import Observation

__all__ = ["engine_of", "is_served", "loaded_policy", "make_engine", "make_learner", "make_policy", "served_policy"]


Augmented: TypeAlias = Callable[[], Awaitable[tuple[list[str], list[str]]]]
"""Plays an environment with its augmentations: what is seen, and what is said."""


async def make_policy(
    model: Choice, env: Env | Played, *, seed: int, policy_dir: Path | None = None, augmented: Augmented | None = None
) -> Policy:
    """The chosen policy: made from nothing, loaded, or taken from where a run left off.

    ``augmented`` plays what else one that is made from nothing is to have words for.
    """
    if model.id != "nano":
        return loaded_policy(model, policy_dir)
    nano = validated(NanoConfig, model.options, where="model")
    if policy_dir is not None:
        return load_policy(policy_dir, device="cpu")
    observed, said = await corpus(env)
    if augmented is not None:
        more_observed, more_said = await augmented()
        observed, said = observed + more_observed, said + more_said
    tokenizer = build_tokenizer(observed, said, nano)
    if any(Observation.of(text).images for text in observed):
        return seeing(tokenizer, nano, seed=seed)
    if idle := nano.model_fields_set & {"image_size", "patch_size", "vision_layers"}:
        raise ConfigError(f'model.{min(idle)} has no effect: the environment "{env.name}" shows no pictures')
    return Policy(build_model(len(tokenizer), nano, seed=seed), ChatTokenizer(tokenizer))


def loaded_policy(model: Choice, policy_dir: Path | None = None) -> Policy:
    """The chosen policy, which is not made from nothing, or the one that a run left in ``policy_dir``."""
    hf = validated(HFSettings, model.options, where="model")
    source = policy_dir or policy_source(model.id)
    wants_new = hf.lora and policy_dir is None and ("lora_rank" in hf.model_fields_set or not is_adapter(source))
    return load_policy(source, device=hf.device, dtype=hf.dtype, lora_rank=hf.lora_rank if wants_new else None)


def make_learner(module: Any, settings: TrainerSettings, **changes: Any) -> Learner:
    """A learner with a trainer's settings, and ``changes`` to them."""
    given = {
        "learning_rate": settings.learning_rate,
        "warmup_updates": settings.warmup_updates,
        "schedule": settings.schedule,
        "precision": settings.precision,
        "gradient_checkpointing": settings.gradient_checkpointing,
        "share_prefixes": settings.share_prefixes,
        "max_tokens_constant": settings.aggregation_tokens,
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "max_microbatch_tokens": settings.max_microbatch_tokens,
        "aggregation": settings.aggregation,
    }
    return Learner(module, **{**given, **changes})


def make_engine(choice: Choice, module: Any, *, sessions: int, ahead: bool = False) -> Engine:
    """The chosen engine around the policy's module; with ``ahead`` it plays while the module is trained."""
    _refuse_no_module(choice)
    options = {**engine_defaults(choice.id, sessions=sessions, ahead=ahead), **choice.options}
    engine: Engine = plugins("engines").build(choice.id, options, module)
    return engine


def engine_of(settings: TrainSettings, module: Any, cluster: Cluster | None = None) -> Engine:
    """The engine of a run, around its policy's module; a server is told which of its models is meant.

    On a ``cluster`` there are as many as its settings say, none of which is the learner's own module. Where that is
    going to be spread over ranks it samples from a copy. Raises ConfigError where it may not.
    """
    choice, sessions, remote = settings.engine, settings.rollout.concurrency, settings.cluster
    is_spread = ranks.is_spread(settings, module)
    if is_spread and choice.options.get("own_copy") is False:
        raise ConfigError(
            "engine.own_copy false: the engine cannot sample from weights that are spread over ranks; leave it out, or "
            "type: --shard off"
        )
    if is_served(settings):
        if remote is not None and remote.model_fields_set & {"engines", "engine_cpus", "engine_gpus"}:
            raise ConfigError(
                "the model is a server's: cluster.engines and their settings have no effect; leave them out"
            )
        choice = choice.model_copy(update={"model": settings.model.id, **choice.options})
    elif cluster is not None and remote is not None and remote.engines:
        _refuse_no_module(choice)
        options = {**engine_defaults(choice.id, sessions=sessions, ahead=False), **choice.options}
        plugins("engines").checked(choice.id, options)
        return ClusterEngine(
            cluster, Choice.model_validate({**options, "id": choice.id}), module, remote, threads=settings.threads
        )
    return make_engine(choice, module, sessions=sessions, ahead=settings.mode != "sync" or is_spread)


def _refuse_no_module(choice: Choice) -> None:
    if "module" not in inspect.signature(plugins("engines").get(choice.id)).parameters:
        raise ConfigError(f'the engine "{choice.id}" has no model behind it; type: --engine embedded')


def is_served(settings: TrainSettings) -> bool:
    """Whether the model is a server's and not on this machine."""
    factory: Any = plugins("engines").get(settings.engine.id)
    is_ours = settings.model.id == "nano" or is_here(policy_source(settings.model.id))
    return bool(factory.has_own_model) and not is_ours


def served_policy(model: str, engine: Engine) -> Policy:
    """A policy without a module, for the engine that has it.

    Where the server speaks text, the tokens on record are bytes, which nothing is trained on. Raises ConfigError when
    it takes token ids and the tokenizer is not to be had here.
    """
    if engine.speaks_text:
        return Policy(None, ChatTokenizer(byte_tokenizer()))
    try:
        tokenizer = load_tokenizer(model)
    except (OSError, ValueError):
        raise ConfigError(
            f'the server takes token ids, and the tokenizer of "{model}" is not on this machine; type: '
            "--model DIR with a directory that has it, or --engine.form text"
        ) from None
    with loading(model):  # a template that cannot be read is told with its file
        return Policy(None, ChatTokenizer(tokenizer, stops=saved_ends(model)))
