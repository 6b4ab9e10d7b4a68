"""What it costs to say the same again: the share of an episode's words, in runs, that its reply had already.

A run of ``size`` words that was in the same reply before costs, on the turn that says it, 1/N, where N is the number of
runs in all replies: 0 where nothing is said twice in a reply, and nearly -1 where little else is. GRPO-LEAD (arXiv
2504.09696) takes 1.5 off an episode that repeats itself: ``--rewards.repetition 1.5``. Departs from it in that the cost
grows with what is repeated, where the paper has one for all that it finds; the length of a run is ours.

Replies are not compared with each other, for the form of one is that of the next; but to act twice in the same way, on
the same observation, can be made to cost too. Not policy-invariant.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Annotated

from pydantic import Field

from agentgym.registry import register
from agentgym.reward import EpisodeShaper
from agentgym.types import Trajectory, Turn

__all__ = ["Repetition"]


@register
class Repetition(EpisodeShaper):
    """0 to -1 over an episode; scale it: ``--rewards.repetition 1.5``."""

    def __init__(
        self, *, size: Annotated[int, Field(ge=1)] = 4, repeated_action: Annotated[float, Field(ge=0)] = 0.0
    ) -> None:
        """Choose what is a repetition.

        Args:
            size: words in a run. Upper case is lower case, and words are what stands between blanks.
            repeated_action: what an episode costs in which every turn but the first acts as an earlier one did that
                saw the same; each of them costs its share. 0: actions do not count.
        """
        self.size, self.repeated_action = size, repeated_action

    def __call__(self, trajectory: Trajectory) -> list[float]:
        """What each turn costs."""
        runs = [self._runs(turn.reply) for turn in trajectory.turns]
        num_runs = sum(map(len, runs)) or 1
        acts = _repeated(map(_act, trajectory.turns))
        each = self.repeated_action / max(len(acts) - 1, 1)
        return [-(sum(_repeated(said)) / num_runs + each * act) for said, act in zip(runs, acts, strict=True)]

    def _runs(self, reply: str) -> list[tuple[str, ...]]:
        words = reply.lower().split()
        return [tuple(words[start : start + self.size]) for start in range(len(words) - self.size + 1)]


def _act(turn: Turn) -> tuple[str, str] | None:
    """What was done, and on what; None where nothing was."""
    return None if turn.action is None else (turn.observation, turn.action)


def _repeated(said: Iterable[Hashable | None]) -> list[bool]:
    """Of each whether it came before."""
    seen, found = set[Hashable](), []
    for one in said:
        found.append(one is not None and one in seen)
        seen.add(one)
    return found
