"""What a number of the environment's own changes by, turn by turn: shaping that changes no optimum.

    F(s, s') = γ Φ(s') - Φ(s)

(Ng, Harada & Russell, 1999) with the potential Φ that the environment reports as a channel. Nothing
comes after an episode, so Φ is 0 there, however it ended (Grześ, "Reward Shaping in Episodic Reinforcement Learning",
2017): with γ = 1 the turns of every episode sum up to -Φ(s_0). That is the same for all members of a group, so methods
that compare sums (grpo, rloo) see no difference; it tells the turns apart for those that look at turns (ppo with
``lam`` below 1, grpo with anchors).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from agentgym.errors import UserError
from agentgym.registry import register
from agentgym.reward import EpisodeShaper
from agentgym.types import Trajectory

__all__ = ["Potential"]


@register
class Potential(EpisodeShaper):
    """What a channel of the environment gains with each turn, paid back at the end of the episode.

    A turn that does not report it leaves it as it was; before the first report it is 0.
    """

    is_invariant = True

    def __init__(
        self, channel: str, *, gamma: Annotated[float, Field(gt=0, le=1)] = 1.0, continues: bool = False
    ) -> None:
        """Choose the channel.

        Args:
            channel: name of the number, one of those that the environment reports in ``info["channels"]``.
            gamma: discount of a turn, which must be the learner's.
            continues: an episode that a limit cut short keeps its last potential, for a learner that estimates what
                would have come (ppo). Others take a cut for an end.
        """
        self.channel, self.gamma, self.continues = channel, gamma, continues

    def __call__(self, trajectory: Trajectory) -> list[float]:
        """γ Φ after each turn minus Φ before it. Raises UserError where the environment reports no such channel."""
        potentials = self._potentials(trajectory)
        if potentials and not (self.continues and trajectory.truncated):
            potentials[-1] = 0.0
        before = [trajectory.channels.get(self.channel, 0.0), *potentials]
        return [self.gamma * after - now for now, after in zip(before, potentials, strict=False)]

    def _potentials(self, trajectory: Trajectory) -> list[float]:
        """Φ after each turn."""
        reports = [trajectory.channels, *(turn.channels for turn in trajectory.turns)]
        known = {name for report in reports for name in report}
        has_acted = any(turn.action is not None for turn in trajectory.turns)
        if self.channel not in known and (known or has_acted):
            raise UserError(
                f'reward "potential": in a whole episode {trajectory.env} reports no '
                f'info["channels"]["{self.channel}"]; '
                f"reported: {', '.join(sorted(known)) or 'none'}; choose one with --rewards.potential.channel"
            )
        now, potentials = 0.0, []
        for report in reports:
            now = report.get(self.channel, now)
            potentials.append(now)
        return potentials[1:]
