"""Learning from how the episodes of a group differ: what grpo, rloo and mixed share."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from agentgym.curriculum import Curriculum
from agentgym.groups import Group, GroupSettings, untaught
from agentgym.learn.rows import Row, per_token
from agentgym.learn.surrogate import SurrogateSettings, SurrogateTrainer
from agentgym.learn.trainer import Lesson
from agentgym.rollout import EpisodeSpec
from agentgym.types import Trajectory

__all__ = ["GroupTrainer", "GroupTrainerSettings"]


class GroupTrainerSettings(GroupSettings, SurrogateSettings):
    """Settings of grpo, rloo and mixed."""

    keep_truncated: bool = True
    """Whether episodes that a limit cut short count; if not, they are neither compared nor trained on
    ("overlong filtering", arXiv 2503.14476, §3.4)."""

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

    def lesson(self, update: int, trajectories: Sequence[Trajectory]) -> Lesson:
        groups = self.settings.grouped(trajectories, keep_truncated=self.settings.keep_truncated)
        reasons = [self.unfit(group) for group in groups]
        fit = [group for group, reason in zip(groups, reasons, strict=True) if not reason]
        episodes = iter(self.rows([member for group in fit for member in group.members]))
        made = [[next(episodes) for _ in group.members] for group in fit]
        rows = [row for members in made for own in members for row in own]
        self.score(rows)
        for group, members in zip(fit, made, strict=True):
            rewards = [
                member.reward - sum(self._penalty(row) for row in own)
                for member, own in zip(group.members, members, strict=True)
            ]
            for member, own, advantage in zip(group.members, members, self.compare(group, rewards), strict=True):
                for row, sample in zip(own, member.samples, strict=True):
                    row.advantages = per_token(sample, advantage)
        return Lesson(
            rows,
            {
                "informative_groups": len(fit) / max(1, len(groups)),
                "group_deviation": sum(group.deviation for group in groups) / max(1, len(groups)),
            },
            untaught(groups, reasons),
            sum(map(_num_own, groups)) - sum(map(_num_own, fit)) if self.settings.aggregation == "constant" else 0,
        )

    def _penalty(self, row: Row) -> float:
        """Of the whole row, added token by token: numpy's own sum would round in another way."""
        penalty = self.penalty(row)
        return sum(penalty[penalty != 0].tolist(), 0.0)


def _num_own(group: Group) -> int:
    """Episodes that count; a demonstration that is not learned from does not."""
    return sum(member.role != "expert" for member in group.members)
