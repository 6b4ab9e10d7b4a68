"""Groups: several episodes of one task from one start, which are compared with each other.

Where the environment is augmented, some of each group play it as it is: the clean share, from which can be seen, and
learned, what is done without. How well an episode went says more of the augmentations than of the policy where theirs
differ in strength, so those of one task are a group for each strength, unless they are to be mixed.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence

from pydantic import Field, model_validator

from agentgym.config import Settings
from agentgym.curriculum import Curriculum, drawn
from agentgym.rollout import EpisodeSpec, seed_of
from agentgym.types import Trajectory

__all__ = ["Group", "GroupSettings", "group_specs", "grouped", "is_informative", "specs_of", "untaught"]


class GroupSettings(Settings):
    """Settings of every trainer that compares episodes of the same task."""

    groups: int = Field(16, ge=1)
    """Tasks an update."""
    group_size: int = Field(8, ge=2)
    """Episodes of each task."""
    clean_share: float | None = Field(None, ge=0, lt=1)
    """Share of each group that plays without augmentations where the others play with some; none given: 0.25 of four or
    more, two at least."""
    mix_strengths: bool = False
    """Compare episodes with each other that had augmentations of different strength."""

    @property
    def num_clean(self) -> int:
        """Episodes of a group that play without augmentations where the others play with some."""
        if self.clean_share is None:
            return max(2, round(_CLEAN_SHARE * self.group_size)) if self.group_size >= 4 else 0
        return round(self.clean_share * self.group_size)

    @model_validator(mode="after")
    def _can_be_compared(self) -> GroupSettings:
        num, size = self.num_clean, self.group_size
        if self.clean_share and not num:
            raise ValueError(
                f"clean_share {self.clean_share:g} of a group_size of {size} is no episode; raise it, or 0"
            )
        if self.mix_strengths and not num:
            raise ValueError("mix_strengths has no effect where all of a group have one strength; raise clean_share")
        if num and not self.mix_strengths and min(num, size - num) < 2:
            raise ValueError(
                f"clean_share {self.clean_share:g} of a group_size of {size} leaves an episode with nothing to be "
                "compared with: there must be two with and two without; or set mix_strengths, or clean_share 0"
            )
        return self

    def group_specs(
        self, draws: Curriculum, update: int, *, ordinals: range | None = None, first: int | None = None
    ) -> list[EpisodeSpec]:
        """The episodes of an update, group after group: those of its ordinals, of which ``first`` is the first."""
        first = update * self.groups if first is None else first
        ordinals = range(first, first + self.groups) if ordinals is None else ordinals
        sizes = {"group_size": self.group_size, "num_clean": self.num_clean}
        return specs_of(draws, update, ordinals, first=first, **sizes)

    def grouped(self, trajectories: Sequence[Trajectory], *, keep_truncated: bool = True) -> list[Group]:
        """Episodes by what they are compared with."""
        return grouped(trajectories, keep_truncated=keep_truncated, mix_strengths=self.mix_strengths)


_CLEAN_SHARE = 0.25


@dataclasses.dataclass(slots=True)
class Group:
    """The episodes of one task that count and are compared: those of one strength, unless strengths are mixed."""

    ordinal: int | None
    members: list[Trajectory]
    strength: float | None = None
    """Of the augmentations that they had; None where that is mixed."""

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
    """The episodes of an update that has ``groups`` tasks, as every other has, group after group."""
    first = update * groups
    return specs_of(draws, update, range(first, first + groups), first=first, group_size=group_size)


def specs_of(
    draws: Curriculum, update: int, ordinals: range, *, first: int, group_size: int, num_clean: int = 0
) -> list[EpisodeSpec]:
    """The episodes of ``ordinals`` of an update, group after group. Members share draw and environment seed.

    ``first`` is the update's first ordinal, from which its groups are numbered. The last ``num_clean`` of each group
    play at strength 0, whatever was drawn.
    """
    plays = [(ordinal, drawn(draws, ordinal)) for ordinal in ordinals]
    return [
        EpisodeSpec(
            task=draw.task,
            options=draw.options,
            level=draw.level,
            strength=(draw.strength or 0.0) if member < group_size - num_clean else 0.0,
            shown_turns=draw.shown_turns,
            rewards=draw.rewards,
            max_turns=draw.max_turns,
            split="train",
            seed=seed_of(draws.seed, "train", ordinal),
            member=member,
            group_id=f"{update}-{ordinal - first}",
            ordinal=ordinal,
            episode_id=f"{update}-{ordinal - first}-{member}",
        )
        for ordinal, draw in plays
        for member in range(group_size)
    ]


def grouped(
    trajectories: Sequence[Trajectory], *, keep_truncated: bool = True, mix_strengths: bool = False
) -> list[Group]:
    """Episodes by group and, without ``mix_strengths``, by strength, in the order in which the groups began.

    Episodes that are unfit do not count, nor without ``keep_truncated`` those that a limit cut short.
    """
    groups: dict[tuple[str, float | None], Group] = {}
    for trajectory in trajectories:
        strength = None if mix_strengths else trajectory.strength
        key = trajectory.group_id, strength
        group = groups.setdefault(key, Group(trajectory.ordinal, [], strength))
        if not trajectory.unfit and (keep_truncated or not trajectory.truncated):
            group.members.append(trajectory)
    return list(groups.values())


def untaught(groups: Sequence[Group], reasons: Sequence[str]) -> dict[int, str]:
    """Why, for each ordinal of which no group teaches anything; ``reasons`` has "" for one that does."""
    taught = {group.ordinal for group, reason in zip(groups, reasons, strict=True) if not reason}
    found: dict[int, str] = {}
    for group, reason in zip(groups, reasons, strict=True):
        if group.ordinal is not None and group.ordinal not in taught:
            found.setdefault(group.ordinal, reason)
    return found


def is_informative(rewards: Sequence[float], tolerance: float = 1e-9) -> bool:
    """Whether a group's rewards differ: only then is there something to learn from it."""
    return len(rewards) > 1 and max(rewards) - min(rewards) > tolerance
