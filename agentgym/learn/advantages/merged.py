"""Advantages of single turns from flat episodes that are merged into a tree where they were in the same state."""

from __future__ import annotations

import statistics
from collections.abc import Hashable, Sequence

__all__ = ["merged_advantages"]


def merged_advantages(
    states: Sequence[Sequence[Hashable]],
    actions: Sequence[Sequence[Hashable]],
    rewards: Sequence[float],
    *,
    scale: bool,
    epsilon: float = 1e-6,
) -> list[list[float]]:
    """Q(s, a) - V(s) of each turn of each episode of a group (RTMC, arXiv 2604.11037): a tree without tree search.

    ``states[episode][turn]`` names what the turn began in, ``actions`` what was done there, and ``rewards`` are the
    episodes' own. V(s) is the mean reward of the turns that began in s, in whatever episode, and Q(s, a) that of those
    which then did a. With ``scale`` all are divided by the rewards' standard deviation.

    Departs from the paper where a state was met once, which would give 0 though the episode may be the only success:
    there V is the group's mean. Raises ValueError where the shapes differ.

    >>> merged_advantages([["door", "hall"], ["door"]], [["in", "up"], ["out"]], [1.0, 0.0], scale=False)
    [[0.5, 0.5], [-0.5]]
    """
    shapes = [len(turns) for turns in states], [len(turns) for turns in actions]
    if shapes[0] != shapes[1] or len(rewards) != len(states):
        raise ValueError(f"expected an action for each state and a reward for each episode, found {shapes}")
    in_state: dict[Hashable, list[float]] = {}
    by_action: dict[tuple[Hashable, Hashable], list[float]] = {}
    for reward, *episode in zip(rewards, states, actions, strict=True):
        for state, action in zip(*episode, strict=True):
            in_state.setdefault(state, []).append(reward)
            by_action.setdefault((state, action), []).append(reward)
    mean = statistics.fmean(rewards) if rewards else 0.0
    unit = statistics.pstdev(rewards) + epsilon if scale and rewards else 1.0

    def advantage(state: Hashable, action: Hashable) -> float:
        base = statistics.fmean(in_state[state]) if len(in_state[state]) > 1 else mean
        return (statistics.fmean(by_action[state, action]) - base) / unit

    return [
        [advantage(state, action) for state, action in zip(*episode, strict=True)]
        for episode in zip(states, actions, strict=True)
    ]
