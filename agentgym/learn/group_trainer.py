"""Learning from how the episodes of a group differ: what grpo, rloo and mixed share."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from pydantic import Field, model_validator

from agentgym.curriculum import Curriculum
from agentgym.groups import Group, GroupSettings, untaught
from agentgym.learn.players import Players
from agentgym.learn.rows import Row, per_token
from agentgym.learn.surrogate import SurrogateSettings, SurrogateTrainer
from agentgym.learn.trainer import Lesson
from agentgym.lineage import Lineage
from agentgym.rollout import EpisodeSpec
from agentgym.types import Trajectory

__all__ = ["GroupTrainer", "GroupTrainerSettings"]


class GroupTrainerSettings(GroupSettings, SurrogateSettings):
    """Settings of grpo, rloo and mixed."""

    keep_truncated: bool = True
    """Whether episodes that a limit cut short count; if not, they are neither compared nor trained on
    ("overlong filtering", arXiv 2503.14476, §3.4)."""
    draw_on: int = Field(0, ge=0)
    """Draw on, so many times at most, until an update has as many groups that teach something as it is to have (dynamic
    sampling, DAPO, arXiv 2503.14476, §3.2). What was drawn and teaches nothing is in the ledger; groups_drawn is what
    it costs."""
    weigh_groups: bool = False
    """Weigh an update by the share of its groups that teach something; otherwise few weigh as much as many."""

    @model_validator(mode="after")
    def _weighs_once(self) -> GroupTrainerSettings:
        if self.weigh_groups and self.aggregation == "constant":
            raise ValueError('weigh_groups has no effect with aggregation "constant", where all episodes count anyhow')
        return self

    def _idle_in_one_step(self) -> list[str]:
        idle = super()._idle_in_one_step()
        return ["ratio", *idle] if self.ratio == "sequence" and self._is_even else idle

    @property
    def _is_even(self) -> bool:
        """Whether an episode's tokens share advantage and weight: in one step its ratio then does what theirs do."""
        return self.correction == "none" or self.correction_level == "sequence"


S = TypeVar("S", bound=GroupTrainerSettings)


class GroupTrainer(SurrogateTrainer[S]):
    """Turns groups into rows; a subclass says how rewards become advantages."""

    nano: ClassVar[Mapping[str, Any]] = {**SurrogateTrainer.nano, "aggregation": "sequence"}

    @abc.abstractmethod
    def compare(self, group: Group, rewards: Sequence[float]) -> Sequence[float | list[float]]:
        """One advantage for each member, or one for each of its turns."""

    def unfit(self, group: Group) -> str:
        """Why nothing can be learned from a group, or ""."""
        return group.unfit

    def specs(self, update: int, draws: Curriculum) -> list[EpisodeSpec]:
        return self.settings.group_specs(draws, update)

    # -- drawing on ------------------------------------------------------------------------------------

    num_drawn = 0
    """Ordinals of the updates so far, where an update may have more than it is to have."""

    @property
    def plays_ahead(self) -> bool:
        return type(self).play is GroupTrainer.play and not self.settings.draw_on

    def num_played(self, draws: Curriculum) -> tuple[int, int]:
        own, shown = super().num_played(draws)
        return own * (1 + self.settings.draw_on), shown

    async def play(self, update: int, players: Players) -> list[Trajectory]:
        """Again and again, as long as groups are missing that teach something and ``draw_on`` lets it."""
        if not self.settings.draw_on:
            return await super().play(update, players)
        played: list[Trajectory] = []
        first = end = self.num_drawn
        missing = self.settings.groups
        for _ in range(1 + self.settings.draw_on):
            ordinals = range(end, end + missing)
            specs = self.settings.group_specs(players.draws, update, ordinals=ordinals, first=first)
            played += await players.policy(specs)
            end = ordinals.stop
            groups = self.settings.grouped(played, keep_truncated=self.settings.keep_truncated)
            idle = untaught(groups, [self.unfit(group) for group in groups])
            missing = self.settings.groups - (end - first - len(idle))
            if missing <= 0:
                break
        return played

    def state(self) -> dict[str, Any]:
        return {**super().state(), **({"num_drawn": self.num_drawn} if self.settings.draw_on else {})}

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self.num_drawn = state.get("num_drawn", 0)

    # -- learning from them ----------------------------------------------------------------------------

    def lesson(self, update: int, trajectories: Sequence[Trajectory]) -> Lesson:
        groups = self.settings.grouped(trajectories, keep_truncated=self.settings.keep_truncated)
        reasons = [self.unfit(group) for group in groups]
        fit = [group for group, reason in zip(groups, reasons, strict=True) if not reason]
        episodes = iter(self.rows([member for group in fit for member in group.members]))
        made = [[next(episodes) for _ in group.members] for group in fit]
        rows = [row for members in made for own in members for row in own]
        self.score(rows)
        weight = len(fit) / len(groups) if self.settings.weigh_groups and groups else 1.0
        for group, members in zip(fit, made, strict=True):
            rewards = [
                member.reward - sum(self._penalty(row) for row in own)
                for member, own in zip(group.members, members, strict=True)
            ]
            for member, own, advantage in zip(group.members, members, self._advantages(group, rewards), strict=True):
                for row, sample in zip(own, member.samples, strict=True):
                    row.advantages = weight * per_token(sample, advantage)
        metrics = {
            "informative_groups": len(fit) / max(1, len(groups)),
            "group_deviation": sum(group.deviation for group in groups) / max(1, len(groups)),
        }
        if self.settings.draw_on:  # counted here: an update that is interrupted while it plays draws the same again
            drawn = {group.ordinal for group in groups}
            self.num_drawn += len(drawn)
            metrics["groups_drawn"] = float(len(drawn))
        return Lesson(
            rows,
            metrics,
            untaught(groups, reasons),
            sum(map(_num_own, groups)) - sum(map(_num_own, fit)) if self.settings.aggregation == "constant" else 0,
        )

    def _advantages(self, group: Group, rewards: Sequence[float]) -> Sequence[float | list[float]]:
        """As ``compare`` says; a turn that several lines of a tree share has the mean of theirs."""
        found, lineage = self.compare(group, rewards), Lineage(group.members)
        if lineage.is_flat:
            return found
        return lineage.pooled(
            [
                advantage if isinstance(advantage, list) else [advantage] * len(member.turns)
                for advantage, member in zip(found, group.members, strict=True)
            ]
        )

    def _penalty(self, row: Row) -> float:
        """Of the whole row, added token by token: numpy's own sum would round in another way."""
        penalty = self.penalty(row)
        return sum(penalty[penalty != 0].tolist(), 0.0)


def _num_own(group: Group) -> int:
    """Episodes that count; a demonstration that is not learned from does not."""
    return sum(member.role != "expert" for member in group.members)
