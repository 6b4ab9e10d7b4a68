"""Advantages of whole episodes of one task, by comparison within their group.

All keep what an episode is worth relative to the others: a constant added to every reward changes nothing, and
the advantages of a group sum to 0. Shape legend: G episodes of a group.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

__all__ = ["group_zscore", "leave_one_out"]


def group_zscore(rewards: Sequence[float], *, scale: bool = True, epsilon: float = 1e-6) -> list[float]:
    """A_i = (r_i − mean r) / (std r + ε), with the sample standard deviation (GRPO, arXiv 2402.03300, §4.1.2).

    ``scale=False`` leaves the division out (Dr. GRPO, arXiv 2503.20783). Raises ValueError for fewer than two
    rewards: a group of one has no baseline.

    >>> group_zscore([1.0, 0.0, 0.0, 1.0], scale=False)
    [0.5, -0.5, -0.5, 0.5]
    """
    _require_two(rewards)
    mean = statistics.fmean(rewards)
    spread = statistics.stdev(rewards) + epsilon if scale else 1.0
    return [(reward - mean) / spread for reward in rewards]


def leave_one_out(rewards: Sequence[float]) -> list[float]:
    """A_i = r_i − mean of the other rewards = G / (G − 1) · (r_i − mean r) (RLOO, arXiv 2402.14740).

    The baseline of an episode does not depend on it, so the policy gradient stays unbiased. Raises ValueError for
    fewer than two rewards, instead of passing a raw reward off as an advantage.

    >>> leave_one_out([3.0, 0.0, 0.0])
    [3.0, -1.5, -1.5]
    """
    _require_two(rewards)
    total, others = math.fsum(rewards), len(rewards) - 1
    return [reward - (total - reward) / others for reward in rewards]


def _require_two(rewards: Sequence[float]) -> None:
    if len(rewards) < 2:
        raise ValueError(f"a group needs at least 2 rewards, found {len(rewards)}")
