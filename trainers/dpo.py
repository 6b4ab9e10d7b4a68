"""Direct preference optimization of one's own episodes (arXiv 2305.18290), iterated and off-policy.

Episodes of a task are compared with each other, in whole (the best against the worst, or all pairs) or turn by turn:
where two episodes went the same way up to a turn and then chose differently, the choice that led to more reward is
preferred (the step-level rule of Agent Q, arXiv 2408.07199, with means over episodes for its tree's values). The
reference policy is the one that played, whose log-probabilities are stored with every token: no second model is in
memory, and each rollout begins from a new reference (iterative DPO). ``--trainer.reference model`` keeps the policy
that training began with instead.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from pydantic import Field, model_validator

from agentgym.archive import Card
from agentgym.curriculum import Curriculum, TaskOrder
from agentgym.errors import ConfigError, DataError
from agentgym.groups import Group, GroupSettings, untaught
from agentgym.learn import objectives
from agentgym.learn.aggregation import Aggregation
from agentgym.learn.frozen import Frozen
from agentgym.learn.players import Players
from agentgym.learn.rows import Row
from agentgym.learn.trainer import Equipment, Lesson, Trainer, TrainerSettings
from agentgym.pairs import Pair, Pairs, all_pairs, best_worst_pair, bi_factorial_label, branch_pairs, rso_accept
from agentgym.recorded import Recorded, grouped_by_task
from agentgym.registry import register
from agentgym.rollout import EpisodeSpec, seed_of
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import Trajectory

if TYPE_CHECKING:
    import torch

    from agentgym.learn.batch import Microbatch
    from agentgym.learn.forward import Predictions
    from agentgym.learn.objectives.estimator import Metrics

__all__ = ["DPO", "DPOSettings"]


Sides: TypeAlias = tuple["torch.Tensor", "torch.Tensor"]
"""(chosen_P, rejected_P)."""
_WITHOUT_REFERENCE = ("simpo", "slic")


class DPOSettings(GroupSettings, TrainerSettings):
    """Settings of ``dpo``."""

    epochs: int = Field(2, ge=1)
    """Passes over the pairs of an update; the first step is taken at the reference itself."""
    aggregation: Aggregation = "sequence"
    """A mean over pairs, whatever their lengths; there is no other."""
    pairs: Literal["extremes", "all", "steps"] = "extremes"
    """The best and the worst episode of a group, all its pairs, or the choices at each branching turn."""
    threshold: float = Field(0.0, ge=0)
    """Least difference in reward (of a choice: in mean reward) between the sides of a pair."""
    accept: int | None = Field(None, ge=2)
    """Compare so many episodes of each group only, accepted by their rewards (RSO, arXiv 2309.06657)."""
    accept_beta: float = Field(0.5, gt=0)
    """How little rewards count in that: the lower, the surer the best are accepted."""
    data: Path | None = None
    """Learn from the episodes of this run, archive or JSONL file (agentgym record --output PATH) instead of playing."""
    reference: Literal["stored", "model"] = "stored"
    """The policy that played, or the one that training began with, as a copy in memory: what was recorded at another
    temperature, or with top_p, top_k or min_p, needs the copy."""
    loss: Literal["sigmoid", "robust", "ipo", "hinge", "simpo", "slic", "rpo", "copg", "nash", "bfpo"] = "sigmoid"
    """DPO and its relatives; simpo and slic need no reference. copg (arXiv 2406.19185) fits the difference in reward,
    nash (arXiv 2312.00886) is a policy gradient of either side's chance to be preferred to the other, bfpo (arXiv
    2408.15313) prefers what is safe and, if both are, what is paid more."""
    beta: float = Field(0.1, gt=0)
    """How much a log-ratio counts."""
    label_smoothing: float = Field(0.0, ge=0, lt=0.5)
    """Probability that a preference is wrong (sigmoid and robust)."""
    margin: float = Field(1.0, ge=0)
    """What the difference should exceed (simpo, slic)."""
    imitation: float = Field(0.05, ge=0)
    """Weight of imitating the chosen side (rpo and slic)."""
    mean_logratio: bool = False
    """Compare means over tokens instead of sums; with rpo only what is imitated is a mean."""
    safety: str | None = None
    """bfpo: the reward, such as specification, that subtracts nothing from a safe episode; what else an episode is paid
    is how helpful it is."""
    alpha: float = Field(0.5, gt=0, lt=1)
    """bfpo: of two safe sides the more helpful one is preferred by 1 - alpha, of two unsafe ones the other by alpha."""
    replay: int = Field(0, ge=0)
    """Past updates whose pairs are trained on again; their reference is still the policy that played them."""

    @model_validator(mode="after")
    def _goes_together(self) -> DPOSettings:
        wanted = {
            "label_smoothing": ("sigmoid", "robust"),
            "margin": ("simpo", "slic"),
            "imitation": ("rpo", "slic"),
            "mean_logratio": ("sigmoid", "robust", "ipo", "hinge", "rpo"),
            "safety": ("bfpo",),
            "alpha": ("bfpo",),
        }
        for key, losses in wanted.items():
            if self.changed(key) and self.loss not in losses:
                raise ValueError(f"{key} has no effect with loss {self.loss}, only with {' and '.join(losses)}")
        if self.changed("reference") and self.loss in _WITHOUT_REFERENCE:
            raise ValueError(f"reference has no effect with loss {self.loss}, which compares with none")
        if self.loss == "bfpo" and self.safety is None:
            raise ValueError(
                "loss bfpo needs the name of a reward that says what is safe, such as safety specification"
            )
        if self.loss == "bfpo" and self.pairs == "steps":
            raise ValueError("loss bfpo compares whole episodes, which are safe or not: pairs extremes or all")
        if self.changed("accept_beta") and self.accept is None:
            raise ValueError("accept_beta has no effect without accept")
        if self.accept is not None and self.data is None and self.accept >= self.group_size:
            raise ValueError(f"accept {self.accept} has no effect with a group_size of {self.group_size}")
        if self.aggregation != "sequence":
            raise ValueError(f"a pair counts once, whatever its length: aggregation sequence, found {self.aggregation}")
        return self


@register
class DPO(Trainer[DPOSettings]):
    """Learn which of two episodes, or of two choices, was better."""

    Settings = DPOSettings
    nano: ClassVar[Mapping[str, Any]] = {**Trainer.nano, "learning_rate": 5e-4}

    def __init__(self, settings: DPOSettings) -> None:
        super().__init__(settings)
        self.past: list[list[Row]] = []
        """Pairs of the last updates, oldest first."""
        self.reference: Frozen | None = None
        self.recorded: Recorded | None = None
        """Episodes to learn from, once they are found, and the cards of those of each task."""
        self.tasks: list[list[Card]] = []

    def check(self, tokenizer: ChatTokenizer) -> None:
        if self.settings.data is None or self.recorded is not None:
            return
        self.recorded = Recorded(self.settings.data, tokenizer)
        self.tasks = grouped_by_task(self.recorded.cards)
        if not self.tasks:
            raise DataError(
                f"{self.settings.data} has no task with two episodes to compare; type: agentgym record --samples 8"
            )
        if self._is_stored:
            self.recorded.refuse_tempered([card for cards in self.tasks for card in cards])

    def prepare(self, equipment: Equipment) -> None:
        super().prepare(equipment)
        self.check(equipment.tokenizer)
        if self.settings.reference == "model":
            self.reference = Frozen(equipment.learner)
        elif self._is_stored and equipment.temperature != 1:
            raise ConfigError(
                f"rollout.temperature {equipment.temperature}: the stored log-probabilities are those of the tempered "
                "policy, and the reference needs them at 1; leave it at 1, or add --trainer.reference model"
            )

    async def close(self) -> None:
        recorded, self.recorded = self.recorded, None
        if recorded is not None:
            recorded.close()

    def modules(self) -> dict[str, torch.nn.Module]:
        return self.reference.modules() if self.reference else {}

    def state(self) -> dict[str, Any]:
        return {"past": [[row.model_dump() for row in rows] for rows in self.past]}

    def load_state(self, state: dict[str, Any]) -> None:
        self.past = [[Row(**row) for row in rows] for rows in state["past"]]

    @property
    def _is_stored(self) -> bool:
        """Whether the reference is what is stored with the episodes."""
        return self.settings.reference == "stored" and self.settings.loss not in _WITHOUT_REFERENCE

    @property
    def plays(self) -> bool:
        return self.settings.data is None

    @property
    def plays_ahead(self) -> bool:
        return self.plays

    def specs(self, update: int, draws: Curriculum) -> list[EpisodeSpec]:
        return self.settings.group_specs(draws, update)

    async def play(self, update: int, players: Players) -> list[Trajectory]:
        if self.recorded is None:
            return await super().play(update, players)
        order = TaskOrder(range(len(self.tasks)), seed=players.draws.seed)
        ordinals = range(update * self.settings.groups, (update + 1) * self.settings.groups)
        episodes = self.recorded.fetch_groups({ordinal: self.tasks[int(order[ordinal])] for ordinal in ordinals})
        for episode in episodes if self._is_stored else ():
            self.recorded.require_plain(episode)
        return await players.shaped(episodes)

    def lesson(self, update: int, trajectories: Sequence[Trajectory]) -> Lesson:
        groups = [self._helpful(group) for group in self.settings.grouped(trajectories)]
        safe = self._safe(trajectories)
        found = [Pairs([], 0) if group.unfit else self._pairs(group) for group in groups]
        new = [row for pairs in found for pair in pairs.pairs for row in self._rows(pair, safe)]
        if self.reference is not None:
            self.reference.score(self.equipment.learner, new)
        both = [row for rows in (*self.past, new) for row in rows]
        rows = [row.model_copy(update={"unit": index // 2}) for index, row in enumerate(both)]
        if self.settings.replay:
            self.past = [*self.past, new][-self.settings.replay :]
        metrics = {
            "pairs": len(new) / 2,
            "incomparable": float(sum(pairs.num_skipped for pairs in found)),
            "informative_groups": sum(bool(pairs.pairs) for pairs in found) / max(1, len(groups)),
        }
        reasons = [
            "" if pairs.pairs else group.unfit or self._why_none(group)
            for group, pairs in zip(groups, found, strict=True)
        ]
        return Lesson(rows, metrics, untaught(groups, reasons))

    def _pairs(self, group: Group) -> Pairs:
        find = {"extremes": best_worst_pair, "all": all_pairs, "steps": branch_pairs}[self.settings.pairs]
        return find(self._accepted(group), threshold=self.settings.threshold)

    def _why_none(self, group: Group) -> str:
        """Why a group whose rewards differ has no pair."""
        differ = max(group.rewards) - min(group.rewards) >= self.settings.threshold
        if differ and self.settings.pairs != "steps" and any(len(member.samples) > 1 for member in group.members):
            return (
                "episodes whose history was rewritten (by the chat template, or to fit the context) are not compared "
                "in whole; compare their turns: --trainer.pairs steps"
            )
        return "no pair that differs enough"

    def _accepted(self, group: Group) -> list[Trajectory]:
        """Those that are compared."""
        if self.settings.accept is None:
            return group.members
        num = min(self.settings.accept, len(group.members))
        rng = random.Random(seed_of("accept", group.ordinal, len(group.members)))
        return [group.members[i] for i in rso_accept(group.rewards, beta=self.settings.accept_beta, num=num, rng=rng)]

    def _rows(self, pair: Pair, safe: Mapping[bytes, bool]) -> list[Row]:
        """The chosen side and the rejected one, told apart by the sign of their advantages."""
        if self._is_stored:
            pair.require_logprobs()
        worth = self._worth(pair, safe)
        rows = [Row.of(pair.chosen, worth), Row.of(pair.rejected, -worth)]
        for row in rows:
            row.reference_logprobs = row.behavior_logprobs
        return rows

    def _worth(self, pair: Pair, safe: Mapping[bytes, bool]) -> float:
        """Advantage of the chosen side of a pair; the rejected one has minus that. Below 0 they change places."""
        match self.settings.loss:
            case "copg":
                return pair.margin / 2
            case "nash":
                return 1 / (1 + math.exp(-pair.margin)) - 0.5
            case "bfpo":
                sides = [safe[side.token_ids.tobytes()] for side in (pair.chosen, pair.rejected)]
                return bi_factorial_label(*sides, alpha=self.settings.alpha) / 2
        return 1.0

    # -- two factors -----------------------------------------------------------------------------------

    def _helpful(self, group: Group) -> Group:
        """``group`` without what was paid for safety, where that is a factor of its own."""
        name = self.settings.safety
        if name is None:
            return group
        return dataclasses.replace(group, members=[_without(member, name) for member in group.members])

    def _safe(self, trajectories: Sequence[Trajectory]) -> dict[bytes, bool]:
        """Whether episodes are safe, by their tokens. Raises ConfigError where no reward is called as the setting."""
        name = self.settings.safety
        if name is None:
            return {}
        paid = {channel for episode in trajectories for turn in episode.turns for channel in turn.breakdown}
        if paid and name not in paid:
            raise ConfigError(
                f'trainer.safety "{name}" is no reward of this run; there are {", ".join(sorted(paid))}; add such as '
                "--rewards.specification.formula, and type --trainer.safety specification"
            )
        return {
            sample.token_ids.tobytes(): all(turn.breakdown.get(name, 0.0) >= 0 for turn in episode.turns)
            for episode in trajectories
            for sample in episode.samples
        }

    def objective(self, predictions: Predictions, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        preference = objectives.preference
        assert batch.reference_logprobs_N is not None
        if self.settings.loss == "nash":
            return preference.nash_md(
                predictions.logprobs_N,
                batch.reference_logprobs_N,
                batch.advantages_N + 0.5,
                beta=self.settings.beta,
            )
        (pairs_N, num), chosen_N = preference.numbered(batch.units_B, batch.sequences_N), batch.advantages_N > 0

        def sides(values_N: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return preference.per_side(values_N, pairs_N, chosen_N, num)

        logprobs_N = predictions.logprobs_N
        lengths, worths = sides(logprobs_N.new_ones(len(logprobs_N))), sides(batch.advantages_N)
        loss_P, metrics = self._loss(
            sides(logprobs_N),
            sides(batch.reference_logprobs_N),
            lengths,
            worths[0] / lengths[0] - worths[1] / lengths[1],
        )
        spread = {name: preference.spread(value_P, pairs_N) for name, value_P in metrics.items()}
        return preference.spread(loss_P, pairs_N), spread

    def _loss(
        self, logprobs: Sides, references: Sides, lengths: Sides, differences_P: torch.Tensor
    ) -> tuple[torch.Tensor, Metrics]:
        settings, preference = self.settings, objectives.preference
        beta, margin, imitation = settings.beta, settings.margin, settings.imitation
        chosen_P, rejected_P = logprobs[0] - references[0], logprobs[1] - references[1]
        if settings.mean_logratio and settings.loss != "rpo":
            chosen_P, rejected_P = chosen_P / lengths[0], rejected_P / lengths[1]
        match settings.loss:
            case "sigmoid":
                return preference.dpo(chosen_P, rejected_P, beta=beta, label_smoothing=settings.label_smoothing)
            case "robust":
                return preference.robust_dpo(chosen_P, rejected_P, beta=beta, label_smoothing=settings.label_smoothing)
            case "ipo":
                return preference.ipo(chosen_P, rejected_P, beta=beta)
            case "hinge":
                return preference.hinge(chosen_P, rejected_P, beta=beta)
            case "bfpo":
                return preference.bfpo(chosen_P, rejected_P, differences_P, beta=beta)
            case "copg":
                return preference.copg(chosen_P, rejected_P, differences_P, beta=beta)
            case "simpo":
                return preference.simpo(*logprobs, lengths=lengths, beta=beta, margin=margin)
            case "slic":
                return preference.slic(*logprobs, margin=margin, imitation=imitation)
        mean_of = lengths[0] if settings.mean_logratio else None
        return preference.rpo(chosen_P, rejected_P, logprobs[0], beta=beta, eta=imitation, lengths_P=mean_of)


def _without(member: Trajectory, name: str) -> Trajectory:
    """``member`` without what the reward ``name`` paid."""
    turns = [turn.model_copy(update={"reward": turn.reward - turn.breakdown.get(name, 0.0)}) for turn in member.turns]
    return member.model_copy(update={"turns": turns})
