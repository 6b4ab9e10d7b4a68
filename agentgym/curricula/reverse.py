"""From the end to the beginning: an expert plays the first turns, fewer and fewer, and the policy goes on from there.

Where a task pays at its end alone, a policy that begins at the beginning may never be paid. From the last turn of an
expert's episode on it is paid often, and what it learns there makes the turn before easy: reverse curriculum generation
(arXiv 1707.05300), starts along a demonstration (arXiv 1807.06919, 1812.03381: back by a step when success is at
or above a threshold), and rolling in with a guide (RLGF, arXiv 2306.11816). Two departures: it comes again to later
starts where success is rare, and one number of turns holds for all tasks, whose experts may need more turns or fewer:
an episode that the expert ends itself teaches nothing and counts as solved.

What the expert says is not learned from. Of every ``every`` ordinals one begins at the beginning, as all episodes of
measuring do; success there ends the schedule's last step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from agentgym.curricula._arms import recent, review
from agentgym.curriculum import Curriculum, Outcome
from agentgym.draw import Draw
from agentgym.errors import ConfigError
from agentgym.registry import register
from agentgym.types import TaskId

__all__ = ["Reverse"]

Share = Annotated[float, Field(ge=0, le=1)]


@register
class Reverse(Curriculum):
    """An expert plays the first turns, fewer as the policy succeeds from there on; the level is the turns left out."""

    def __init__(
        self,
        tasks: Sequence[TaskId],
        *,
        seed: int,
        start: Annotated[int, Field(ge=1)] = 8,
        low: Share = 0.1,
        high: Share = 0.5,
        evidence: Annotated[float, Field(ge=1)] = 16,
        every: Annotated[int, Field(ge=2)] = 8,
    ) -> None:
        """
        Args:
            start: Turns that the expert plays at first, such as those of its usual episode less one.
            low: Success at or below this is too rare: the expert plays one more turn.
            high: Success at or above this is enough: the expert plays one turn fewer.
            evidence: Episodes of a start that are needed before it is left.
            every: Of so many ordinals, one begins at the beginning.
        """
        super().__init__(tasks, seed=seed)
        if not low < high:
            raise ConfigError(
                f"curriculum.low must be below curriculum.high, found {low} and {high}; "
                "type such as --curriculum.low 0.1 --curriculum.high 0.5"
            )
        self.start, self.low, self.high, self.evidence, self.every = start, low, high, evidence, every
        self.shown = start
        """Turns that the expert plays now."""
        self.counts = (0.0, 0.0)
        """(successes, episodes) from there on."""

    @property
    def needs_expert(self) -> bool:
        return True

    def draw(self, ordinal: int) -> Draw:
        shown = 0 if review(ordinal, self.every) is not None else self.shown
        return Draw(task=self.order[ordinal], shown_turns=shown, level=self.start - shown)

    def learn(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            if outcome.draw.shown_turns == self.shown and outcome.successes:
                self.counts = recent(self.counts, outcome.successes, self.evidence)
        successes, episodes = self.counts
        if episodes < self.evidence:
            return
        share = successes / episodes
        step = -1 if share >= self.high else 1 if share <= self.low else 0
        goal = min(max(0, self.shown + step), self.start)
        if goal != self.shown:
            self.shown, self.counts = goal, (0.0, 0.0)

    def report(self) -> dict[str, Any]:
        """How many turns the expert played at first and at the end."""
        return {"shown_turns": {"first": self.start, "last": self.shown}}

    def state(self) -> dict[str, Any]:
        return {"shown": self.shown, "counts": list(self.counts)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.shown = min(int(state["shown"]), self.start)
        successes, episodes = state["counts"]
        self.counts = float(successes), float(episodes)
