"""The best policy of an environment that gives its transition table away, by value iteration.

The environments of Gymnasium's toy-text family have ``P[state][action]``: a list of (probability, next state, reward,
terminated).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

__all__ = ["Table", "best_actions"]

Table: TypeAlias = Mapping[int, Mapping[int, Sequence[tuple[float, int, float, bool]]]]

_DISCOUNT = 0.99
"""Below 1, so that of two ways to the same reward the shorter one is better."""
_TOLERANCE = 1e-9
_MAX_SWEEPS = 5_000


def best_actions(table: Table) -> list[int]:
    """State → the action of largest value; the first of several.

    >>> forward, stay = (1.0, 1, 0.0, False), (1.0, 0, 0.0, False)
    >>> best_actions({0: {0: [stay], 1: [forward]}, 1: {0: [(1.0, 1, 1.0, True)], 1: [stay]}})
    [1, 0]
    """
    probability, following, reward = _arrays(table)
    value = np.zeros(len(table))
    for _ in range(_MAX_SWEEPS):
        quality = (probability * (reward + _DISCOUNT * np.append(value, 0.0)[following])).sum(axis=2)
        change, value = np.abs(quality.max(axis=1) - value).max(), quality.max(axis=1)
        if change < _TOLERANCE:
            break
    return [int(action) for action in (quality > value[:, None] - 1e-6).argmax(axis=1)]


def _arrays(table: Table) -> tuple[Any, Any, Any]:
    """Probability, next state and reward of each outcome, (states, actions, outcomes); state -1 is the end."""
    states, actions = len(table), len(table[0])
    most = max(len(table[s][a]) for s in range(states) for a in range(actions))
    probability, reward = np.zeros((states, actions, most)), np.zeros((states, actions, most))
    following = np.full((states, actions, most), -1)
    for s in range(states):
        for a in range(actions):
            for k, (chance, after, gain, terminated) in enumerate(table[s][a]):
                probability[s, a, k], reward[s, a, k] = chance, gain
                following[s, a, k] = -1 if terminated else int(after)
    return probability, following, reward
