"""What is done to advantages that exist already: entropy, difficulty.

Shape legend: N trained tokens of a microbatch (flat), or any other index, as long as both tensors share it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["difficulty_reweighted", "difficulty_weight", "entropy_shaped"]


def entropy_shaped(
    advantages_N: torch.Tensor, entropies_N: torch.Tensor, *, alpha: float, kappa: float
) -> torch.Tensor:
    """A + min(α H, |A| / κ): a bonus for uncertain tokens or episodes that never turns the sign of A.

    EGPO (arXiv 2508.05118) adds a bounded bonus of the entropy H [nats] of the reasoning; this bound and the two
    constants are ours. H is detached: it weighs what was done, it is not maximized. Raises ValueError unless
    ``alpha`` is at least 0 and ``kappa`` above 1.
    """
    if alpha < 0 or kappa <= 1:
        raise ValueError(f"alpha must be at least 0 and kappa above 1, found alpha {alpha} and kappa {kappa}")
    return advantages_N + (alpha * entropies_N.detach()).minimum(advantages_N.abs() / kappa)


def difficulty_weight(
    accuracy: float, *, low: float = 0.4, high: float = 1.5, center: float = 0.75, steepness: float = 10.0
) -> float:
    """w(ρ) = low + (high − low) / (1 + exp(steepness · (ρ − center))): large where few succeed.

    GRPO-LEAD (arXiv 2504.09696), with its constants. w(center) is the mean of both ends.
    """
    return low + (high - low) / (1 + math.exp(steepness * (accuracy - center)))


def difficulty_reweighted(
    advantages: Sequence[float],
    accuracy: float,
    *,
    low: float = 0.4,
    high: float = 1.5,
    center: float = 0.75,
    steepness: float = 10.0,
) -> list[float]:
    """A · w(ρ) where A > 0, A · w(1 − ρ) elsewhere (GRPO-LEAD, arXiv 2504.09696).

    ``accuracy`` ρ is the share of the group that succeeded: what counts more is a success where others fail, and a
    failure where others succeed. The sum over the group is not 0 any more.
    """
    gain = difficulty_weight(accuracy, low=low, high=high, center=center, steepness=steepness)
    loss = difficulty_weight(1 - accuracy, low=low, high=high, center=center, steepness=steepness)
    return [advantage * (gain if advantage > 0 else loss) for advantage in advantages]
