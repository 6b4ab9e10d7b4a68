"""What a number that tells how far an episode is changes by, turn by turn: shaping that changes no optimum.

    F(s, s') = γ Φ(s') - Φ(s)

(Ng, Harada & Russell, 1999) with the potential Φ that the environment reports as a channel, or that a function in a
file of yours gives. Nothing comes after an episode, so Φ is 0 there, however it ended (Grześ, "Reward Shaping in
Episodic Reinforcement Learning", 2017): with γ = 1 the turns of every episode sum up to -Φ(s_0). That is the same for
all members of a group, so methods that compare sums (grpo, rloo) see no difference; it tells the turns apart for those
that look at turns (ppo with ``lam`` below 1, grpo with anchors).

A learner that discounts each of a turn's n sampled tokens (ppo) takes the turn's reward for that of the last of them.
There the same sum comes from γ Φ(s') - γ^(1 - n) Φ(s). A learner with another discount is refused.
"""

from __future__ import annotations

import inspect
import math
import numbers
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from agentgym.blame import place
from agentgym.errors import AgentGymError, ConfigError, UserError
from agentgym.own_files import function_from
from agentgym.registry import register
from agentgym.reward import Discount, EpisodeShaper
from agentgym.rewards._channels import refuse_unreported
from agentgym.types import Trajectory

__all__ = ["Potential"]


@register
class Potential(EpisodeShaper):
    """What a number gains with each turn, paid back at the end of the episode."""

    is_invariant = True

    def __init__(
        self,
        channel: Annotated[str, Field(min_length=1)] | None = None,
        *,
        file: Annotated[str, Field(pattern=r"\.py:\w+$")] | None = None,
        gamma: Annotated[float, Field(gt=0, le=1)] = 1.0,
        per: Literal["turn", "token"] = "turn",
        continues: bool = False,
    ) -> None:
        """Choose where the number comes from: a channel, or a file. A run is refused that adds up otherwise.

        Args:
            channel: name of the number, one of those that the environment reports in ``info["channels"]``; a turn that
                does not report it leaves it as it was, and before the first report it is 0.
            file: path/to/file.py:name of a function that gives the number instead: of an episode as far as it has
                come, whose final_observation is what the policy sees now.
            gamma: the learner's discount.
            per: whether it discounts each turn, or each token that was sampled (ppo).
            continues: an episode that a limit cut short keeps its last potential, for a learner that estimates what
                would have come (ppo with bootstrap). Others take a cut for an end.
        """
        if (channel is None) == (file is None):
            raise ConfigError(
                f"rewards.potential has {'neither' if file is None else 'both'} channel and file, expected one; type: "
                "--rewards.potential.channel NAME, or --rewards.potential.file my.py:phi"
            )
        self.channel, self.file = channel, file
        self.discount: Discount = Discount(gamma, per, continues)
        self._phi = None if file is None else function_from(file)

    def __call__(self, trajectory: Trajectory) -> list[float]:
        """γ Φ after each turn minus Φ before it; for a discount of tokens Φ before it counts γ^(1 - n) times.

        Raises UserError where the environment reports no such channel, or the function gives no number.
        """
        gamma, per, continues = self.discount
        first, *potentials = self._reported(trajectory) if self._phi is None else self._told(trajectory)
        if potentials and not (continues and _goes_on(trajectory)):
            potentials[-1] = 0.0
        lengths = _lengths(trajectory) if per == "token" else [1] * len(potentials)
        pairs = zip(lengths, [first, *potentials], potentials, strict=False)
        return [gamma * after - _times(now, gamma, 1 - length) for length, now, after in pairs]

    def _reported(self, trajectory: Trajectory) -> list[float]:
        """Φ at the reset and after each turn, as the environment reports it."""
        assert self.channel is not None
        refuse_unreported(trajectory, [self.channel], "potential", "--rewards.potential.channel")
        now, potentials = 0.0, []
        for report in [trajectory.channels, *(turn.channels for turn in trajectory.turns)]:
            now = report.get(self.channel, now)
            potentials.append(now)
        return potentials

    def _told(self, trajectory: Trajectory) -> list[float]:
        """The same as the function gives it."""
        return [self._number(so_far(trajectory, number)) for number in range(len(trajectory.turns) + 1)]

    def _number(self, seen: Trajectory) -> float:
        assert self._phi is not None
        try:
            value: Any = self._phi(seen)
        except AgentGymError:
            raise
        except Exception as error:
            raise UserError(
                f'reward "potential": {self.file} raised {type(error).__name__}: {error} ({place(error)})'
            ) from error
        if inspect.iscoroutine(value):
            value.close()
        if not isinstance(value, numbers.Real) or not math.isfinite(value):
            raise UserError(
                f'reward "potential": {self.file} gave {value!r:.80} after {len(seen.turns)} turns, expected a finite '
                "number"
            )
        return float(value)


def so_far(trajectory: Trajectory, num_turns: int) -> Trajectory:
    """An episode after so many of its turns, with nothing in it of what came later.

    ``final_observation`` is what the policy sees then; how the episode ended and its tokens are not known yet.
    """
    turns = trajectory.turns
    now = turns[num_turns].observation if num_turns < len(turns) else trajectory.final_observation
    known = {"env", "task", "seed", "episode_id", "split", "options", "level", "strength", "channels", "role"}
    return Trajectory(
        **{name: getattr(trajectory, name) for name in known}, turns=turns[:num_turns], final_observation=now
    )


def _goes_on(trajectory: Trajectory) -> bool:
    """Whether it was cut with the policy to speak next: after a reply that fills the context nothing is estimated."""
    spoke_last = any(sample.loss_mask[-1:].any() for sample in trajectory.samples[-1:])
    return trajectory.truncated and not spoke_last


def _lengths(trajectory: Trajectory) -> Sequence[int]:
    """Sampled tokens of each turn; a turn without any counts as one."""
    counts = np.ones(len(trajectory.turns), np.int64)
    sampled = [sample.turn_index[sample.loss_mask] for sample in trajectory.samples]
    found, times = np.unique(np.concatenate([*sampled, np.zeros(0, np.int32)]), return_counts=True)
    counts[found] = times
    return [int(count) for count in counts]


def _times(value: float, gamma: float, power: int) -> float:
    """``value`` times gamma to the ``power``; beyond all floats it has no end, which is told where it is added."""
    try:
        return value * gamma**power
    except OverflowError:
        return math.copysign(math.inf, value) if value else 0.0
