"""Whitening: one mean and one deviation for all trained tokens of an update."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["whiten"]


def whiten(
    values_N: Sequence[float] | NDArray[np.floating], *, shift_mean: bool = True, epsilon: float = 1e-8
) -> NDArray[np.float64]:
    """(v_i − mean v) / (std v + ε), with the sample standard deviation, over the N trained tokens of the update.

    PPO does this to its advantages; done to rewards without a group's baseline it is REINFORCE++
    (arXiv 2501.03262). ``shift_mean=False`` puts the mean back, for rewards and returns. Only trained tokens belong
    in ``values_N``: zeros in place of the others would change both mean and deviation. Raises ValueError for fewer
    than two values, which have no deviation.

    >>> whiten([1.0, 3.0, 5.0], epsilon=0.0)
    array([-1.,  0.,  1.])
    """
    if len(values_N) < 2:
        raise ValueError(f"whitening needs at least 2 values, found {len(values_N)}")
    values = np.asarray(values_N, dtype=np.float64)
    mean = values.mean()
    whitened: NDArray[np.float64] = (values - mean) / (values.std(ddof=1) + epsilon)
    return whitened if shift_mean else whitened + mean
