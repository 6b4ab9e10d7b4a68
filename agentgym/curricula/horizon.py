"""Episodes that may take more and more turns: the horizon grows while training goes on.

All tasks are played alike. The turns that an episode may have are ``start`` in the first phase and ``step`` more in
each further one, h(k) = start + k · step; after the last phase it has all that the environment and
``--rollout.max_turns`` give (ScalingInter-RL, arXiv 2509.08755: a horizon that grows by a constant every so many
updates). The smaller limit always counts, and evaluation and demonstrations have none from here.

Short episodes cost little. With the simulated learner of the tests, whose rungs take ever more turns, it masters six in
three quarters of the turns that ``uniform`` takes. In episodes it does not win, for those of the far rungs are cut
short. It does not look at success: what is forgotten later is played as ``uniform`` plays it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from agentgym.curriculum import Curriculum
from agentgym.draw import Draw
from agentgym.registry import register
from agentgym.types import TaskId

__all__ = ["Horizon"]

Count = Annotated[int, Field(ge=1)]


@register
class Horizon(Curriculum):
    """Every task as often as any other; the turns that an episode may have grow from phase to phase."""

    of_policy: ClassVar[bool] = True

    def __init__(
        self,
        tasks: Sequence[TaskId],
        *,
        seed: int,
        start: Count = 5,
        step: Count = 5,
        phase: Count = 512,
        phases: Count = 2,
    ) -> None:
        """
        Args:
            start: Turns that an episode of the first phase may have.
            step: How many more it may have in each further phase.
            phase: Ordinals of a phase.
            phases: Phases after which the horizon is as far as the environment and the limits let it be.
        """
        super().__init__(tasks, seed=seed)
        self.start, self.step, self.phase, self.phases = start, step, phase, phases

    def draw(self, ordinal: int) -> Draw:
        now = ordinal // self.phase
        return Draw(task=self.order[ordinal], max_turns=self.start + now * self.step if now < self.phases else None)
