"""What sleeps in place of what computes: environments with latency, a learner on another device."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import torch

import agentgym
from agentgym.curricula.uniform import Uniform
from agentgym.curriculum import Curriculum
from agentgym.engine import Engine
from agentgym.groups import group_specs
from agentgym.learn.batch import Microbatch
from agentgym.learn.byte_tokenizer import byte_tokenizer
from agentgym.learn.forward import Predictions
from agentgym.learn.loop import Loop
from agentgym.learn.objectives.estimator import Metrics
from agentgym.learn.players import Players
from agentgym.learn.rows import rows_of
from agentgym.learn.trainer import Lesson, Trainer, TrainerSettings
from agentgym.rollout import EpisodeSpec, Limits, Rollout
from agentgym.scheduler import Scheduler
from agentgym.simulation import Durations, Lognormal
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import Trajectory

TOKENIZER = ChatTokenizer(byte_tokenizer())
REPLY = [*TOKENIZER.encode("go on"), TOKENIZER.stop_token_ids[0]]


class Sleepy(agentgym.Env):
    """Every step takes a time of its own, the same for the same seed; ends after ``turns``."""

    turns: ClassVar[int] = 6
    latency: ClassVar[Durations] = Lognormal(mean=0.1, sigma=1.0)

    def __init__(self) -> None:
        self.max_turns = self.turns

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.latencies = self.drawn(seed or 0)
        return "You are asked to go on.", {}

    @classmethod
    def drawn(cls, seed: int) -> list[float]:
        """Seconds of each step."""
        return [float(each) for each in cls.latency.draw(np.random.default_rng(seed), cls.turns)]

    async def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:  # type: ignore[override]
        await asyncio.sleep(self.latencies.pop(0))
        return "You went on. Go on.", 0.0, not self.latencies, False, {}


class Sleeper(Trainer[TrainerSettings]):
    """Takes groups as they come and learns by sleeping for ``seconds``."""

    Settings = TrainerSettings

    def __init__(self, seconds: float, groups: int, group_size: int) -> None:
        super().__init__(TrainerSettings())
        self.seconds, self.groups, self.group_size = seconds, groups, group_size
        self.equipment: Any = SimpleNamespace(tokenizer=TOKENIZER)

    def specs(self, update: int, draws: Curriculum) -> list[EpisodeSpec]:
        return group_specs(draws, update, groups=self.groups, group_size=self.group_size)

    def lesson(self, update: int, trajectories: Sequence[Trajectory]) -> Lesson:
        return Lesson([row for trajectory in trajectories for row in rows_of(trajectory, 0.0)])

    def learn(self, update: int, lesson: Lesson) -> dict[str, float]:
        time.sleep(self.seconds)
        return {}

    def objective(self, predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        raise NotImplementedError("it sleeps")


def sleeping_loop(
    trainer: Sleeper, rollout: Rollout, engine: Engine, *, max_staleness: int, in_order: bool, num_updates: int
) -> Loop:
    """The real one, with a learner that has nothing to learn."""
    players = Players(rollout, engine, Uniform(range(1000), seed=0), limits=Limits())
    scheduler = None
    if max_staleness:
        scheduler = Scheduler(
            lambda update: trainer.specs(update, players.draws),
            players.policy,
            max_staleness=max_staleness,
            in_order=in_order,
            num_updates=num_updates,
        )
    learner: Any = SimpleNamespace(
        module=SimpleNamespace(config=None),
        weights=lambda: iter(()),
        score=lambda rows: [np.zeros(len(row.token_ids)) for row in rows],
    )
    return Loop(trainer, learner, players, engine, scheduler=scheduler)
