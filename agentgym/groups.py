"""Groups: several episodes of one task from one start, which are compared with each other."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence

from pydantic import Field

from agentgym.config import Settings
from agentgym.curriculum import Curriculum, drawn
from agentgym.rollout import EpisodeSpec, seed_of
from agentgym.types import Trajectory

__all__ = ["Group", "GroupSettings", "group_specs", "grouped", "is_informative"]


class GroupSettings(Settings):
    """Settings of every trainer that compares episodes of the same task."""

    groups: int = Field(16, ge=1)
    """Tasks an update."""
    group_size: int = Field(8, ge=2)
    """Episodes of each task."""


@dataclasses.dataclass(slots=True)
class Group:
    """The episodes of one task that count."""

    ordinal: int | None
    members: list[Trajectory]

    @property
    def rewards(self) -> list[float]:
        return [member.reward for member in self.members]

    @property
    def deviation(self) -> float:
        """Standard deviation of the rewards."""
        return statistics.pstdev(self.rewards) if self.members else 0.0

    @property
    def unfit(self) -> str:
        """Why nothing can be learned by comparing the members, or ""."""
        if len(self.members) < 2:
            return "fewer than two episodes that count"
        return "" if is_informative(self.rewards) else "equal rewards"


def group_specs(draws: Curriculum, update: int, *, groups: int, group_size: int) -> list[EpisodeSpec]:
    """The episodes of an update, group after group. Members share draw and environment seed."""
    plays = [(ordinal, drawn(draws, ordinal)) for ordinal in range(update * groups, (update + 1) * groups)]
    return [
        EpisodeSpec(
            task=draw.task,
            options=draw.options,
            level=draw.level,
            strength=draw.strength,
            max_turns=draw.max_turns,
            split="train",
            seed=seed_of(draws.seed, "train", ordinal),
            member=member,
            group_id=f"{update}-{ordinal - update * groups}",
            ordinal=ordinal,
            episode_id=f"{update}-{ordinal - update * groups}-{member}",
        )
        for ordinal, draw in plays
        for member in range(group_size)
    ]


def grouped(trajectories: Sequence[Trajectory], *, keep_truncated: bool = True) -> list[Group]:
    """Episodes by group, in the order in which the groups began.

    Episodes that are unfit do not count, nor without ``keep_truncated`` those that a limit cut short.
    """
    groups: dict[str, Group] = {}
    for trajectory in trajectories:
        group = groups.setdefault(trajectory.group_id, Group(trajectory.ordinal, []))
        if not trajectory.unfit and (keep_truncated or not trajectory.truncated):
            group.members.append(trajectory)
    return list(groups.values())


def is_informative(rewards: Sequence[float], tolerance: float = 1e-9) -> bool:
    """Whether a group's rewards differ: only then is there something to learn from it."""
    return len(rewards) > 1 and max(rewards) - min(rewards) > tolerance
