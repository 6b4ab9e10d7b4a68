"""The contract of a critic: how good an episode stands, finished or not.

A search asks it what to go on with, best-of-N which episode to keep, the reward ``critic`` what to pay. It sees no more
than what is on record, and an episode's last turn is the one it is asked about: to have an earlier moment scored, hand
it the episode up to there. One critic's scores compare with each other and with nobody else's.

What it fails to do is a JudgeError, which whoever asks counts: never a 0.
"""

from __future__ import annotations

import abc
import itertools
import math
from collections.abc import Sequence
from typing import ClassVar

from agentgym.errors import JudgeError
from agentgym.loops import together
from agentgym.types import Trajectory

__all__ = ["Critic", "chance", "finite", "wins"]


class Critic(abc.ABC):
    """Scores episodes. What its constructor takes are settings.

    One that derives from ``judge.Asking`` too is appointed its judge by whoever made it, before ``open``.
    """

    plugin_kind: ClassVar[str] = "critics"

    async def open(self) -> None:  # noqa: B027  # most need nothing
        """Load what it needs; awaited once, before it is asked. Raises UserError for what there is not."""

    async def close(self) -> None:  # noqa: B027
        """Let go of that, whether ``open`` was awaited or not."""

    @abc.abstractmethod
    async def score(self, trajectories: Sequence[Trajectory]) -> list[float]:
        """For each episode a finite number: how good it stands at its last turn, higher is better.

        Each has at least one turn. Raises JudgeError where one cannot be scored: then none of them is. Raises UserError
        for a mistake in what was set up, such as episodes of another tokenizer.
        """

    async def compare(self, one: Trajectory, other: Trajectory) -> float:
        """The probability, in [0, 1], that ``one`` is better than ``other``. Raises as ``score`` does.

        Unless a critic knows better: σ(score of one − score of other), which is what the scores mean where they were
        learned from preferences (Bradley-Terry).
        """
        first, second = await self.score([one, other])
        return chance(first, second)


def chance(one: float, other: float) -> float:
    """σ(one − other): how likely the first of two scores is the better one's.

    >>> chance(2, 2), round(chance(1, 0), 3), chance(-2000, 0)
    (0.5, 0.731, 0.0)
    """
    difference = one - other
    if difference >= 0:
        return 1 / (1 + math.exp(-difference))
    return math.exp(difference) / (1 + math.exp(difference))


def finite(scores: Sequence[float]) -> list[float]:
    """``scores`` as they are. Raises JudgeError where one is no finite number."""
    for score in scores:
        if not math.isfinite(score):
            raise JudgeError(f"the critic's score is {score}, expected a finite number")
    return list(scores)


async def wins(critic: Critic, trajectories: Sequence[Trajectory]) -> list[float]:
    """Of each episode the mean probability that it is better than another one, everybody compared with everybody.

    A lone one is as good as itself: 0.5. Raises JudgeError where a comparison fails.
    """
    won: list[list[float]] = [[] for _ in trajectories]
    pairs = list(itertools.combinations(range(len(trajectories)), 2))
    shares = await together(critic.compare(trajectories[one], trajectories[other]) for one, other in pairs)
    for (one, other), share in zip(pairs, shares, strict=True):
        won[one].append(share)
        won[other].append(1 - share)
    return [math.fsum(shares) / len(shares) if shares else 0.5 for shares in won]
