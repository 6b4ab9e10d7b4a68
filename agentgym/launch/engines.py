"""The chosen engine: around the policy's own module, or a server that has the model."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from agentgym.config import Choice
from agentgym.engine import Engine
from agentgym.errors import ConfigError, UserError
from agentgym.launch.settings import TrainSettings, check_options
from agentgym.learn.byte_tokenizer import byte_tokenizer
from agentgym.learn.policy import Policy, load_tokenizer
from agentgym.registry import plugins
from agentgym.tokenizer import ChatTokenizer

__all__ = ["is_served", "make_engine", "policy_source", "refuse_untrainable", "served"]


def make_engine(choice: Choice, module: Any, *, sessions: int, ahead: bool = False) -> Engine:
    """The chosen engine around the policy's module; with ``ahead`` it plays while the module is trained."""
    factory = plugins("engines").get(choice.id)
    known = inspect.signature(factory).parameters
    if "module" not in known:
        raise ConfigError(f'the engine "{choice.id}" has no model behind it; type: --engine embedded')
    check_options("engine", factory, choice.options, skip=("module",))
    copied = {"own_copy": True} if ahead and "own_copy" in known else {}
    engine: Engine = factory(module, **{"max_sessions": sessions, **copied, **choice.options})
    return engine


def policy_source(model: str | Path) -> str:
    """Where a policy is loaded from: a run directory means its trained policy."""
    trained = Path(model) / "policy"
    return str(trained) if trained.is_dir() else str(model)


def is_served(settings: TrainSettings) -> bool:
    """Whether the model is a server's and not on this machine."""
    factory: Any = plugins("engines").get(settings.engine.id)
    is_here = settings.model.id == "nano" or Path(policy_source(settings.model.id)).is_dir()
    return bool(factory.has_own_model) and not is_here


def served(settings: TrainSettings) -> tuple[Policy, Engine]:
    """A policy without a module, and the engine that has it.

    Where the server speaks text, the tokens on record are bytes, which nothing is trained on. Raises ConfigError when
    it takes token ids and the tokenizer is not to be had here.
    """
    choice = settings.engine.model_copy(update={"model": settings.model.id, **settings.engine.options})
    engine = make_engine(choice, None, sessions=settings.rollout.concurrency)
    if engine.speaks_text:
        return Policy(None, ChatTokenizer(byte_tokenizer())), engine
    try:
        return Policy(None, ChatTokenizer(load_tokenizer(settings.model.id))), engine
    except (OSError, ValueError):
        raise ConfigError(
            f'the server takes token ids, and the tokenizer of "{settings.model.id}" is not on this machine; type: '
            "--model DIR with a directory that has it, or --engine.form text"
        ) from None


def refuse_untrainable(engine: Engine) -> None:
    """Raise UserError for an engine that nothing can be trained with, with the reason."""
    if engine.why_untrainable:
        raise UserError(
            f"this engine is for evaluation: {engine.why_untrainable}; to train, type: --engine vllm or "
            "--engine embedded"
        )
