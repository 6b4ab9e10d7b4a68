"""How long episodes are, and of a group's as rewards: what was right is worth more the shorter it was said."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from agentgym.types import Trajectory

__all__ = ["length_of", "length_rewards"]


def length_of(trajectory: Trajectory) -> int:
    """Tokens of all replies."""
    return sum(sample.num_trained for sample in trajectory.samples)


def length_rewards(
    is_correct: Sequence[bool], lengths: Sequence[int], *, alpha: float = 0.05, epsilon: float = 1e-6
) -> list[float]:
    """exp(−α z) for a correct episode of a group, −1 for a wrong one (GRPO-LEAD, arXiv 2504.09696).

    z = (length − mean) / (std + ε) over the lengths of the *correct* ones, in tokens; std is the population's, so
    that a single correct one has z = 0. Raises ValueError where the numbers of both differ.

    >>> length_rewards([True, False], [120, 80])
    [1.0, -1.0]
    """
    if len(is_correct) != len(lengths):
        raise ValueError(f"one length for each episode, found {len(lengths)} for {len(is_correct)}")
    correct = [length for length, right in zip(lengths, is_correct, strict=True) if right]
    mean = statistics.fmean(correct) if correct else 0.0
    spread = (statistics.pstdev(correct) if correct else 0.0) + epsilon
    return [
        math.exp(-alpha * (length - mean) / spread) if right else -1.0
        for length, right in zip(lengths, is_correct, strict=True)
    ]
