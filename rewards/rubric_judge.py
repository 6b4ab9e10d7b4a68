"""What a judge thinks of an episode by a rubric, on its last turn. Not policy-invariant.

Any model may judge, the policy itself among them (a language model as a judge, arXiv 2306.05685; rewarding oneself,
arXiv 2401.10020). What it is asked and how its verdict is read is in ``agentgym/verdict.py``: a text in the episode
that looks like a verdict is quoted data and changes nothing.

CRAFT-GUI (arXiv 2508.11360) mixes rules and a judge, which is asked about answers in words alone, once the rules are
kept. That is this reward beside others, each with its weight, and ``when``:

    --rewards.success 1 --rewards.rubric-judge 0.5 --rewards.rubric-judge.when 'action ~ "^answer"'
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from agentgym.judge import Asking
from agentgym.registry import register
from agentgym.reward import EpisodeShaper
from agentgym.rewards._watched import Watched
from agentgym.types import Trajectory
from agentgym.verdict import Scale, quoted

__all__ = ["RubricJudge"]


@register
class RubricJudge(Asking, EpisodeShaper):
    """0 to 1 on the last turn: the judge's grade, from the lowest to the highest that there is."""

    def __init__(
        self,
        rubric: Annotated[str, Field(min_length=1)],
        *,
        lowest: float = 0.0,
        highest: float = 10.0,
        when: str = "true",
    ) -> None:
        """Say what to judge by.

        Args:
            rubric: what a good episode is, in words, or a file that holds them.
            lowest: grade of the worst.
            highest: grade of the best.
            when: a formula about the episode, as in the reward "specification"; where it is not so in the last turn,
                the judge is not asked, and the reward is 0.
        """
        self.rubric, self.scale = rubric, Scale.checked(lowest, highest, of="rewards.rubric-judge")
        self._watched = Watched(when, "rubric-judge", "when")

    async def __call__(self, trajectory: Trajectory) -> list[float]:
        """0 for each turn but the last. Raises JudgeError."""
        if not trajectory.turns:
            return []
        earned = (
            await self.graded(self.rubric, quoted(trajectory), self.scale) if self._watched(trajectory)[-1] else 0.0
        )
        return [0.0] * (len(trajectory.turns) - 1) + [earned]
