"""Advantages: pure functions from rewards to the weight of a log-likelihood gradient."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

__all__ = ["group_zscore", "is_informative"]


def is_informative(rewards: Sequence[float], tolerance: float = 1e-9) -> bool:
    """Whether a group's rewards differ: only then is there something to learn from it."""
    return len(rewards) > 1 and max(rewards) - min(rewards) > tolerance


def group_zscore(rewards: Sequence[float], *, scale: bool = True, epsilon: float = 1e-6) -> list[float]:
    """A_i = (r_i − mean r) / (std r + ε), with the sample standard deviation (GRPO, arXiv 2402.03300, §4.1.2).

    ``scale=False`` leaves the division out (Dr. GRPO, arXiv 2503.20783). Raises ValueError for fewer than two
    rewards: a group of one has no baseline.

    >>> group_zscore([1.0, 0.0, 0.0, 1.0], scale=False)
    [0.5, -0.5, -0.5, 0.5]
    """
    if len(rewards) < 2:
        raise ValueError(f"a group needs at least 2 rewards, found {len(rewards)}")
    mean = statistics.fmean(rewards)
    spread = statistics.stdev(rewards) + epsilon if scale else 1.0
    return [(reward - mean) / spread for reward in rewards]
