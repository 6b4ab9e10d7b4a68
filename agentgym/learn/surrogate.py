"""What the policy-gradient trainers share: the surrogate loss and its parts, chosen by settings.

Each setting is one part of the unified estimator (``objectives/estimator.py``) or a term beside it: which ratio, which
bounds, a penalty for leaving the reference policy, a bonus for entropy, a weight for what the sampler and the learner
see differently. grpo, rloo, ppo and mixed differ in their advantages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from agentgym.learn import objectives
from agentgym.learn.frozen import Frozen
from agentgym.learn.kl_control import KLCoefficient
from agentgym.learn.rows import Row, rows_of, unite
from agentgym.learn.trainer import Equipment, Lesson, Trainer, TrainerSettings
from agentgym.lineage import Lineage
from agentgym.types import Trajectory

if TYPE_CHECKING:
    import torch

    from agentgym.learn.batch import Microbatch
    from agentgym.learn.forward import Predictions
    from agentgym.learn.objectives.estimator import Metrics

__all__ = ["SurrogateSettings", "SurrogateTrainer"]


class SurrogateSettings(TrainerSettings):
    """The parts of the loss."""

    loss: Literal["clip", "cispo", "reinforce"] = "clip"
    """PPO's clipped ratio, CISPO's clipped weight (arXiv 2506.13585), or the plain policy gradient."""
    ratio: Literal["token", "sequence", "product"] = "token"
    """The ratio to the old policy: of each token, of the episode to the power 1 / length (GSPO, arXiv 2507.18071), or
    of the whole episode (RLOO, arXiv 2402.14740)."""
    clip_low: float = Field(0.2, ge=0)
    """The ratio has no gradient below 1 - clip_low where it would fall further: from an update's second step on."""
    clip_high: float = Field(0.28, ge=0)
    """The same above 1 + clip_high (DAPO's "clip higher", arXiv 2503.14476)."""
    dual_clip: float | None = Field(None, gt=1)
    """Bound of the loss of a token with negative advantage, in units of it (arXiv 1912.09729)."""
    kl_coefficient: float = Field(0.0, ge=0)
    """Weight of the divergence from the reference policy, which is the policy that training began with."""
    kl_estimator: Literal["k1", "k2", "k3"] = "k3"
    """How the divergence is estimated from sampled tokens."""
    kl_by_ratio: bool = False
    """Multiply the estimate in the loss by the ratio to the policy that sampled, which makes it right off-policy."""
    kl_in: Literal["loss", "reward"] = "loss"
    """Where it is subtracted; in the reward it is always the log-ratio (k1)."""
    adaptive_kl_target: float | None = Field(None, gt=0)
    """What a token's divergence (reference_kl) is steered to: kl_coefficient is then where its weight begins, which
    rises after updates with more of it and falls after those with less (arXiv 1909.08593, §2.2); none: it stays."""
    adaptive_kl_rate: float = Field(0.1, gt=0, lt=5)
    """How fast: an update in which it is a fifth off the target, or more, changes the weight by a fifth of this."""
    target_kl: float | None = Field(None, gt=0)
    """Take no further step in an update once a token's divergence from the policy that began it (old_kl) is more than
    1.5 times this; none: take all steps."""
    entropy_coefficient: float = Field(0.0, ge=0)
    """Weight of the policy's entropy, as a bonus."""
    correction: Literal["none", "truncate", "mask"] = "none"
    """Weight for tokens that the sampler gave another probability than the learner: none, min(ratio, cap), or
    0 outside [1 / cap, cap]."""
    correction_level: Literal["token", "sequence"] = "token"
    """Whether that ratio is a token's or the whole episode's."""
    correction_cap: float = Field(2.0, ge=1)
    """Its bound."""

    @model_validator(mode="after")
    def _has_effect(self) -> SurrogateSettings:
        idle = {
            "dual_clip": self.loss != "clip" and "loss clip",
            "clip_low": self.loss == "reinforce" and "loss clip or cispo",
            "clip_high": self.loss == "reinforce" and "loss clip or cispo",
            "kl_estimator": not self.kl_coefficient and "a kl_coefficient",
            "kl_in": not self.kl_coefficient and "a kl_coefficient",
            "adaptive_kl_target": not self.kl_coefficient and "a kl_coefficient",
            "adaptive_kl_rate": self.adaptive_kl_target is None and "an adaptive_kl_target",
            "target_kl": self._idle_target(),
            "kl_by_ratio": not (self.kl_coefficient and self.kl_in == "loss") and "a kl_coefficient in the loss",
            "correction_level": self.correction == "none" and "a correction",
            "correction_cap": self.correction == "none" and "a correction",
        }
        for key, needed in idle.items():
            if needed and self.changed(key):
                raise ValueError(f"{key} has no effect without {needed}")
        if self.kl_in == "reward" and self.changed("kl_estimator") and self.kl_estimator != "k1":
            raise ValueError(f"kl_estimator {self.kl_estimator} has no effect in the reward, which takes k1")
        if self.ratio != "token" and self.loss != "clip":
            raise ValueError(f"ratio {self.ratio} has no effect with loss {self.loss}")
        if self.ratio == "product" and self.aggregation != "sequence":
            raise ValueError(f"ratio product is a sequence's: it needs aggregation sequence, found {self.aggregation}")
        for key in self._idle_in_one_step() if self.epochs * self.minibatches == 1 else ():
            raise ValueError(
                f"{key} {getattr(self, key)} has no effect in an update of one optimizer step, in which the ratio to "
                "the old policy is 1; take several: minibatches 4, or epochs"
            )
        return self

    def _idle_target(self) -> str:
        """What target_kl is without effect without."""
        if self.loss not in ("clip", "cispo"):
            return "loss clip or cispo"
        return "further steps in an update: add epochs or minibatches" if self.epochs * self.minibatches == 1 else ""

    def _idle_in_one_step(self) -> list[str]:
        """What was chosen to bound the ratio, which moves with the second step of an update."""
        bounds = [key for key in ("clip_low", "clip_high", "dual_clip") if self.changed(key)]
        return ["loss", *bounds] if self.loss == "cispo" else bounds


S = TypeVar("S", bound=SurrogateSettings)


class SurrogateTrainer(Trainer[S]):
    """Maximizes a surrogate of the expected advantage."""

    reference: Frozen | None = None

    def __init__(self, settings: S) -> None:
        super().__init__(settings)
        self.kl = KLCoefficient(
            settings.kl_coefficient, target=settings.adaptive_kl_target, rate=settings.adaptive_kl_rate
        )

    def prepare(self, equipment: Equipment) -> None:
        super().prepare(equipment)
        self.reference = Frozen(equipment.learner) if self.settings.kl_coefficient else None

    def modules(self) -> dict[str, torch.nn.Module]:
        return self.reference.modules() if self.reference else {}

    def state(self) -> dict[str, Any]:
        return {**super().state(), **self.kl.state()}

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self.kl.load_state(state)

    def learn(self, update: int, lesson: Lesson) -> dict[str, float]:
        metrics = super().learn(update, lesson)
        if self.kl.target is None:
            return metrics
        weighed = {"kl_coefficient": self.kl.value}
        self.kl.steer(metrics["reference_kl"])
        return metrics | weighed

    def stops(self, metrics: Mapping[str, float]) -> bool:
        """As Spinning Up and Stable-Baselines3 do, with their factor."""
        return self.settings.target_kl is not None and metrics["old_kl"] > 1.5 * self.settings.target_kl

    def rows(self, trajectories: Sequence[Trajectory]) -> list[list[Row]]:
        """The rows of each episode, kept together where a ratio or a correction runs over all of them.

        Of the lines of a tree each has a loss on its own turns alone: what they share is in the row of the one that
        sampled it.
        """
        firsts = Lineage(trajectories).own_from
        episodes = [rows_of(each, 0.0, first_turn=first) for each, first in zip(trajectories, firsts, strict=True)]
        if self.settings.ratio != "token" or self.settings.correction_level == "sequence":
            unite(episodes)
        return episodes

    def score(self, rows: list[Row]) -> None:
        """Fill in what the objective will want of the policy as it is now, and of the reference.

        Where the update is one step, the objective sees the policy as it is now by itself: a forward pass is saved.
        """
        in_reward = self.settings.kl_coefficient and self.settings.kl_in == "reward"
        if self.num_steps > 1 or in_reward:
            self.equipment.learner.score_rows(rows, "proximal_logprobs")
        if self.reference is not None:
            self.reference.score(self.equipment.learner, rows)

    def penalty(self, row: Row) -> NDArray[np.float64]:
        """The divergence of each token, weighted, where it is subtracted from the reward; 0 otherwise."""
        settings = self.settings
        if not settings.kl_coefficient or settings.kl_in != "reward":
            return np.zeros(len(row.token_ids))
        assert row.reference_logprobs is not None
        assert row.proximal_logprobs is not None
        log_ratio = row.proximal_logprobs.astype(np.float64) - row.reference_logprobs
        return np.where(row.loss_mask, self.kl.value * log_ratio, 0.0)

    def objective(self, predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        """The loss of each trained token.

        The old policy is the learner's own, as it was when the update began: with one optimizer step the ratio is 1.
        What the sampler made of the same weights has no say in it, only in the correction and in ``mismatch``.
        """
        settings, logprobs_N, kl = self.settings, predictions.logprobs_N, objectives.kl.kl
        old_N = logprobs_N.detach() if batch.proximal_logprobs_N is None else batch.proximal_logprobs_N
        loss_N, metrics = self.surrogate(logprobs_N, old_N, self.advantages(predictions, batch), batch)
        weights_N, seen = self._correction(old_N, batch)
        loss_N, metrics = weights_N * loss_N, metrics | seen
        if batch.reference_logprobs_N is not None:
            divergence_N = kl(logprobs_N, batch.reference_logprobs_N, settings.kl_estimator)
            if settings.kl_by_ratio:
                divergence_N = objectives.estimator.over_old(logprobs_N, batch.behavior_logprobs_N).exp() * divergence_N
            metrics["reference_kl"] = kl(logprobs_N, batch.reference_logprobs_N, "k3").detach()
            if settings.kl_in == "loss":
                loss_N = loss_N + self.kl.value * divergence_N
        if settings.entropy_coefficient:
            loss_N = loss_N - settings.entropy_coefficient * predictions.entropies_N
        mismatch_N = (old_N - batch.behavior_logprobs_N).abs() * ~batch.demonstrations_N
        return loss_N, metrics | {"mismatch": mismatch_N}

    def advantages(self, predictions: Predictions, batch: Microbatch) -> torch.Tensor:
        """The advantage of each token; those of the rows unless a trainer shapes them further."""
        return batch.advantages_N

    def surrogate(
        self, logprobs_N: torch.Tensor, old_N: torch.Tensor, advantages_N: torch.Tensor, batch: Microbatch
    ) -> tuple[torch.Tensor, Metrics]:
        """The loss of each token before penalties and corrections: ratio and bounds."""
        settings, gradients = self.settings, objectives.policy_gradient
        bounds: dict[str, Any] = {"clip_low": settings.clip_low, "clip_high": settings.clip_high}
        if settings.loss == "reinforce":
            return gradients.reinforce(logprobs_N, advantages_N)
        if settings.loss == "cispo":
            return gradients.cispo(logprobs_N, old_N, advantages_N, **bounds)
        return gradients.clipped_policy_gradient(
            self._log_ratio(logprobs_N, old_N, batch), advantages_N, dual_clip=settings.dual_clip, **bounds
        )

    def _log_ratio(self, logprobs_N: torch.Tensor, old_N: torch.Tensor, batch: Microbatch) -> torch.Tensor:
        parts = objectives.estimator
        if self.settings.ratio == "token":
            return parts.over_old(logprobs_N, old_N)
        if self.settings.ratio == "sequence":
            return parts.over_old_sequence(logprobs_N, old_N, batch.units_N)
        return parts.sequence_sum(parts.over_old(logprobs_N, old_N), batch.units_N)

    def _correction(self, proximal_N: torch.Tensor, batch: Microbatch) -> tuple[torch.Tensor | float, Metrics]:
        """Weights for tokens of which sampler and learner think differently."""
        settings, cap, corrections = self.settings, self.settings.correction_cap, objectives.corrections
        if settings.correction == "none":
            return 1.0, {}
        sequences_N = batch.units_N if settings.correction_level == "sequence" else None
        behavior_N = batch.behavior_logprobs_N
        if settings.correction == "truncate":
            return corrections.truncated_weights(proximal_N, behavior_N, cap=cap, sequences_N=sequences_N)
        return corrections.masked_weights(proximal_N, behavior_N, low=1 / cap, high=cap, sequences_N=sequences_N)
