"""How much every token counts in an update: the denominator of the loss.

The weight of a token is fixed for the whole update before it is cut into microbatches: the loss is the sum of weight ×
token loss, so neither the cut nor the order changes it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

from agentgym.learn.rows import Row

__all__ = ["Aggregation", "denominator", "token_weights"]

Aggregation: TypeAlias = Literal["token", "sequence", "constant"]


def denominator(rows: Sequence[Row], aggregation: Aggregation) -> float:
    """What the weights of ``rows`` are divided by: trained tokens ("token"), otherwise episodes that have any.

    An episode of which only some rows are here counts by its share of trained tokens.
    """
    if aggregation == "token":
        return float(sum(row.num_trained for row in rows))
    return math.fsum(row.share for row in rows)


def token_weights(
    rows: Sequence[Row], aggregation: Aggregation, *, total: float | None = None, max_tokens: int | None = None
) -> list[float]:
    """The weight of every trained token of each row, times the row's own ``weight``.

    "token": 1 / trained tokens of the update (DAPO, arXiv 2503.14476, eq. 8). "sequence": a mean over episodes of
    the mean over an episode's tokens, be they in one row or in several (GRPO, arXiv 2402.03300, eq. 3). With these two
    the weights sum to 1. "constant": 1 / (episodes × ``max_tokens``), so that a token weighs the same in short and
    long episodes of every update (Dr. GRPO, arXiv 2503.20783, listing 1). Rows without trained tokens count for
    nothing.

    ``total`` is the ``denominator`` of the whole update where ``rows`` are one process's share of it, or where episodes
    without rows count as well. Raises ValueError for "constant" without ``max_tokens``.
    """
    total = denominator(rows, aggregation) if total is None else total
    if aggregation == "constant":
        if not max_tokens:
            raise ValueError('aggregation "constant" divides by a number of tokens; give max_tokens')
        return [row.weight / (total * max_tokens) if row.num_trained else 0.0 for row in rows]
    if aggregation == "token":
        return [row.weight / total if row.num_trained else 0.0 for row in rows]
    return [row.weight / (total * (row.episode_tokens or row.num_trained)) if row.num_trained else 0.0 for row in rows]
