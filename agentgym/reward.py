"""The contract of a reward: what a finished episode is paid beside what the environment paid.

A reward ("shaper") gives one number for each turn. The usual one looks at one episode at a time: a function, plain or
``async``, or an ``EpisodeShaper`` where it has settings; a ``Shaper`` sees all episodes of a group at once. What there
is to see is the environment's own record (``Turn.reward``, ``Turn.channels``, ``Turn.tool_calls``, …): no shaper sees
what another one gave.

    def brief(trajectory):
        return [-0.001 * len(turn.reply) for turn in trajectory.turns]
"""

from __future__ import annotations

import abc
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

from agentgym.errors import UserError
from agentgym.loops import settled
from agentgym.types import Trajectory

__all__ = ["Discount", "EpisodeReward", "EpisodeShaper", "Shaper", "as_shaper"]

EpisodeReward: TypeAlias = Callable[[Trajectory], Sequence[float] | Awaitable[Sequence[float]]]
"""A number for each turn of an episode, now or once it is awaited."""


class Discount(NamedTuple):
    """How a learner adds up what an episode is paid."""

    gamma: float = 1.0
    """By which what comes later counts less."""
    per: Literal["turn", "token"] = "turn"
    """For each turn, or for each token that the policy sampled."""
    continues: bool = False
    """An episode that a limit cut short goes on, by an estimate of what would have come; otherwise it ends there."""

    def fits(self, other: Discount) -> bool:
        """Whether both add up alike: without a discount, turns and tokens are one."""
        alike = self.gamma == other.gamma and (self.gamma == 1 or self.per == other.per)
        return alike and self.continues == other.continues


class Shaper(abc.ABC):
    """Gives the turns of a group's episodes numbers. What its constructor takes are settings."""

    plugin_kind: ClassVar[str] = "rewards"
    is_invariant: ClassVar[bool] = False
    """Whether it leaves what is optimal as it is, as potentials do (Ng, Harada & Russell, 1999)."""
    needs_group: ClassVar[bool] = False
    """Whether it has nothing to tell of an episode that is alone: beside a trainer that plays no groups it is refused.
    """
    discount: Discount | None = None
    """Under which that holds: a learner that adds up in another way is refused. None: it holds under any."""

    @abc.abstractmethod
    async def shape(self, group: Sequence[Trajectory]) -> list[list[float]]:
        """A list for each episode of ``group`` with a number for each of its turns.

        The group has at least one episode, in the order in which they were asked for; none of them is void. Raises
        JudgeError where whoever judges cannot: the episodes are then not learned from, and counted. A TimeoutError or
        an OSError (no connection) is taken for one.
        """


class EpisodeShaper(Shaper):
    """One that looks at each episode by itself. One that cannot be judged leaves the others of its group alone."""

    @abc.abstractmethod
    def __call__(self, trajectory: Trajectory) -> Sequence[float] | Awaitable[Sequence[float]]:
        """A number for each turn; may be ``async``. Raises JudgeError as ``shape`` does."""

    async def shape(self, group: Sequence[Trajectory]) -> list[list[float]]:
        return [await settled(self(trajectory)) for trajectory in group]


class _Plain(EpisodeShaper):
    """A function of an episode as a shaper."""

    def __init__(self, function: EpisodeReward) -> None:
        self._function = function

    def __call__(self, trajectory: Trajectory) -> Sequence[float] | Awaitable[Sequence[float]]:
        return self._function(trajectory)


def as_shaper(reward: Any) -> Shaper:
    """``reward`` itself, or the function that it is as a shaper. Raises UserError when it is neither."""
    if isinstance(reward, Shaper):
        return reward
    if not callable(reward):
        raise UserError(
            f"a reward is an agentgym.Shaper or a function of a trajectory, found {type(reward).__name__} "
            f"{reward!r:.80}"
        )
    return _Plain(reward)
