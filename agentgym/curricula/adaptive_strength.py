"""Help that falls as success rises.

All tasks are played alike, at a strength that falls from ``strongest`` to 0, in proportion, while success rises from
``low`` to ``high``, and rises again where success falls. Success is that of episodes without help, where there were any
of late: it is what is wanted, and what help does to success does not feed back. Where every episode had help, success
with it is all there is to go by, and the strength settles where help just keeps success in the band.

How much an environment's answers help may be taken back in stages (Environment Tuning, arXiv 2510.10197: hints in
training, none in the last stage). Here success decides when, and there is no stage to choose.

With the simulated learner of the tests, who learns half as much from an episode with help, and half of whose episodes
have none, it masters six levels in seven eighths of the episodes that ``uniform`` takes without help, and in a
twentieth fewer than under help that never falls. Where the learner forgets all but the first it takes as many as
``uniform``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from agentgym.curricula._arms import Share, check_band, recent
from agentgym.curriculum import Curriculum, Outcome
from agentgym.draw import Draw
from agentgym.registry import register
from agentgym.types import TaskId

__all__ = ["AdaptiveStrength"]

_ENOUGH = 4.0
"""With fewer recent episodes without help, those with help count too."""


@register
class AdaptiveStrength(Curriculum):
    """Every task as often as any other; the environment helps the less the more the policy succeeds without help."""

    def __init__(
        self,
        tasks: Sequence[TaskId],
        *,
        seed: int,
        low: Share = 0.1,
        high: Share = 0.6,
        strongest: Annotated[float, Field(gt=0, le=1)] = 1.0,
        half_life: Annotated[float, Field(ge=1)] = 64,
    ) -> None:
        """
        Args:
            low: Success at or below which help is strongest.
            high: Success at or above which there is none.
            strongest: Strength of the strongest help.
            half_life: Episodes after which older ones count half.
        """
        super().__init__(tasks, seed=seed)
        check_band(low, high)
        self.low, self.high, self.strongest, self.half_life = low, high, strongest, half_life
        self.clean = (0.0, 0.0)
        """Successes and episodes of late, of those without help."""
        self.all = (0.0, 0.0)
        """The same of all."""

    def draw(self, ordinal: int) -> Draw:
        return Draw(task=self.order[ordinal], strength=self.strength)

    @property
    def strength(self) -> float:
        """Of the help that is given now."""
        successes, episodes = self.clean if self.clean[1] >= _ENOUGH else self.all
        success = successes / episodes if episodes else 0.0
        return self.strongest * min(1.0, max(0.0, (self.high - success) / (self.high - self.low)))

    def learn(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            strengths = outcome.strengths or [outcome.draw.strength or 0.0] * len(outcome.successes)
            told = zip(outcome.successes, strengths, strict=True)
            clean = [success for success, strength in told if strength == 0]
            self.all = recent(self.all, outcome.successes, self.half_life)
            kept = 0.5 ** (len(outcome.successes) / self.half_life)  # so that what was clean long ago is forgotten
            self.clean = (kept * self.clean[0] + sum(clean), kept * self.clean[1] + len(clean))

    def state(self) -> dict[str, Any]:
        return {"clean": [*self.clean], "all": [*self.all]}

    def load_state(self, state: Mapping[str, Any]) -> None:
        (self.clean, self.all) = ((pair[0], pair[1]) for pair in (state["clean"], state["all"]))
