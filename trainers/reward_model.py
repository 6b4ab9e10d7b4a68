"""A reward model: what a moment of an episode is worth, to search with and to pay by (AgentRM, arXiv 2502.18407).

A copy of the policy gets a value head in place of its output head (``learn/critic.py``, PPO's critic) and is read at
the last token of each turn's reply. The policy itself plays, if nothing is recorded, and stays as it is. Two losses:

    mse             ½ (V(s) − v)²: v from a search's tree where it is on record, else the mean of what was earned by the
                    episodes that went through s (``moments.py``); AgentRM's explicit one, the best of its three
    bradley-terry   −log σ(V(chosen) − V(rejected)) over preference pairs (``pairs.py``), read at the end of either side

What is trained is left in the run's directory: the critic ``model`` loads it from there.

Departs from AgentRM in regressing toward episodes of one tree in one update, each moment once. Reward models that are
pretrained on what other policies wrote (POLAR, GRAM) are this one with other episodes: they are ``data``'s business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from agentgym.archive import Card
from agentgym.curriculum import Curriculum, TaskOrder
from agentgym.errors import DataError
from agentgym.groups import GroupSettings
from agentgym.hard_pairs import biased_pairs
from agentgym.learn import objectives
from agentgym.learn.players import Players
from agentgym.learn.rows import Row
from agentgym.learn.trainer import Equipment, Lesson, Trainer, TrainerSettings
from agentgym.moments import agreement, moments, valued
from agentgym.pairs import Pair, Pairs, all_pairs, best_worst_pair, branch_pairs
from agentgym.recorded import Recorded, grouped_by_task
from agentgym.registry import register
from agentgym.rollout import EpisodeSpec
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import Sample, Trajectory

if TYPE_CHECKING:
    import torch

    from agentgym.learn.batch import Microbatch
    from agentgym.learn.learner import Learner
    from agentgym.learn.objectives.estimator import Metrics

__all__ = ["RewardModelSettings", "RewardModelTrainer"]


class RewardModelSettings(GroupSettings, TrainerSettings):
    """Settings of ``reward-model``."""

    data: Path | None = None
    """Learn from the episodes of this run, archive or JSONL file (agentgym record --output PATH) instead of playing."""
    loss: Literal["mse", "bradley-terry"] = "mse"
    """Regress the values of moments, or learn which side of a preference pair is better."""
    min_visits: int = Field(2, ge=1)
    """mse: leave out moments that a search came by less often."""
    pairs: Literal["extremes", "all", "steps", "longer", "decorated"] = "extremes"
    """bradley-terry: the best and the worst episode of a group, all its pairs, the choices at each branching turn, or
    of all pairs those in which the worse side is longer, or more decorated (hard negatives, OffsetBias)."""
    threshold: float = Field(0.0, ge=0)
    """bradley-terry: least difference in reward (of a choice: in mean reward) between the sides of a pair."""
    held_out: float = Field(0.1, ge=0, lt=1)
    """data: share of the tasks that is not learned from, to measure by."""
    check_every: int = Field(10, ge=1)
    """Updates between two looks at what is held out."""

    @model_validator(mode="after")
    def _goes_together(self) -> RewardModelSettings:
        wanted = {"min_visits": "mse", "pairs": "bradley-terry", "threshold": "bradley-terry"}
        for key, loss in wanted.items():
            if self.changed(key) and self.loss != loss:
                raise ValueError(f"{key} has no effect with loss {self.loss}, only with {loss}")
        for key in ("held_out", "check_every"):
            if self.changed(key) and self.data is None:
                raise ValueError(f"{key} has no effect without data: what is played is learned from once")
        if self.changed("check_every") and not self.held_out:
            raise ValueError("check_every has no effect with held_out 0, where there is nothing to look at")
        return self


@register
class RewardModelTrainer(Trainer[RewardModelSettings]):
    """Learn what moments of episodes are worth; the policy stays as it is."""

    Settings = RewardModelSettings
    nano: ClassVar[Mapping[str, Any]] = {**Trainer.nano, "learning_rate": 2e-3}
    trains_policy = False

    def __init__(self, settings: RewardModelSettings) -> None:
        super().__init__(settings)
        self.recorded: Recorded | None = None
        """Episodes to learn from, once they are found; the cards of each task's, and of those that are held out."""
        self.tasks: list[list[Card]] = []
        self.held_out: list[list[Card]] = []

    def check(self, tokenizer: ChatTokenizer) -> None:
        if self.settings.data is None or self.recorded is not None:
            return
        self.recorded = Recorded(self.settings.data, tokenizer)
        self.tasks = self._grouped(self.recorded.cards)
        num = min(len(self.tasks) - 1, max(1, round(self.settings.held_out * len(self.tasks))))
        if self.settings.held_out and num > 0:
            order = TaskOrder(range(len(self.tasks)), seed=0)
            places = [int(order[place]) for place in range(len(self.tasks))]
            self.held_out = [self.tasks[place] for place in places[:num]]
            self.tasks = [self.tasks[place] for place in places[num:]]
        self._refuse_alike()

    def _grouped(self, cards: Sequence[Card]) -> list[list[Card]]:
        """Episodes that are looked at together; a pair takes two of a task."""
        groups = grouped_by_task(cards)
        if self.settings.loss == "bradley-terry":
            if not groups:
                raise DataError(
                    f"{self.settings.data} has no task with two episodes to compare; type: agentgym record --samples "
                    "8, or --trainer.loss mse"
                )
            return groups
        together = {card.number for group in groups for card in group}
        return [*groups, *([card] for card in cards if card.number not in together)]

    def _refuse_alike(self) -> None:
        """Raise DataError for a single episode without values: whatever it earned, all its moments are worth that."""
        assert self.recorded is not None
        cards = [card for group in self.tasks for card in group]
        if len(cards) > 1:
            return
        turns = self.recorded.source.get(cards[0].number).turns
        if not any(turn.value is not None for turn in turns):
            raise DataError(
                f"{self.settings.data} has a single episode to learn from, whose turns have no values: there is "
                "nothing to tell good moments from bad ones by; record more: agentgym record --episodes 200"
            )

    def prepare(self, equipment: Equipment) -> None:
        from agentgym.learn.critic import Critic, values

        super().prepare(equipment)
        self.check(equipment.tokenizer)
        self.model: Learner = equipment.make_learner(Critic(equipment.learner.clone()), forward=values)

    async def close(self) -> None:
        recorded, self.recorded = self.recorded, None
        if recorded is not None:
            recorded.close()

    def learners(self) -> dict[str, Learner]:
        return {"reward_model": self.model}

    def leave(self, directory: Path) -> None:
        from agentgym.learn.reward_model import leave

        about = {"tokenizer": self.equipment.tokenizer.fingerprint, "loss": self.settings.loss}
        leave(directory, self.model.weights(), about)

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
        if self.held_out and not self.measured:
            self.measured = await players.shaped(self.recorded.fetch_groups(dict(enumerate(self.held_out))))
        groups = {ordinal: self.tasks[int(order[ordinal])] for ordinal in ordinals}
        return await players.shaped(self.recorded.fetch_groups(groups))

    # -- learning from them ----------------------------------------------------------------------------

    def lesson(self, update: int, trajectories: Sequence[Trajectory]) -> Lesson:
        by_group: dict[str, list[Trajectory]] = {}
        for trajectory in trajectories:
            by_group.setdefault(trajectory.group_id, []).append(trajectory)
        made = {group: self._rows(members) for group, members in by_group.items()}
        pairs = self.settings.loss == "bradley-terry"
        rows = [row for own in made.values() for row in own]
        if pairs:
            rows = [row.model_copy(update={"unit": index // 2}) for index, row in enumerate(rows)]
        idle = {
            members[0].ordinal: "no pair that differs enough" if pairs else "no moment with a value"
            for group, members in by_group.items()
            if not made[group] and members[0].ordinal is not None
        }
        num = len(rows) / 2 if pairs else float(sum(row.num_trained for row in rows))
        return Lesson(rows, {"pairs" if pairs else "moments": num}, idle)

    def _rows(self, members: Sequence[Trajectory]) -> list[Row]:
        if self.settings.loss == "mse":
            return _valued_rows(members, min_visits=self.settings.min_visits)
        return [row for pair in self._pairs(members).pairs for row in _sides(pair)]

    def _pairs(self, members: Sequence[Trajectory]) -> Pairs:
        threshold = self.settings.threshold
        match self.settings.pairs:
            case "all":
                return all_pairs(members, threshold=threshold)
            case "steps":
                return branch_pairs(members, threshold=threshold)
            case "longer":
                return biased_pairs(members, bias="length", threshold=threshold)
            case "decorated":
                return biased_pairs(members, bias="style", threshold=threshold)
        return best_worst_pair(members, threshold=threshold)

    def learn(self, update: int, lesson: Lesson) -> dict[str, float]:
        metrics = self.steps(self.model, lesson.rows, update)
        return metrics | (self._look() if update % self.settings.check_every == 0 else {})

    def objective(self, predictions: Any, batch: Microbatch) -> tuple[torch.Tensor, Metrics]:
        """Of values [N], of which a row of a pair has one and another row as many as it has moments."""
        assert batch.returns_N is not None
        if self.settings.loss == "mse":
            value_N = predictions
            loss_N, metrics = objectives.policy_gradient.value_loss(value_N, value_N, batch.returns_N, clip=None)
            return loss_N, metrics
        preference = objectives.preference
        pairs_N, num = preference.numbered(batch.units_B, batch.sequences_N)
        sides = preference.per_side(predictions, pairs_N, batch.returns_N > 0, num)
        loss_P, told = preference.dpo(*sides, beta=1.0)  # whose formula is Bradley-Terry's
        return preference.spread(loss_P, pairs_N), {
            name: preference.spread(value_P, pairs_N) for name, value_P in told.items()
        }

    def _look(self) -> dict[str, float]:
        """How the model does on what is held out; nothing where nothing is. All processes look."""
        if not self.measured:
            return {}
        from agentgym.learn.critic import estimate

        rows = _valued_rows(self.measured, min_visits=self.settings.min_visits)
        estimate(self.model.module, rows, max_tokens=self.settings.max_microbatch_tokens, world=self.model.world)
        scores = [float(value) for row in rows if row.values is not None for value in row.values[row.loss_mask]]
        values = [float(value) for row in rows if row.returns is not None for value in row.returns[row.loss_mask]]
        found = {"held_out_agreement": agreement(scores, values)}
        if self.settings.loss == "mse" and values:
            errors = [(score - value) ** 2 for score, value in zip(scores, values, strict=True)]
            found["held_out_error"] = sum(errors) / len(errors)
        return found


def _valued_rows(members: Sequence[Trajectory], *, min_visits: int) -> list[Row]:
    """A row for each sample in which there is a moment of a value."""
    from agentgym.learn.reward_model import marked

    rows = []
    for member, by_sample in zip(members, valued(members, min_visits=min_visits), strict=True):
        for sample, places in zip(member.samples, by_sample, strict=True):
            if places:
                rows.append(marked(sample, places).model_copy(update={"episode": member.episode_id}))
    return rows


def _sides(pair: Pair) -> list[Row]:
    """The chosen side and the rejected one, told apart by the sign of their returns."""
    from agentgym.learn.reward_model import marked

    return [marked(side, {_end(side): sign}) for side, sign in ((pair.chosen, 1.0), (pair.rejected, -1.0))]


def _end(side: Sample) -> int:
    """The last token of a side that is compared."""
    return moments(side)[-1].place
