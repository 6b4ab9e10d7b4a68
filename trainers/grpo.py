"""Group relative policy optimization (arXiv 2402.03300) over whole episodes, and its relatives as presets.

Several episodes of each task are compared with each other: an episode's advantage is its reward's z-score in the
group, the same for all its tokens. Groups whose rewards do not differ are dropped before any forward pass. Departs
from the paper in having no KL term by default, and in one optimizer step a rollout, which is strictly on-policy: the
ratio is then 1 and the clip idle. Relatives that are about the ratio or its bounds take several steps.

What makes the loss, in the order in which an update meets it:

    which episodes     agentgym/groups.py                       tasks of the update, members of each group
    rows               agentgym/learn/rows.py                   sampled tokens and what goes with each
    advantages         agentgym/learn/advantages/group.py       by ``compare`` here; where: learn/group_trainer.py
    ratio              agentgym/learn/objectives/estimator.py   chosen in learn/surrogate.py, as are
    bounds             agentgym/learn/objectives/policy_gradient.py
    denominator        agentgym/learn/aggregation.py            the weight of each token
    step               agentgym/learn/learner.py                backward, gradient norm, AdamW
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from agentgym.errors import did_you_mean
from agentgym.groups import Group, is_informative
from agentgym.learn import objectives
from agentgym.learn.advantages import (
    anchor_advantages,
    difficulty_reweighted,
    entropy_shaped,
    group_zscore,
    merged_advantages,
    polychromic,
    turn_returns,
)
from agentgym.learn.group_trainer import GroupTrainer, GroupTrainerSettings
from agentgym.learn.rows import Row, unite
from agentgym.lengths import length_of, length_rewards
from agentgym.registry import register
from agentgym.reward import Discount
from agentgym.rollout import seed_of
from agentgym.types import Trajectory

if TYPE_CHECKING:
    import torch

    from agentgym.learn.batch import Microbatch
    from agentgym.learn.forward import Predictions
    from agentgym.learn.objectives.estimator import Metrics

__all__ = ["GRPO", "PRESETS", "GRPOSettings"]

PRESETS: dict[str, dict[str, Any]] = {
    "dapo": {"minibatches": 4, "clip_low": 0.2, "clip_high": 0.28, "aggregation": "token", "keep_truncated": False},
    "dr_grpo": {"scale_by_std": False, "aggregation": "constant", "clip_high": 0.2},
    "gspo": {"minibatches": 4, "ratio": "sequence", "clip_low": 3e-4, "clip_high": 4e-4, "aggregation": "sequence"},
    "cispo": {"minibatches": 4, "loss": "cispo", "clip_low": 1.0, "clip_high": 4.0, "aggregation": "token"},
    "gigpo": {"anchor_weight": 1.0, "anchor_discount": 0.95},
    "egpo": {"entropy_shaping": 0.4},
    "lead": {"by_difficulty": True, "brevity": 0.05},
    "polychromic": {"set_size": 4},
    "rtmc": {"credit": "states"},
}
"""What each relative changes; settings given beside the preset have the last word.

DAPO arXiv 2503.14476 (of its dynamic sampling the half that every preset does: groups of equal rewards are dropped;
that others are played in their place costs episodes, and is ``draw_on``; and without its soft punishment of overlong
episodes, which is the reward ``overlong-penalty``), Dr. GRPO 2503.20783, GSPO 2507.18071, CISPO 2506.13585, GiGPO
2505.10978, EGPO 2508.05118, GRPO-LEAD 2504.09696, polychromic 2509.25424 (on sets drawn from the group; vines from the
middle of episodes are ``--search vine``), RTMC 2604.11037 (merges equal states of flat groups, and compares what was
met once with the group). The bounds of GSPO and CISPO and EGPO's constants are ours, and so is the number of
minibatches: DAPO, GSPO and CISPO are about what happens after the first optimizer step of an update. Dr. GRPO's bound
is taken where an update has several steps.
"""


_BOUNDS = ("clip_low", "clip_high")
_OWN = ("nft", "balance")
"""Losses that make of a group what they need by themselves."""


class GRPOSettings(GroupTrainerSettings):
    """Settings of ``grpo``."""

    preset: str | None = None
    """A relative by name: dapo, dr_grpo, gspo, cispo, gigpo, egpo, lead, polychromic, rtmc."""
    loss: Literal["clip", "cispo", "reinforce", "nft", "balance"] = "clip"  # type: ignore[assignment]  # two more
    """PPO's clipped ratio, CISPO's clipped weight (arXiv 2506.13585), the plain policy gradient, the likelihood of
    successes and of what they leave over (nft, arXiv 2505.18116), which knows success and failure alone, or trajectory
    balance (arXiv 2310.04363): episodes come to be played in proportion to exp(reward / kl_coefficient), in place of
    the best alone."""
    scale_by_std: bool = True
    """Divide advantages by the group's standard deviation; off is Dr. GRPO (arXiv 2503.20783)."""
    anchor_weight: float = Field(0.0, ge=0)
    """Weight of what a turn's return adds among turns that began in the same state (GiGPO, arXiv 2505.10978)."""
    anchor_discount: float = Field(0.95, ge=0, le=1)
    """Discount of those returns, for each turn."""
    credit: Literal["episode", "states"] = "episode"
    """What a turn's advantage is: its episode's, or by how much those that did the same in the same state were paid
    more than all that were there (RTMC, arXiv 2604.11037): a tree out of episodes that did not branch."""
    entropy_shaping: float = Field(0.0, ge=0)
    """Advantage added for each nat of a token's entropy, at most half of the advantage (EGPO, arXiv 2508.05118)."""
    by_difficulty: bool = False
    """Weigh successes by how rare they are in the group, and failures likewise (GRPO-LEAD, arXiv 2504.09696)."""
    brevity: float = Field(0.0, ge=0)
    """Rate at which a success is worth less the longer it is among those of its group, and a failure -1, in place of
    the reward (GRPO-LEAD's length reward, arXiv 2504.09696)."""
    set_size: int | None = Field(None, ge=2)
    """Compare sets of so many episodes by mean reward times diversity of actions (arXiv 2509.25424)."""
    num_sets: int = Field(4, ge=2)
    """Sets drawn from each group."""

    @model_validator(mode="before")
    @classmethod
    def _fill_preset(cls, given: Any) -> Any:
        name = given.get("preset") if isinstance(given, Mapping) else None
        if name is None:
            return given
        if name not in PRESETS:
            raise ValueError(f'no preset "{name}".{did_you_mean(str(name), PRESETS)} Known: {", ".join(PRESETS)}')
        chosen = {**PRESETS[name], **given}
        if chosen.get("epochs", 1) == chosen.get("minibatches", 1) == 1:  # the ratio is 1: there is nothing to bound
            chosen = {key: value for key, value in chosen.items() if key in given or key not in _BOUNDS}
        return chosen

    def _idle_in_one_step(self) -> list[str]:
        return [] if self.loss in _OWN else super()._idle_in_one_step()

    @property
    def _is_even(self) -> bool:
        return super()._is_even and not (self.anchor_weight or self.entropy_shaping or self.credit == "states")

    @model_validator(mode="after")
    def _goes_together(self) -> GRPOSettings:
        if self.changed("anchor_discount") and not self.anchor_weight:
            raise ValueError("anchor_discount has no effect without an anchor_weight")
        if self.changed("num_sets") and self.set_size is None:
            raise ValueError("num_sets has no effect without a set_size")
        if self.set_size is not None:
            if self.set_size > self.group_size:
                raise ValueError(f"set_size {self.set_size} does not fit a group_size of {self.group_size}")
            if self.changed("scale_by_std") or self.by_difficulty or self.brevity:
                raise ValueError("scale_by_std, by_difficulty and brevity have no effect with a set_size")
        if self.credit == "states" and (self.set_size is not None or self.anchor_weight or self.by_difficulty):
            raise ValueError("set_size, anchor_weight and by_difficulty have no effect with credit states")
        if self.brevity and self.kl_coefficient and self.kl_in == "reward":
            raise ValueError("kl_in reward has no effect with brevity, which takes the place of the reward")
        return self

    @model_validator(mode="after")
    def _compares_in_its_own_way(self) -> GRPOSettings:
        if self.loss not in _OWN:
            return self
        idle = ["scale_by_std", "credit", "anchor_weight", "entropy_shaping", "by_difficulty", "brevity", "set_size"]
        idle += ["clip_low", "clip_high", "weigh_groups", "kl_in" if self.loss == "nft" else "draw_on"]
        for key in idle:
            if self.changed(key):
                raise ValueError(f"{key} has no effect with loss {self.loss}")
        if self.loss == "balance":
            if not (self.kl_coefficient and self.kl_in == "reward"):
                raise ValueError(
                    "loss balance samples around the reference policy, by the reward over kl_coefficient: it needs a "
                    "kl_coefficient, and kl_in reward"
                )
            if self.aggregation != "sequence":
                raise ValueError(
                    f"loss balance is a sequence's: it needs aggregation sequence, found {self.aggregation}"
                )
        return self


@register
class GRPO(GroupTrainer[GRPOSettings]):
    """Learn from how episodes of the same task differ."""

    Settings = GRPOSettings
    nano: ClassVar[Mapping[str, Any]] = {**GroupTrainer.nano, "scale_by_std": False}
    """Divided by the deviation, what tells two failures apart counts as much as what tells a success from a failure:
    where successes are rare, the policy learns to fail well (webshop: it buys without choosing)."""

    @classmethod
    def nano_beside(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        """What a preset decides, it decides for a small model too; a preset scales as its paper does."""
        decided = {*PRESETS.get(str(options.get("preset")), {})}
        if options.get("loss") in _OWN or not options.keys().isdisjoint(("preset", "set_size")):
            decided.add("scale_by_std")
        return {key: value for key, value in super().nano_beside(options).items() if key not in decided}

    @property
    def why_no_search(self) -> str:
        if self.settings.loss in _OWN:
            return f"loss {self.settings.loss} is of whole episodes, each with all its turns"
        return super().why_no_search

    @property
    def discount(self) -> Discount | None:
        """None beside anchors with a discount of their own, and for sets, whose rewards are multiplied."""
        settings = self.settings
        has_two = settings.anchor_weight > 0 and settings.anchor_discount != 1
        return None if has_two or settings.set_size is not None else super().discount

    def unfit(self, group: Group) -> str:
        if self.settings.loss == "balance" and len(group.members) > 1:
            return ""  # episodes of equal reward are to be equally likely, as the reference has them
        if not self.settings.brevity or len(group.members) < 2:
            return super().unfit(group)
        return "" if is_informative(_length_rewards(group, self.settings.brevity)) else "equal length rewards"

    def compare(self, group: Group, rewards: Sequence[float]) -> Sequence[float | list[float]]:
        settings = self.settings
        if settings.loss == "nft":
            return group_zscore([float(member.success) for member in group.members], scale=False)
        if settings.loss == "balance":  # the mean is β log Z: rewards come here without the divergence
            return [reward - statistics.fmean(rewards) for reward in group.rewards]
        if settings.brevity:
            rewards = _length_rewards(group, settings.brevity)
        if settings.set_size is not None:
            return polychromic(rewards, [_actions(member) for member in group.members], self._sets(group))
        seen = [[turn.observation for turn in member.turns] for member in group.members]
        if settings.credit == "states":
            said = [[turn.reply if turn.action is None else turn.action for turn in m.turns] for m in group.members]
            return merged_advantages(seen, said, rewards, scale=settings.scale_by_std)
        advantages = group_zscore(rewards, scale=settings.scale_by_std)
        if settings.by_difficulty:
            solved = sum(member.success for member in group.members) / len(group.members)
            advantages = difficulty_reweighted(advantages, solved)
        if not settings.anchor_weight:
            return advantages
        steps = anchor_advantages(
            seen,
            [turn_returns([turn.reward for turn in m.turns], settings.anchor_discount) for m in group.members],
            scale=settings.scale_by_std,
        )
        return [
            [advantage + settings.anchor_weight * step for step in turns]
            for advantage, turns in zip(advantages, steps, strict=True)
        ]

    def surrogate(
        self, logprobs_N: torch.Tensor, old_N: torch.Tensor, advantages_N: torch.Tensor, batch: Microbatch
    ) -> tuple[torch.Tensor, Metrics]:
        if self.settings.loss == "balance":
            assert batch.reference_logprobs_N is not None
            log_ratio_N = objectives.estimator.over_old(logprobs_N, batch.reference_logprobs_N)
            balance = objectives.balance.trajectory_balance
            return balance(log_ratio_N, advantages_N, batch.units_N, beta=self.kl.value)
        if self.settings.loss != "nft":
            return super().surrogate(logprobs_N, old_N, advantages_N, batch)
        gains_N = advantages_N > 0  # 1 - r for a success and -r for a failure, where a share r of the group succeeds
        accuracies_N = gains_N.float() - advantages_N
        log_ratio_N = objectives.estimator.over_old(logprobs_N, old_N)
        return objectives.nft.nft(log_ratio_N, gains_N, accuracies_N, epsilon=1.0)

    def rows(self, trajectories: Sequence[Trajectory]) -> list[list[Row]]:
        episodes = super().rows(trajectories)
        if self.settings.loss == "balance":
            unite(episodes)
        return episodes

    def advantages(self, predictions: Predictions, batch: Microbatch) -> torch.Tensor:
        alpha = self.settings.entropy_shaping
        if not alpha:
            return batch.advantages_N
        return entropy_shaped(batch.advantages_N, predictions.entropies_N, alpha=alpha, kappa=2.0)

    def _sets(self, group: Group) -> list[list[int]]:
        rng = np.random.default_rng(seed_of("sets", group.ordinal, len(group.members)))
        size = min(self.settings.set_size or 2, len(group.members) - 1)  # of void episodes a group may be small
        return [rng.permutation(len(group.members))[:size].tolist() for _ in range(self.settings.num_sets)]


def _length_rewards(group: Group, rate: float) -> list[float]:
    lengths = [length_of(member) for member in group.members]
    return length_rewards([member.success for member in group.members], lengths, alpha=rate)


def _actions(member: Trajectory) -> tuple[str | None, ...]:
    return tuple(turn.action for turn in member.turns)
