"""Whitening: one mean and one deviation for all trained tokens of an update."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["whiten"]


def whiten(values_N: Sequence[float], *, shift_mean: bool = True, epsilon: float = 1e-8) -> list[float]:
    """(v_i − mean v) / (std v + ε), with the sample standard deviation, over the N trained tokens of the update.

    PPO does this to its advantages; done to rewards without a group's baseline it is REINFORCE++
    (arXiv 2501.03262). ``shift_mean=False`` puts the mean back, for rewards and returns. Only trained tokens belong
    in ``values_N``: zeros in place of the others would change both mean and deviation. Raises ValueError for fewer
    than two values, which have no deviation.

    >>> whiten([1.0, 3.0, 5.0], epsilon=0.0)
    [-1.0, 0.0, 1.0]
    """
    if len(values_N) < 2:
        raise ValueError(f"whitening needs at least 2 values, found {len(values_N)}")
    array = np.asarray(values_N, dtype=np.float64)
    mean = array.mean()
    whitened: list[float] = ((array - mean) / (array.std(ddof=1) + epsilon) + (0.0 if shift_mean else mean)).tolist()
    return whitened
