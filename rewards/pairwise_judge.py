"""How often an episode wins against the others of its group before a judge, on its last turn. Not policy-invariant.

Pairwise-RL (arXiv 2504.04950) rewards the probability of winning against an anchor, from both orders of the two, whose
mean does not depend on which a judge likes better for its place. Here a small group plays everybody against everybody,
and a large one against its first member, which costs one comparison a member in place of half as many as there are.
Departs from the paper in asking for a word, A, B or tie, and not for the probability of a token, which a server may
not tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Annotated

from pydantic import Field

from agentgym.judge import Asking
from agentgym.loops import together
from agentgym.registry import register
from agentgym.reward import Shaper
from agentgym.types import Trajectory
from agentgym.verdict import quoted

__all__ = ["PairwiseJudge", "pairs"]


def pairs(num: int, *, round_robin: int) -> list[tuple[int, int]]:
    """Which of ``num`` members are compared: all with all up to ``round_robin`` members, otherwise all with the first.

    A lone member is compared with itself.

    >>> pairs(3, round_robin=4), pairs(4, round_robin=3), pairs(1, round_robin=4)
    ([(0, 1), (0, 2), (1, 2)], [(0, 1), (0, 2), (0, 3)], [(0, 0)])
    """
    if num == 1:
        return [(0, 0)]
    return list(combinations(range(num), 2)) if num <= round_robin else [(0, other) for other in range(1, num)]


@register
class PairwiseJudge(Asking, Shaper):
    """0 to 1 on the last turn: the share of its comparisons that an episode wins, each judged in both orders.

    One that fails takes the group out of learning. An episode without others is as good as itself: 0.5.
    """

    needs_group = True

    def __init__(
        self, rubric: Annotated[str, Field(min_length=1)], *, round_robin: Annotated[int, Field(ge=1)] = 4
    ) -> None:
        """Say what to judge by.

        Args:
            rubric: what makes one episode better than another, in words, or a file that holds them.
            round_robin: largest group in which everybody is compared with everybody.
        """
        self.rubric, self.round_robin = rubric, round_robin

    async def shape(self, group: Sequence[Trajectory]) -> list[list[float]]:
        texts = [quoted(member) for member in group]
        compared = pairs(len(group), round_robin=self.round_robin)
        shares = await together(self.preferred(self.rubric, texts[one], texts[other]) for one, other in compared)
        won: list[list[float]] = [[] for _ in group]
        for (one, other), share in zip(compared, shares, strict=True):
            won[one].append(share)
            won[other].append(1 - share)
        means = [sum(shares) / len(shares) for shares in won]
        return [
            [0.0] * (len(member.turns) - 1) + [mean] if member.turns else []
            for member, mean in zip(group, means, strict=True)
        ]
