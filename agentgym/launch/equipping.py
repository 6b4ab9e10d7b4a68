"""What a stage learns with, made alike on all ranks: the trainer, prepared, and its learners, numbered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from agentgym.engine import Engine
from agentgym.launch.models import make_learner
from agentgym.learn.learner import Learner
from agentgym.learn.policy import Policy
from agentgym.learn.trainer import Equipment, Trainer

__all__ = ["Terms", "equip"]


class Terms(NamedTuple):
    """On which a stage learns."""

    stage: str
    temperature: float
    """That training episodes are sampled at."""
    max_updates: int
    shards: bool
    """Whether weights are spread over ranks."""


def equip(
    trainer: Trainer[Any],
    policy: Policy,
    terms: Terms,
    make_engine: Callable[[Any], Engine],
    *,
    dump_dir: Path | None = None,
) -> list[Learner]:
    """Prepare ``trainer``; returns the learners, the policy's first, each with its place among them."""
    learners: list[Learner] = []

    def make(module: Any, **changes: Any) -> Learner:
        given = {
            "temperature": terms.temperature,
            "total_updates": terms.max_updates * trainer.num_steps,
            "shards": terms.shards,
            "dump_dir": dump_dir,
        }
        learner = make_learner(module, trainer.settings, **{**given, **changes})
        learner.place = len(learners)
        learners.append(learner)
        return learner

    trainer.prepare(
        Equipment(
            learner=make(policy.module),
            make_learner=make,
            make_engine=make_engine,
            tokenizer=policy.tokenizer,
            temperature=terms.temperature,
        )
    )
    return learners
