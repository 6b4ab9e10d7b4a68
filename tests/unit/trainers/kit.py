"""Hand-made episodes for tests of what trainers learn from which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from agentgym.learn.learner import Learner
from agentgym.learn.rows import Row
from agentgym.learn.trainer import Equipment, Trainer
from agentgym.types import Role, StopReason, Trajectory, Turn
from tests.kit import chat, sample


def episode(
    rewards: Sequence[float],
    replies: Sequence[Sequence[int]] | None = None,
    *,
    group: str = "a",
    ordinal: int | None = 0,
    name: str = "",
    role: Role = "policy",
    stop: StopReason = StopReason.TERMINATED,
    success: bool = False,
    forks: Sequence[Sequence[Sequence[int]]] = (),
) -> Trajectory:
    """An episode with these rewards of its turns, and two-token replies unless others are given.

    ``forks`` are the replies of each sample, where there are several.
    """
    replies = [[5 + turn, 9] for turn in range(len(rewards))] if replies is None else replies
    return Trajectory(
        env="x",
        task=0,
        seed=0,
        episode_id=name or f"{group}-{sum(rewards)}-{replies}",
        group_id=group,
        ordinal=ordinal,
        role=role,
        turns=[
            Turn(observation=f"seen {turn}", reply="", action=str(reply), reward=reward)
            for turn, (reward, reply) in enumerate(zip(rewards, replies, strict=True))
        ],
        samples=[sample(part, version=-1 if role == "expert" else 0) for part in (forks or [replies])],
        stop_reason=stop,
        terminated=not stop.is_truncated,
        truncated=stop.is_truncated,
        success=success,
    )


def equipped(
    trainer: Trainer[Any], module: Any, *, temperature: float = 1.0, engine: Any = None, max_tokens: int | None = None
) -> Trainer[Any]:
    """``trainer`` prepared to teach ``module``; a further module gets ``engine``."""

    def make_learner(module: torch.nn.Module, **changes: Any) -> Learner:
        taken = ("learning_rate", "aggregation", "max_grad_norm", "share_prefixes")
        given = {name: getattr(trainer.settings, name) for name in taken}
        return Learner(module, **{**given, "max_tokens_constant": max_tokens, **changes})

    trainer.prepare(
        Equipment(
            learner=make_learner(module),
            make_learner=make_learner,
            make_engine=lambda _: engine,
            tokenizer=chat(),
            temperature=temperature,
        )
    )
    return trainer


def moved(module: Any) -> None:
    """Take its weights elsewhere, as training would."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator), alpha=0.05)


def logprobs_of(module: Any, row: Row) -> list[float]:
    """What ``module`` gives each token of ``row``, 0 for the first."""
    ids = torch.tensor(row.token_ids[None]).long()
    with torch.no_grad():
        logprobs = module(input_ids=ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0]
    return [0.0, *logprobs.tolist()]
