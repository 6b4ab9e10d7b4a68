"""What critics that ask a judge have in common: two episodes are compared in both orders."""

from __future__ import annotations

from agentgym.critic import Critic
from agentgym.judge import Asking
from agentgym.types import Trajectory
from agentgym.verdict import quoted

__all__ = ["Comparing"]


class Comparing(Asking, Critic):
    """A critic whose judge is asked which of two episodes is better, by ``rubric``."""

    flag = "critic"
    rubric: str

    async def compare(self, one: Trajectory, other: Trajectory) -> float:
        """Of the two orders, in how many ``one`` wins; a tie is half a win. Raises JudgeError."""
        return await self.preferred(self.rubric, quoted(one), quoted(other))
