"""Advantages and returns in time, along one trajectory.

Shape legend: N trained tokens of one trajectory, in the order in which they were sampled, across turns and samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

__all__ = ["gae", "turn_returns"]


def gae(
    rewards_N: Sequence[float] | NDArray[np.floating],
    values_N: Sequence[float] | NDArray[np.floating],
    *,
    gamma: float,
    lam: float,
    bootstrap: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Generalized advantage estimates and the returns to fit the values to, both [N].

    δ_i = r_i + γ V_{i+1} − V_i,  A_i = δ_i + γ λ A_{i+1},  return_i = A_i + V_i, with V_{N+1} = ``bootstrap`` and
    A_{N+1} = 0 (arXiv 1506.02438, eq. 16; over the turns of an agent arXiv 2510.01132).

    Observation tokens have no entry: the token after the last of a turn is the first of the next turn, and what a
    critic says about an observation is never used. γ and λ act once for each trained token, not once a turn. A
    turn's reward stands on its last trained token. ``bootstrap`` is 0 where the episode terminated, and the value
    of what came next where it was truncated. Raises ValueError where the lengths differ.

    >>> gae([0.0, 1.0], [0.5, 0.25], gamma=1.0, lam=1.0, bootstrap=0.0)
    (array([0.5 , 0.75]), array([1., 1.]))
    """
    if len(rewards_N) != len(values_N):
        raise ValueError(f"one value for each reward, found {len(rewards_N)} rewards and {len(values_N)} values")
    rewards, values = np.asarray(rewards_N, np.float64), np.asarray(values_N, np.float64)
    errors_N = rewards + gamma * np.append(values, bootstrap)[1:] - values
    decay = gamma * lam
    backward = accumulate(errors_N[::-1].tolist(), lambda advantage, error: error + decay * advantage)
    advantages_N = np.fromiter(backward, np.float64, len(errors_N))[::-1]
    return advantages_N, advantages_N + values


def turn_returns(rewards: Sequence[float], gamma: float) -> list[float]:
    """G_t = r_t + γ G_{t+1}: the discounted rewards from each turn on; γ acts once a turn.

    >>> turn_returns([0.0, 1.0, 2.0], 0.5)
    [1.0, 2.0, 2.0]
    """
    returns, total = [], 0.0
    for reward in reversed(rewards):
        total = reward + gamma * total
        returns.append(total)
    returns.reverse()
    return returns
