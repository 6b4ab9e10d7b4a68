"""What critics that ask a judge have in common: two episodes are compared in both orders."""

from __future__ import annotations

from agentgym.critic import Critic
from agentgym.judge import Asking
from agentgym.loops import together
from agentgym.types import Trajectory
from agentgym.verdict import one_of, question, quoted

__all__ = ["Comparing"]

_WINS = {"A": 1.0, "B": 0.0, "tie": 0.5}


class Comparing(Asking, Critic):
    """A critic whose judge is asked which of two episodes is better, by ``rubric``."""

    flag = "critic"
    rubric: str

    async def compare(self, one: Trajectory, other: Trajectory) -> float:
        """Of the two orders, in how many ``one`` wins; a tie is half a win. Raises JudgeError."""
        texts = quoted(one), quoted(other)
        first, second = await together([self._wins(*texts), self._wins(*reversed(texts))])
        return (first + 1 - second) / 2

    async def _wins(self, one: str, other: str) -> float:
        asked = question(self.rubric, "A, B or tie: which is better", {"A": one, "B": other})
        return _WINS[one_of(await self.ask(asked), list(_WINS))]
