"""What an episode costs whose replies are too long: nothing, more and more, or -1. Not policy-invariant.

Soft overlong punishment (DAPO, arXiv 2503.14476, eq. 13): with a cut alone, whether a long answer was right is luck,
and what is learned from it noise; the cost tells the policy before. A cut episode that is not learned from at all is
the other way (``keep_truncated`` of the trainers that compare episodes).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from agentgym.errors import ConfigError
from agentgym.lengths import length_of
from agentgym.registry import register
from agentgym.reward import EpisodeShaper, on_last_turn
from agentgym.types import Trajectory

__all__ = ["OverlongPenalty"]


@register
class OverlongPenalty(EpisodeShaper):
    """0 to -1 on the last turn, for the tokens of all replies; scale it: ``--rewards.overlong-penalty 0.5``."""

    def __init__(
        self, max_tokens: Annotated[int, Field(ge=1)], *, overlong_buffer: Annotated[int, Field(ge=1)]
    ) -> None:
        """Choose where the cost begins and where it is whole.

        Args:
            max_tokens: tokens of an episode's replies at which the cost is 1, and above.
            overlong_buffer: over so many tokens up to these the cost rises from 0, by the same for each.
        """
        if overlong_buffer > max_tokens:
            raise ConfigError(
                f"overlong_buffer {overlong_buffer} is longer than max_tokens {max_tokens}: an empty reply would cost; "
                f"type --rewards.overlong-penalty.overlong_buffer {max_tokens} or less"
            )
        self.max_tokens, self.overlong_buffer = max_tokens, overlong_buffer

    def __call__(self, trajectory: Trajectory) -> list[float]:
        """0 for each turn but the last."""
        excess = length_of(trajectory) - (self.max_tokens - self.overlong_buffer)
        cost = min(1.0, max(0, excess) / self.overlong_buffer)
        return on_last_turn(trajectory, -cost)
