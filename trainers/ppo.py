"""Proximal policy optimization (arXiv 1707.06347) with token-level advantages over many turns (arXiv 2510.01132).

A critic estimates the return from every token on; advantages are GAE over the tokens that the policy sampled, jumping
what the environment said, across turns. A turn's reward stands on its last token. An episode that was cut short is
worth what it earned, as in evaluation; with ``bootstrap`` the critic's estimate of what would have followed is added.
That is read where the next reply would have begun, a place of a kind that the critic is trained at in every turn.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from agentgym.curriculum import Curriculum
from agentgym.groups import group_specs
from agentgym.learn import objectives
from agentgym.learn.advantages import gae, whiten
from agentgym.learn.rows import Row, trained, write
from agentgym.learn.running import Running
from agentgym.learn.surrogate import SurrogateSettings, SurrogateTrainer
from agentgym.learn.trainer import Equipment, Lesson
from agentgym.registry import register
from agentgym.reward import Discount
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
    bootstrap: bool = False
    """Continue episodes that were cut short by the critic's estimate, where the last observation fits the context."""
    whiten: bool = True
    """Give the advantages of an update mean 0 and deviation 1."""
    critic_learning_rate: float | None = Field(None, gt=0)
    """The critic's step size; none given: 10 times the policy's (arXiv 2510.01132, App. C)."""
    critic_warmup: int = Field(0, ge=0)
    """First updates, in which the critic alone is trained."""
    scale_rewards: bool = False
    """Divide rewards by the deviation of all returns so far, discounted turn by turn, so that the critic's step size
    fits whatever an environment pays (as Gymnasium's NormalizeReward); 1 while all returns are the same."""
    value_clip: float | None = Field(0.2, gt=0)
    """How far a value may move in an update before its gradient is cut; none: no bound."""

    @model_validator(mode="after")
    def _moves_values(self) -> PPOSettings:
        if self.value_clip is not None and self.changed("value_clip") and self.epochs * self.minibatches == 1:
            raise ValueError(
                f"value_clip {self.value_clip} has no effect in an update of one optimizer step, before which no value "
                "has moved; take several: minibatches 2, or epochs"
            )
        return self


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

    def __init__(self, settings: PPOSettings) -> None:
        super().__init__(settings)
        self.returns = Running()
        """Returns up to each turn of the episodes so far."""

    @property
    def discount(self) -> Discount:
        return Discount(self.settings.gamma, "token", self.settings.bootstrap)

    def prepare(self, equipment: Equipment) -> None:
        from agentgym.learn.critic import Critic, values

        super().prepare(equipment)
        settings = self.settings
        self.critic = equipment.make_learner(
            Critic(equipment.learner.clone()),
            learning_rate=settings.critic_learning_rate or 10 * settings.learning_rate,
            forward=values,
        )

    def learners(self) -> dict[str, Learner]:
        return {"critic": self.critic}

    def state(self) -> dict[str, Any]:
        own = {"returns": self.returns.state()} if self.settings.scale_rewards else {}
        return {**super().state(), **own}

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        if self.settings.scale_rewards:
            self.returns.load_state(state["returns"])

    def specs(self, update: int, draws: Curriculum) -> list[EpisodeSpec]:
        specs = group_specs(draws, update, groups=self.settings.episodes, group_size=1)
        return [dataclasses.replace(spec, shows_end=self.settings.bootstrap) for spec in specs]

    def lesson(self, update: int, trajectories: Sequence[Trajectory]) -> Lesson:
        from agentgym.learn.critic import estimate

        unfit = {t.ordinal: t.unfit for t in trajectories if t.unfit and t.ordinal is not None}
        counted = [trajectory for trajectory in trajectories if not trajectory.unfit]
        episodes = self.rows(counted)
        rows = [row for episode in episodes for row in episode]
        self.score(rows)
        last = estimate(
            self.critic.module,
            rows,
            max_tokens=self.settings.max_microbatch_tokens,
            world=self.critic.world,
            share_prefixes=self.settings.share_prefixes,
        )
        seen = self._see_returns(counted, episodes)
        if not rows:
            return Lesson([], rejected=unfit)
        for row in rows:
            row.returns = -self.penalty(row)  # rewards of single tokens, until the returns are known
        ends = dict(zip(map(id, rows), last, strict=True))
        for trajectory, episode in zip(counted, episodes, strict=True):
            goes_on = self.settings.bootstrap and trajectory.truncated and not episode[-1].loss_mask[-1]
            self._assign(trajectory, episode, ends[id(episode[-1])] if goes_on else 0.0)
        explained = _explained_variance(rows)
        if self.settings.whiten:
            _whiten(rows)
        return Lesson(rows, {"explained_variance": explained} | seen, unfit)

    def _see_returns(self, counted: Sequence[Trajectory], episodes: Sequence[Sequence[Row]]) -> dict[str, float]:
        """Take in the returns that rewards are scaled by, if they are; what is to be told of it."""
        if not self.settings.scale_rewards:
            return {}
        pairs = zip(counted, episodes, strict=True)
        found = [each for trajectory, rows in pairs for each in self._returns(trajectory, _turns(trajectory, rows))]
        self.returns.see(found)
        return {"return_deviation": self.returns.deviation}

    def _returns(self, trajectory: Trajectory, turns: Sequence[NDArray[np.int32]]) -> list[float]:
        """What was earned up to each turn, discounted to it."""
        earned, returns = 0.0, []
        for turn, tokens in zip(
            *np.unique(np.concatenate([*turns, np.zeros(0, np.int32)]), return_counts=True), strict=True
        ):
            earned = earned * self.settings.gamma ** int(tokens) + trajectory.turns[turn].reward
            returns.append(earned)
        return returns

    def _assign(self, trajectory: Trajectory, rows: Sequence[Row], bootstrap: float) -> None:
        """Advantages and returns of an episode's tokens, from its turns' rewards and the critic's values."""
        rewards_N, settings = trained(rows, "returns"), self.settings
        scale = self.returns.deviation if settings.scale_rewards else 1.0
        for turn, index in _last(_turns(trajectory, rows)).items():
            rewards_N[index] += trajectory.turns[turn].reward / scale
        advantages_N, returns_N = gae(
            rewards_N, trained(rows, "values"), gamma=settings.gamma, lam=settings.lam, bootstrap=bootstrap
        )
        write(rows, "advantages", advantages_N)
        write(rows, "returns", returns_N)

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


def _turns(trajectory: Trajectory, rows: Sequence[Row]) -> list[NDArray[np.int32]]:
    """The turn of each trained token, row by row."""
    return [sample.turn_index[row.places] for sample, row in zip(trajectory.samples, rows, strict=True)]


def _last(turns: Sequence[NDArray[np.int32]]) -> dict[int, int]:
    """Of each turn the place of its last token, given the turn of each trained token."""
    turns_N = np.concatenate([*turns, np.zeros(0, np.int32)])
    found, from_end = np.unique(turns_N[::-1], return_index=True)
    return dict(zip(found.tolist(), (len(turns_N) - 1 - from_end).tolist(), strict=True))


def _whiten(rows: Sequence[Row]) -> None:
    advantages_N = trained(rows, "advantages")
    if len(advantages_N) > 1:
        write(rows, "advantages", whiten(advantages_N))


def _explained_variance(rows: Sequence[Row]) -> float:
    """1 - Var(return - value) / Var(return): 1 for a perfect critic, 0 for one that says a constant."""
    returns_N = trained(rows, "returns")
    if len(returns_N) < 2:
        return 0.0
    spread = float(returns_N.var())
    return 1 - float((returns_N - trained(rows, "values")).var()) / spread if spread > 1e-12 else 0.0
