"""The share of the user's turns that were done right, all of those that the episode has counted.

    R = (1/T) Σ_t r_t        r_t = r_state · r_exec

(Environment Tuning, arXiv 2510.10197): of T turns of the user, each is paid with the turn of the policy that ends it.
T is what the episode has and not what was reached: who stops early, or is stopped, has nothing of the turns that never
came. (The authors' code divides by the turns that were reached, which pays an episode for being cut after an easy one.)

What makes a turn right is the environment's to say. ``bfcl`` says it as the paper does: the state is that of the
ground truth, and the ground truth's results of the turn are among all results so far; where nothing should be called,
nothing was. Its own ``reward="progress"`` pays just this, so take one of them. Not policy-invariant.
"""

from __future__ import annotations

from agentgym.errors import UserError
from agentgym.registry import register
from agentgym.reward import EpisodeShaper, check_reported, unreported
from agentgym.types import Trajectory

__all__ = ["Progress"]


@register
class Progress(EpisodeShaper):
    """1/T for each of the T turns of the user that is right, 1 in all."""

    def __init__(self, *, verdict: str = "turn_success", turns: str = "user_turns") -> None:
        """Choose the channels.

        Args:
            verdict: what the environment reports with the turn that ends one of the user's: 1 if that is right, else 0,
                or what is in between.
            turns: what it reports at the reset: how many turns the user has in the episode.
        """
        self.verdict, self.turns = verdict, turns

    def __call__(self, trajectory: Trajectory) -> list[float]:
        """What each turn is paid. Raises UserError where the channels are not reported, or do not agree."""
        verdicts = [turn.channels.get(self.verdict) for turn in trajectory.turns]
        num_ended = sum(verdict is not None for verdict in verdicts)
        advice = "choose one with --rewards.progress."
        check_reported("progress", trajectory, self.verdict, at_end=True, advice=f"{advice}verdict")
        if not num_ended:
            return [0.0] * len(verdicts)
        total = trajectory.channels.get(self.turns)
        if total is None:
            raise unreported("progress", trajectory, self.turns, advice=f"{advice}turns, reported at the reset")
        if total < num_ended:
            raise UserError(
                f'reward "progress": {trajectory.env} reports "{self.turns}" {total:g} at the reset, and '
                f'"{self.verdict}" {num_ended} times, expected no more often than the user has turns'
            )
        return [0.0 if verdict is None else verdict / total for verdict in verdicts]
