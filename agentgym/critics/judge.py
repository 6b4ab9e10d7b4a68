"""A language model that grades an episode by a rubric, or says which of two is better.

AgentRM's judge (arXiv 2502.18407), without training.

Any model may judge, the policy itself among them: then one model acts and judges what it did (on-policy
self-judgment, JSFT), which is ``judge policy``. What it is asked and how its verdict is read is in ``verdict.py``: a
text in the episode that looks like a verdict is quoted data and changes nothing.

Departs from AgentRM, whose judge is shown all candidates at once and names the best: here each is graded by itself, or
two are compared in both orders (``critic.wins`` ranks several so), so that the place in a list counts for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from agentgym.critics._comparing import Comparing
from agentgym.loops import together
from agentgym.registry import register
from agentgym.types import Trajectory
from agentgym.verdict import Scale, quoted

__all__ = ["JudgeCritic"]


@register
class JudgeCritic(Comparing):
    """0 to 1: the judge's grade, from the lowest to the highest that there is. Compares in both orders."""

    def __init__(
        self, rubric: Annotated[str, Field(min_length=1)], *, lowest: float = 0.0, highest: float = 10.0
    ) -> None:
        """Say what to judge by.

        Args:
            rubric: what a good episode is, in words, or a file that holds them.
            lowest: grade of the worst.
            highest: grade of the best.
        """
        self.rubric, self.scale = rubric, Scale.checked(lowest, highest, of="critic")

    async def score(self, trajectories: Sequence[Trajectory]) -> list[float]:
        return await together(self.graded(self.rubric, quoted(each), self.scale) for each in trajectories)
