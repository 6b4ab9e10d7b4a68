"""How far a policy has moved from the one that training began with, on that one's own episodes.

The forward divergence KL(base ‖ policy) on the task's prompts goes with what is forgotten of other tasks (RL's Razor,
arXiv 2509.04259), and reinforcement on the policy's own samples tends to keep it small.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agentgym.learn.forward import score
from agentgym.learn.rows import Row, trained
from agentgym.types import Trajectory

__all__ = ["Drift", "base_rows", "drift_of", "forward_kl"]


class Drift(NamedTuple):
    """KL(base ‖ policy) for each token, in nats."""

    kl: float
    error: float
    """Its standard error, over episodes: the tokens of one are not independent. Infinite for a single row."""


def base_rows(episodes: Sequence[Trajectory]) -> list[Row]:
    """What ``forward_kl`` takes, of episodes that the base policy played."""
    return [Row.of(sample, 0.0) for episode in episodes for sample in episode.samples if sample.num_trained]


def forward_kl(module: Any, rows: Sequence[Row], *, temperature: float = 1.0, max_tokens: int = 8192) -> Drift:
    """``drift_of`` the policy ``module``; ``temperature`` is the one that the rows were sampled at."""
    return drift_of(rows, score(module, rows, temperature=temperature, max_tokens=max_tokens))


def drift_of(rows: Sequence[Row], scored: Sequence[NDArray[np.float32]]) -> Drift:
    """The Monte-Carlo estimate ∑ (log π_base − log π) / tokens, over the tokens that the base policy sampled.

    Its expectation is the KL of whole episodes over their expected number of tokens. With D_i the sum of row i, n_i
    its tokens, B rows and m the estimate, the error is that of a ratio of sums,
    √(B / (B − 1) ∑ (D_i − m n_i)²) / ∑ n_i.
    0 up to rounding for the base policy; a small value may be negative by chance. ``scored`` is log π of each row, at
    the temperature that it was sampled at. Raises ValueError without trained tokens.
    """
    sums, counts = [], []
    for row, now in zip(rows, scored, strict=True):
        places = row.places
        sums.append(math.fsum((trained([row], "behavior_logprobs") - now[places]).tolist()))
        counts.append(len(places))
    if not sum(counts):
        raise ValueError(f"no trained tokens in {len(sums)} rows: there is nothing to compare")
    mean = math.fsum(sums) / sum(counts)
    squares = math.fsum((own - mean * count) ** 2 for own, count in zip(sums, counts, strict=True))
    num = len(sums)
    error = math.sqrt(num / (num - 1) * squares) / sum(counts) if num > 1 else math.inf
    return Drift(mean, error)
