"""Advantages of sets of trajectories, which reward a policy for reaching a goal in different ways."""

from __future__ import annotations

import statistics
from collections.abc import Hashable, Sequence

__all__ = ["polychromic"]


def polychromic(rewards: Sequence[float], signatures: Sequence[Hashable], sets: Sequence[Sequence[int]]) -> list[float]:
    """The set advantage of each trajectory (polychromic objective, arXiv 2509.25424).

    f(set) = mean reward × diversity, where diversity is the number of distinct signatures over the set's size, and
    the advantage of a set is f(set) − mean f over the sets, shared by its members. ``sets`` holds tuples of
    indices into ``rewards``. A trajectory in several sets gets the sum over them, which is its weight in the policy
    gradient of Σ f; one in no set gets 0. Rewards lie in [0, 1] in the paper; the product means nothing for
    negative ones. Raises ValueError for fewer than two sets, an empty set, or a missing signature.

    >>> polychromic([1.0, 1.0, 1.0], ["left", "left", "right"], [(0, 1), (0, 2)])
    [0.0, -0.25, 0.25]
    """
    if len(rewards) != len(signatures):
        raise ValueError(f"one signature for each reward, found {len(signatures)} for {len(rewards)}")
    if len(sets) < 2 or not all(sets):
        raise ValueError(f"at least 2 sets, none empty, are compared; found sets of sizes {[len(s) for s in sets]}")
    scores = [
        statistics.fmean(rewards[i] for i in members) * len({signatures[i] for i in members}) / len(members)
        for members in sets
    ]
    baseline = statistics.fmean(scores)
    advantages = [0.0] * len(rewards)
    for members, score in zip(sets, scores, strict=True):
        for i in members:
            advantages[i] += score - baseline
    return advantages
