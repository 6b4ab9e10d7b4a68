"""The contract of a reward: what a finished episode is paid beside what the environment paid.

A reward ("shaper") gives one number for each turn. The usual one looks at one episode at a time: a function, plain or
``async``, or an ``EpisodeShaper`` where it has settings; a ``Shaper`` sees all episodes of a group at once. What there
is to see is the environment's own record (``Turn.reward``, ``Turn.channels``, ``Turn.tool_calls``, …): no shaper sees
what another one gave.

    def brief(trajectory):
        return [-0.001 * len(turn.reply) for turn in trajectory.turns]

Channels that several rewards read, under these names unless a setting says another; an environment reports those that
it knows:

    user_turns       at the reset: turns of the user that the episode has, whether they are reached or not
    turn_success     with the turn that ends one of the user's: how well that was done, in [0, 1]
    calls            with each turn: calls of tools that were answered, whether run or refused
    failed_calls     with each turn: those of them that were refused or failed
    made_calls       where calls are compared with a reference: those that were made since the last comparison
    expected_calls   there too: those that the reference makes; the reference itself stays in the environment
    matched_calls    there too: those in both, in any order and however their values are written
    exact_calls      there too: those in both, in order and to the letter, up to the first that differs

The last four come together, from ``agentgym.tools.compared``, so that one place says when two calls are the same.
"""

from __future__ import annotations

import abc
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

from agentgym.errors import UserError
from agentgym.loops import settled
from agentgym.types import StopReason, Trajectory

__all__ = [
    "Discount",
    "EpisodeReward",
    "EpisodeShaper",
    "Shaper",
    "as_shaper",
    "check_reported",
    "on_last_turn",
    "unreported",
]

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

    async def open(self) -> None:  # noqa: B027  # most need nothing
        """Load what it needs; a run awaits it before the first episode. Raises UserError for what there is not."""

    async def close(self) -> None:  # noqa: B027
        """Let go of that, whether ``open`` was awaited or not."""

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


def on_last_turn(trajectory: Trajectory, value: float) -> list[float]:
    """``value`` for the last turn and 0 for the others: what a whole episode is paid."""
    return [0.0] * (len(trajectory.turns) - 1) + [value] if trajectory.turns else []


def check_reported(
    reward: str, trajectory: Trajectory, channel: str, *, at_end: bool = False, advice: str = ""
) -> None:
    """Raise UserError where something was done in an episode and no turn reports ``channel``.

    ``at_end``: it need be reported only in episodes that come to the end that the environment has for them.
    """
    has_acted = any(turn.action is not None for turn in trajectory.turns)
    may_lack = at_end and trajectory.stop_reason is not StopReason.TERMINATED
    if has_acted and not may_lack and not any(channel in turn.channels for turn in trajectory.turns):
        raise unreported(reward, trajectory, channel, advice=advice)


def unreported(reward: str, trajectory: Trajectory, channel: str, *, advice: str = "") -> UserError:
    """What to raise where the environment of ``trajectory`` does not report what ``reward`` is made of."""
    reports = [trajectory.channels, *(turn.channels for turn in trajectory.turns)]
    known = ", ".join(sorted({name for report in reports for name in report})) or "none"
    return UserError(
        f'reward "{reward}": in a whole episode {trajectory.env} reports no info["channels"]["{channel}"]; '
        f"reported: {known}; {advice or 'choose another reward, or report it (see agentgym/reward.py)'}"
    )
