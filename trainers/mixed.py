"""Reinforcement and imitation in one update: CHORD, SRFT, HPT, Prefix-RFT.

The policy plays groups of episodes, the expert plays some of the same tasks, and a method says how both are learned
from: CHORD (arXiv 2508.11408) adds their losses with a share that falls over time or a weight for each token; SRFT
(arXiv 2506.19767) takes the demonstration into the group and weighs imitation by entropy; HPT (arXiv 2509.04419)
imitates only where the policy fails; Prefix-RFT (arXiv 2507.01679) lets the policy go on from the beginning of a
demonstration. Departs from SRFT in centering own rewards on the group's mean instead of ±1. The default recipe remains
SFT, then RL: an audit (arXiv 2604.23747) found the gains of such mixtures to be smaller than reported.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, model_validator

from agentgym.curriculum import Curriculum
from agentgym.groups import Group
from agentgym.learn import objectives
from agentgym.learn.advantages import group_zscore
from agentgym.learn.aggregation import denominator
from agentgym.learn.group_trainer import GroupTrainer, GroupTrainerSettings
from agentgym.learn.players import Players
from agentgym.learn.rows import Row, rows_of
from agentgym.learn.trainer import Lesson
from agentgym.registry import register
from agentgym.rollout import EpisodeSpec, seed_of
from agentgym.types import Trajectory

if TYPE_CHECKING:
    import torch

    from agentgym.learn.batch import Microbatch
    from agentgym.learn.forward import Predictions
    from agentgym.learn.objectives.estimator import Metrics
    from agentgym.learn.objectives.mixers import MixtureWeights

__all__ = ["Mixed", "MixedSettings"]


class MixedSettings(GroupTrainerSettings):
    """Settings of ``mixed``."""

    method: Literal["chord", "srft", "hpt", "prefix"] = "chord"
    """How imitation and reinforcement are mixed."""
    demonstrations: int = Field(4, ge=1)
    """chord: tasks of an update that the expert plays too."""
    peak: float = Field(0.5, ge=0, le=1)
    """chord: share of imitation after its warm-up."""
    valley: float = Field(0.02, ge=0, le=1)
    """chord: share in the end."""
    rise: int = Field(0, ge=0)
    """chord: updates until the peak."""
    fall: int = Field(50, ge=1)
    """chord: updates from peak to valley; prefix: until no turn must be given."""
    phi: bool = False
    """chord: weigh each demonstrated token by p (1 - p), with the policy's probability p."""
    gate: float = Field(0.0, ge=0, le=1)
    """hpt: imitate tasks of which at most this share of the episodes succeeds."""
    longest: float = Field(0.9, gt=0, le=1)
    """prefix: largest share of a demonstration's turns that is given."""
    fraction: float = Field(0.2, gt=0, le=1)
    """prefix: share of the given tokens that is trained on, those of the highest entropy."""

    def _idle_in_one_step(self) -> list[str]:
        """SRFT bounds the ratio of demonstrations to 1, which is not that of a first step."""
        return [] if self.method == "srft" else super()._idle_in_one_step()

    @model_validator(mode="after")
    def _goes_together(self) -> MixedSettings:
        own = {
            "chord": ("demonstrations", "peak", "valley", "rise", "fall", "phi"),
            "srft": (),
            "hpt": ("gate",),
            "prefix": ("fall", "longest", "fraction"),
        }
        for key in {key for keys in own.values() for key in keys}:
            if self.changed(key) and key not in own[self.method]:
                raise ValueError(f"{key} has no effect with method {self.method}")
        if self.method == "srft":  # has a loss of its own
            own_loss = ("loss", "ratio", "clip_high", "dual_clip", "entropy_coefficient", "correction")
            for key in (*own_loss, "target_kl", "adaptive_kl_target"):
                if self.changed(key):
                    raise ValueError(f"{key} has no effect with method srft")
            if self.kl_coefficient and self.kl_in == "loss":
                raise ValueError("kl_coefficient has no effect in the loss of method srft; set kl_in reward")
        if self.draw_on:
            raise ValueError("draw_on has no effect with mixed, whose demonstrations are of the tasks of an update")
        if self.demonstrations > self.groups:
            raise ValueError(f"{self.demonstrations} demonstrations need as many groups, found {self.groups}")
        return self


@register
class Mixed(GroupTrainer[MixedSettings]):
    """Learn from the expert and from one's own episodes at once."""

    Settings = MixedSettings
    weights: MixtureWeights
    """How much the two parts of the update under way count."""

    @property
    def why_no_search(self) -> str:
        if self.settings.method == "prefix":
            return "with method prefix one member of a group begins as the expert does, and lines begin alike"
        return super().why_no_search

    @property
    def needs_expert(self) -> bool:
        return True

    def num_played(self, draws: Curriculum) -> tuple[int, int]:
        own, _ = super().num_played(draws)
        return own, self.settings.demonstrations if self.settings.method == "chord" else self.settings.groups

    async def play(self, update: int, players: Players) -> list[Trajectory]:
        specs = self.specs(update, players.draws)
        first = specs[:: self.settings.group_size]
        if self.settings.method == "prefix":
            return await self._play_led(update, specs, first, players)
        own = await players.policy(specs)
        return own + await players.expert([_shown(spec) for spec in self._to_show(first, own)])

    def _to_show(self, first: Sequence[EpisodeSpec], own: Sequence[Trajectory]) -> list[EpisodeSpec]:
        """Tasks that the expert plays too, by the first member of their groups."""
        if self.settings.method == "chord":
            return list(first[: self.settings.demonstrations])
        if self.settings.method == "srft":
            return list(first)
        solved = {
            group.ordinal: [float(member.success) for member in group.members]
            for group in reversed(self.settings.grouped(own))  # of the first member's strength, where they differ
            if group.members
        }
        return [
            spec
            for spec in first
            if spec.ordinal in solved and objectives.mixers.hpt_imitates(solved[spec.ordinal], gate=self.settings.gate)
        ]

    async def _play_led(
        self, update: int, specs: Sequence[EpisodeSpec], first: Sequence[EpisodeSpec], players: Players
    ) -> list[Trajectory]:
        """The first member of each group begins as the expert does."""
        shown = await players.expert([_shown(spec) for spec in first])
        mixers = objectives.mixers
        rng = np.random.default_rng(seed_of("prefix", update))
        high = self.settings.longest
        low = mixers.prefix_low(update, updates=self.settings.fall, high=high)
        turns = {
            spec.episode_id: mixers.prefix_length(len(example.turns), low=low, high=high, uniform=float(rng.random()))
            for spec, example in zip(first, shown, strict=True)
            if not example.stop_reason.is_void
        }
        return await players.policy(
            [dataclasses.replace(spec, shown_turns=turns.get(spec.episode_id, 0)) for spec in specs]
        )

    def lesson(self, update: int, trajectories: Sequence[Trajectory]) -> Lesson:
        own = [t for t in trajectories if t.role != "expert"]
        shown = {t.ordinal: t for t in trajectories if t.role == "expert" and not t.stop_reason.is_void}
        if self.settings.method == "srft":  # a member of the group like any other
            lesson = super().lesson(update, trajectories)
        elif self.settings.method == "hpt":  # imitation in place of reinforcement
            lesson = super().lesson(update, [t for t in own if t.ordinal not in shown])
        else:
            lesson = super().lesson(update, own)
        if self.settings.method in ("chord", "hpt"):
            demonstrated = [row for t in shown.values() for row in rows_of(t, 1.0)]
            self.score(demonstrated)
            lesson.rows += demonstrated
            lesson.rejected = {n: why for n, why in lesson.rejected.items() if n not in shown}
        lesson.metrics["demonstrations"] = float(len(shown))
        return lesson

    def learn(self, update: int, lesson: Lesson) -> dict[str, float]:
        self.weights = self.mixture(update, lesson.rows, idle=lesson.idle)
        return super().learn(update, lesson)

    def compare(self, group: Group, rewards: Sequence[float]) -> list[float]:
        return group_zscore(rewards, scale=False)  # as Dr. GRPO (arXiv 2503.20783), which HPT and Prefix-RFT build on

    def mixture(self, update: int, rows: Sequence[Row], *, idle: float = 0.0) -> MixtureWeights:
        """How much the tokens of either part count, so that each is a mean over its own, those ``idle`` included."""
        settings, mixers = self.settings, objectives.mixers
        if settings.method == "prefix":
            return mixers.MixtureWeights(1.0, 1.0)
        parts = [[row for row in rows if (row.demonstrations is None) is own] for own in (True, False)]
        own, shown = (denominator(part, settings.aggregation) for part in parts)
        own += idle
        if settings.method == "chord":
            mu = mixers.chord_mu(
                update, warmup=settings.rise, decay=settings.fall, peak=settings.peak, valley=settings.valley
            )
            return mixers.mixture_weights(own, shown, mu)
        if settings.method == "srft":
            return mixers.sum_weights(own, shown)
        return mixers.MixtureWeights(1.0, 1.0)  # hpt: a prompt is one or the other

    def objective(self, predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        settings, mixers = self.settings, objectives.mixers
        logprobs_N, shown_N = predictions.logprobs_N, batch.demonstrations_N
        if settings.method == "srft":
            return mixers.srft(
                logprobs_N,
                predictions.entropies_N,
                batch.advantages_N,
                shown_N,
                self.weights,
                clip=settings.clip_low,
            )
        loss_N, metrics = super().objective(predictions, batch)
        if settings.method == "prefix":
            loss_N, seen = mixers.prefix_rft(
                loss_N, predictions.entropies_N, shown_N, batch.sequences_N, fraction=settings.fraction
            )
        else:
            loss_N, seen = mixers.chord(loss_N, logprobs_N, shown_N, self.weights, phi=settings.phi)
        return loss_N, metrics | seen


def _shown(spec: EpisodeSpec) -> EpisodeSpec:
    """The expert's episode of the same task."""
    return dataclasses.replace(spec, episode_id=f"demonstration-{spec.episode_id}", member=-1)
