"""Proximal policy optimization (arXiv 1707.06347) with token-level advantages over many turns (arXiv 2510.01132).

A critic estimates the return from every token on; advantages are GAE over the tokens that the policy sampled, jumping
what the environment said, across turns. A turn's reward stands on its last token. An episode that was cut short is
continued by the critic's estimate at its last token, one that ended is not.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from agentgym.curriculum import TaskOrder
from agentgym.groups import group_specs
from agentgym.learn import objectives
from agentgym.learn.advantages import gae, whiten
from agentgym.learn.rows import Row, rows_of
from agentgym.learn.surrogate import SurrogateSettings, SurrogateTrainer
from agentgym.learn.trainer import Equipment, Lesson
from agentgym.registry import register
from agentgym.rollout import EpisodeSpec
from agentgym.types import Trajectory

if TYPE_CHECKING:
    import torch

    from agentgym.learn.batch import Microbatch
    from agentgym.learn.learner import Learner
    from agentgym.learn.objectives.estimator import Metrics

__all__ = ["PPO", "PPOSettings"]


class PPOSettings(SurrogateSettings):
    """Settings of ``ppo``."""

    episodes: int = Field(64, ge=1)
    """Episodes an update, each of another task."""
    epochs: int = Field(2, ge=1)
    """Passes over the episodes of an update."""
    minibatches: int = Field(2, ge=1)
    """Optimizer steps a pass."""
    clip_high: float = Field(0.2, ge=0)
    """As ``clip_low``, upward."""
    gamma: float = Field(1.0, ge=0, le=1)
    """Discount for each sampled token."""
    lam: float = Field(1.0, ge=0, le=1)
    """λ of GAE: 1 is the return minus the critic's estimate, less trusts the critic more."""
    whiten: bool = True
    """Give the advantages of an update mean 0 and deviation 1."""
    critic_learning_rate: float | None = Field(None, gt=0)
    """The critic's step size; none given: 10 times the policy's (arXiv 2510.01132, App. C)."""
    critic_warmup: int = Field(0, ge=0)
    """First updates, in which the critic alone is trained."""
    value_clip: float | None = Field(0.2, gt=0)
    """How far a value may move in an update before its gradient is cut; none: no bound."""


@register
class PPO(SurrogateTrainer[PPOSettings]):
    """Learn from how episodes went, compared with what a critic expected."""

    Settings = PPOSettings
    nano: ClassVar[Mapping[str, Any]] = {
        **SurrogateTrainer.nano,
        "learning_rate": 5e-4,
        "critic_learning_rate": 2e-3,
        "episodes": 128,
    }

    def prepare(self, equipment: Equipment) -> None:
        from agentgym.learn.critic import Critic, values

        super().prepare(equipment)
        settings = self.settings
        self.critic = equipment.make_learner(
            Critic(equipment.learner.module),
            learning_rate=settings.critic_learning_rate or 10 * settings.learning_rate,
            forward=values,
        )

    def learners(self) -> dict[str, Learner]:
        return {"critic": self.critic}

    def specs(self, update: int, draws: TaskOrder) -> list[EpisodeSpec]:
        return group_specs(draws, update, groups=self.settings.episodes, group_size=1)

    def lesson(self, update: int, trajectories: Sequence[Trajectory]) -> Lesson:
        from agentgym.learn.critic import estimate

        unfit = {t.ordinal: t.unfit for t in trajectories if t.unfit and t.ordinal is not None}
        counted = [trajectory for trajectory in trajectories if not trajectory.unfit]
        episodes = [rows_of(trajectory, 0.0) for trajectory in counted]
        rows = [row for episode in episodes for row in episode]
        if not rows:
            return Lesson([], rejected=unfit)
        self.score(rows)
        last = estimate(self.critic.module, rows, max_tokens=self.settings.max_microbatch_tokens)
        for row, penalty in zip(rows, self.penalty(rows), strict=True):
            row.returns = [-value for value in penalty]  # rewards of single tokens, until the returns are known
        ends = dict(zip(map(id, rows), last, strict=True))
        for trajectory, episode in zip(counted, episodes, strict=True):
            bootstrap = ends[id(episode[-1])] if trajectory.truncated else 0.0
            self._assign(trajectory, episode, bootstrap)
        explained = _explained_variance(rows)
        if self.settings.whiten:
            _whiten(rows)
        return Lesson(rows, {"explained_variance": explained}, unfit)

    def _assign(self, trajectory: Trajectory, rows: Sequence[Row], bootstrap: float) -> None:
        """Advantages and returns of an episode's tokens, from its turns' rewards and the critic's values."""
        places = [(row, place) for row in rows for place in _trained(row)]
        turns = [
            sample.turn_index[i] for sample, row in zip(trajectory.samples, rows, strict=True) for i in _trained(row)
        ]
        rewards = [row.returns[i] for row, i in places if row.returns is not None]
        for turn, index in {turn: index for index, turn in enumerate(turns)}.items():  # its last token
            rewards[index] += trajectory.turns[turn].reward
        values = [row.values[i] for row, i in places if row.values is not None]
        advantages, returns = gae(
            rewards, values, gamma=self.settings.gamma, lam=self.settings.lam, bootstrap=bootstrap
        )
        for (row, i), advantage, value in zip(places, advantages, returns, strict=True):
            assert row.returns is not None
            row.advantages[i], row.returns[i] = advantage, value

    def learn(self, update: int, lesson: Lesson) -> dict[str, float]:
        critic = {
            f"critic_{name}": value
            for name, value in self.steps(self.critic, lesson.rows, update, objective=self.value_objective).items()
            if name in ("loss", "grad_norm", "value_clip_fraction")
        }
        if update < self.settings.critic_warmup:
            return critic
        return super().learn(update, lesson) | critic

    def value_objective(self, values_N: torch.Tensor, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        """The critic's loss."""
        assert batch.values_N is not None
        assert batch.returns_N is not None
        return objectives.policy_gradient.value_loss(
            values_N, batch.values_N, batch.returns_N, clip=self.settings.value_clip
        )


def _trained(row: Row) -> list[int]:
    """Places of the trained tokens."""
    return [i for i, trained in enumerate(row.loss_mask) if trained and i]


def _whiten(rows: Sequence[Row]) -> None:
    places = [(row, i) for row in rows for i in _trained(row)]
    if len(places) > 1:
        for (row, i), advantage in zip(places, whiten([row.advantages[i] for row, i in places]), strict=True):
            row.advantages[i] = advantage


def _explained_variance(rows: Sequence[Row]) -> float:
    """1 - Var(return - value) / Var(return): 1 for a perfect critic, 0 for one that says a constant."""
    pairs = [(row.returns[i], row.values[i]) for row in rows for i in _trained(row) if row.returns and row.values]
    if len(pairs) < 2:
        return 0.0
    spread = statistics.pvariance([target for target, _ in pairs])
    return 1 - statistics.pvariance([target - value for target, value in pairs]) / spread if spread > 1e-12 else 0.0
