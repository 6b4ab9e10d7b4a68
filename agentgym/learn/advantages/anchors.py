"""Advantages of single turns, by comparison with other turns that began in the same state."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from agentgym.learn.advantages.group import group_zscore

__all__ = ["anchor_advantages"]


def anchor_advantages(
    keys: Sequence[Sequence[Hashable]], returns: Sequence[Sequence[float]], *, scale: bool, epsilon: float = 1e-6
) -> list[list[float]]:
    """The step advantage of each turn of each episode of a group (GiGPO, arXiv 2505.10978).

    ``keys[episode][turn]`` names the state that the turn began in, as by its observation's text;
    ``returns[episode][turn]`` is the discounted return from there (``turn_returns``). Turns with the same key, of
    any episode, form a step group, and a turn's advantage is its return's z-score there, or without ``scale`` its
    distance from the mean. A state that was met once gives 0: there is nothing to compare with.

    The paper adds it to the episode's own advantage: A = A_episode + weight · A_step. Raises ValueError where the
    shapes differ.

    >>> anchor_advantages([["door", "hall"], ["door"]], [[1.0, 5.0], [0.0]], scale=False)
    [[0.5, 0.0], [-0.5]]
    """
    if [len(turns) for turns in keys] != [len(turns) for turns in returns]:
        raise ValueError(
            f"one return for each key, found episodes of {[len(turns) for turns in keys]} keys "
            f"and of {[len(turns) for turns in returns]} returns"
        )
    groups: dict[Hashable, list[tuple[int, int]]] = {}
    for episode, turns in enumerate(keys):
        for turn, key in enumerate(turns):
            groups.setdefault(key, []).append((episode, turn))
    advantages = [[0.0] * len(turns) for turns in keys]
    for places in groups.values():
        if len(places) > 1:
            scores = group_zscore([returns[episode][turn] for episode, turn in places], scale=scale, epsilon=epsilon)
            for (episode, turn), score in zip(places, scores, strict=True):
                advantages[episode][turn] = score
    return advantages
