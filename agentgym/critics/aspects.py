"""Several aspects of an episode, asked one after the other and weighted; the judge may read its critique and revise it.

MultiCritique builds its critiques criterion by criterion before they are drawn together, and RefCritic's critics are
worth what a revision by their critique gains. Here both are ways to ask, of any judge: a grade for each aspect
by its own question, and with ``rounds`` the judge is shown what it wrote and may grade anew, as often as that says.

Departs from both, in which a critic is trained: what several models wrote is data for that, and so is whether a
critique helped. See ``judged_pairs.py`` for pairs that a judge makes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field

from agentgym.critics._comparing import Comparing
from agentgym.errors import ConfigError
from agentgym.loops import together
from agentgym.registry import register
from agentgym.types import Trajectory
from agentgym.verdict import Scale, as_data, question, quoted

__all__ = ["Aspects"]

_REVISE = (
    "{rubric}\n\nYou have judged this before. What you wrote is quoted as the critique. Read it against the episode: "
    "say where it is wrong or incomplete, and judge anew."
)


@register
class Aspects(Comparing):
    """0 to 1: the weighted mean of the judge's grades for each aspect."""

    def __init__(
        self,
        aspects: Annotated[dict[str, str], Field(min_length=1)],
        *,
        weights: dict[str, Annotated[float, Field(gt=0)]] | None = None,
        rounds: Annotated[int, Field(ge=0)] = 0,
        lowest: float = 0.0,
        highest: float = 10.0,
    ) -> None:
        """Say what to judge by.

        Args:
            aspects: what to look at, by name, each in words: {goal = "Is it nearer to its goal?"}.
            weights: how much an aspect counts, by name; 1 where none is given.
            rounds: how often the judge reads its own critique and may revise it.
            lowest: grade of the worst.
            highest: grade of the best.
        """
        self.aspects, self.weights, self.rounds = aspects, dict.fromkeys(aspects, 1.0) | (weights or {}), rounds
        if unknown := sorted(self.weights.keys() - aspects.keys()):
            raise ConfigError(
                f'critic.weights has "{unknown[0]}", which is no aspect; expected {", ".join(aspects)}, or add it to '
                "aspects"
            )
        self.scale = Scale.checked(lowest, highest, of="critic")
        self.rubric = "\n".join(aspects.values())
        """By which two episodes are compared: all aspects at once."""

    async def score(self, trajectories: Sequence[Trajectory]) -> list[float]:
        return await together(self._weighed(trajectory) for trajectory in trajectories)

    async def grades(self, trajectory: Trajectory) -> dict[str, float]:
        """The grade of each aspect, from 0 to 1. Raises JudgeError."""
        text = quoted(trajectory)
        return {name: await self._graded(rubric, text) for name, rubric in self.aspects.items()}

    async def _weighed(self, trajectory: Trajectory) -> float:
        return weighted_mean(await self.grades(trajectory), self.weights)

    async def _graded(self, rubric: str, text: str) -> float:
        asked = question(rubric, self.scale.form, {"episode": text})
        for _ in range(self.rounds):
            critique = as_data([{"critique": await self.reply(asked)}])
            asked = question(_REVISE.format(rubric=rubric), self.scale.form, {"episode": text, "critique": critique})
        return self.scale.share(await self.ask(asked))


def weighted_mean(grades: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """∑ w g / ∑ w.

    >>> weighted_mean({"goal": 1.0, "form": 0.0}, {"goal": 3.0, "form": 1.0})
    0.75
    """
    return math.fsum(weights[name] * grade for name, grade in grades.items()) / math.fsum(weights.values())
