"""Two copies that learn together (CORY, arXiv 2410.06101): a pioneer, and an observer who sees what the pioneer did.

Each plays the task; the observer is shown the pioneer's actions first. Both receive the sum of both rewards, each
learns on its own, and every few updates they swap roles, so that neither comes to depend on being shown the answer.
The policy of the run is the first of the two. Departs from the paper, which runs PPO on single replies, in comparing
the episodes of a group, as grpo does. As in the paper, a KL penalty is to each copy's own beginning.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from agentgym.curriculum import Curriculum
from agentgym.engine import Engine
from agentgym.groups import Group
from agentgym.learn.advantages import group_zscore
from agentgym.learn.group_trainer import GroupTrainer, GroupTrainerSettings
from agentgym.learn.players import Players
from agentgym.learn.rows import teaches
from agentgym.learn.trainer import Equipment, Lesson, Trainer
from agentgym.registry import register
from agentgym.rollout import EpisodeSpec
from agentgym.types import Role, Trajectory

if TYPE_CHECKING:
    import torch

    from agentgym.learn.batch import Microbatch
    from agentgym.learn.forward import Predictions
    from agentgym.learn.learner import Learner
    from agentgym.learn.objectives.estimator import Metrics

__all__ = ["CORY", "CORYSettings"]

_ROLES: tuple[Role, Role] = "policy", "partner"


class CORYSettings(GroupTrainerSettings):
    """Settings of ``cory``."""

    swap_every: int = Field(5, ge=1)
    """Updates between two swaps of the roles."""


class _Copy(GroupTrainer[CORYSettings]):
    """One of the two."""

    Settings = CORYSettings

    def compare(self, group: Group, rewards: Sequence[float]) -> list[float]:
        return group_zscore(rewards)


@register
class CORY(Trainer[CORYSettings]):
    """Learn as one of two who share their rewards."""

    Settings = CORYSettings
    nano = GroupTrainer.nano
    idle: tuple[float, float] = (0.0, 0.0)
    """Episodes of either copy that have no rows in the lesson under way and yet count."""

    def prepare(self, equipment: Equipment) -> None:
        super().prepare(equipment)
        partner = equipment.learner.clone()
        self.engine: Engine = equipment.make_engine(partner)  # before its weights may be spread over processes
        learners = equipment.learner, equipment.make_learner(partner)
        self.copies = [_Copy(self.settings) for _ in learners]
        for member, learner in zip(self.copies, learners, strict=True):
            member.prepare(dataclasses.replace(equipment, learner=learner))

    def learners(self) -> dict[str, Learner]:
        return {"partner": self.copies[1].equipment.learner}

    def modules(self) -> dict[str, torch.nn.Module]:
        names = ("", "partner_")
        return {
            prefix + name: module
            for prefix, member in zip(names, self.copies, strict=True)
            for name, module in member.modules().items()
        }

    def state(self) -> dict[str, Any]:
        return {"copies": [member.state() for member in self.copies]}

    def load_state(self, state: dict[str, Any]) -> None:
        for member, own in zip(self.copies, state.get("copies", ({}, {})), strict=True):
            member.load_state(own)

    async def open(self) -> None:
        await self.engine.start()

    async def close(self) -> None:
        await self.engine.close()

    @property
    def why_no_search(self) -> str:
        return "it pairs the episodes of its copies one by one"

    def specs(self, update: int, draws: Curriculum) -> list[EpisodeSpec]:
        return self.settings.group_specs(draws, update)

    def num_played(self, draws: Curriculum) -> tuple[int, int]:
        return 2 * len(self.specs(0, draws)), 0

    async def play(self, update: int, players: Players) -> list[Trajectory]:
        """The pioneer's episodes, then the observer's of the same tasks."""
        await self.engine.update_weights(update, self.copies[1].equipment.learner.weights())
        engines = players.engine, self.engine
        pioneer = update // self.settings.swap_every % 2
        specs = [dataclasses.replace(spec, role=_ROLES[pioneer]) for spec in self.specs(update, players.draws)]
        shown = await players.policy(specs, engine=engines[pioneer])
        observing = [_observing(spec, episode, _ROLES[1 - pioneer]) for spec, episode in zip(specs, shown, strict=True)]
        return shown + await players.policy(observing, engine=engines[1 - pioneer])

    def lesson(self, update: int, trajectories: Sequence[Trajectory]) -> Lesson:
        played_by = [[episode for episode in trajectories if episode.role == role] for role in _ROLES]
        both = [(own, partner) for own, partner in zip(*played_by, strict=True) if not (own.unfit or partner.unfit)]
        shared = [_sharing(one, other) for one, other in both], [_sharing(other, one) for one, other in both]
        own, partner = (member.lesson(update, episodes) for member, episodes in zip(self.copies, shared, strict=True))
        rejected = {n: reason for n, reason in own.rejected.items() if n in partner.rejected}
        played = {first.ordinal for first, _ in both}
        left_out = [t for t in trajectories if t.unfit and t.ordinal is not None and t.ordinal not in played]
        rejected |= {t.ordinal: t.unfit for t in left_out if t.ordinal is not None}
        self.idle = own.idle, partner.idle
        return Lesson([*own.rows, *partner.rows], own.metrics | _of_partner(partner.metrics), rejected, sum(self.idle))

    def learn(self, update: int, lesson: Lesson) -> dict[str, float]:
        rows_by = [[row for row in lesson.rows if row.role == role] for role in _ROLES]
        own, partner = (
            member.learn(update, Lesson(rows, idle=idle)) if teaches(rows) else {}
            for member, rows, idle in zip(self.copies, rows_by, self.idle, strict=True)
        )
        return own | _of_partner(partner)

    def objective(self, predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        return self.copies[0].objective(predictions, batch)


def _observing(spec: EpisodeSpec, shown: Trajectory, role: Role) -> EpisodeSpec:
    """The observer's episode of the same task, in a group of its own."""
    actions = "\n".join(turn.action for turn in shown.turns if turn.action is not None)
    return dataclasses.replace(
        spec,
        episode_id=f"observer-{spec.episode_id}",
        group_id=f"observer-{spec.group_id}",
        role=role,
        preface=actions,
    )


def _sharing(own: Trajectory, other: Trajectory) -> Trajectory:
    """``own`` with the other's reward on its last turn."""
    last = own.turns[-1]
    total = last.model_copy(
        update={"reward": last.reward + other.reward, "breakdown": {**last.breakdown, "partner": other.reward}}
    )
    return own.model_copy(update={"turns": [*own.turns[:-1], total]})


def _of_partner(metrics: dict[str, float]) -> dict[str, float]:
    return {f"partner_{name}": value for name, value in metrics.items()}
