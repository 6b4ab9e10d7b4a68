"""Moments of episodes, to learn a value of: each turn as it stands once its reply is said, and what it is worth.

A moment is worth what a search found (``Turn.value``), where it came by often enough. Where none is on record it is the
mean of what the episodes that went through it were paid in the end: Monte Carlo over the prefix tree that episodes of
the same task and seed form by their tokens, as for preference pairs (``pairs.py``). Both are of whole episodes, without
a discount, so that moments of one task compare, wherever they are.

A value is AgentRM's V(s) (arXiv 2502.18407). Departs from it in that a moment without a value on record is not left
out, so that flat recordings teach too.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from agentgym.errors import DataError
from agentgym.types import Sample, TaskId, Trajectory, Turn

__all__ = ["Moment", "agreement", "last_moment", "moments", "valued"]

_TOLERANCE = 1e-9
"""Values that differ by less are equal."""


class Moment(NamedTuple):
    """A turn of a sample, as it stands once its reply is said."""

    turn: int
    place: int
    """Of the reply's last token in the sample."""


_Key: TypeAlias = tuple[str, TaskId | None, int, bytes]


def moments(sample: Sample) -> list[Moment]:
    """One for each turn that was said in ``sample``, in order."""
    places = np.flatnonzero(sample.loss_mask)
    last = dict(zip(sample.turn_index[places].tolist(), places.tolist(), strict=True))
    return [Moment(turn, place) for turn, place in last.items()]


def last_moment(trajectory: Trajectory) -> tuple[Sample, Moment]:
    """The last turn of an episode and the sample that holds it. Raises DataError where nothing was said in tokens."""
    found = [(sample, moment) for sample in trajectory.samples for moment in moments(sample)]
    if not found:
        raise DataError(
            f"episode {trajectory.episode_id} has no token that was said; expected at least one turn of them"
        )
    return max(found, key=lambda each: each[1].turn)


def valued(trajectories: Sequence[Trajectory], *, min_visits: int) -> list[list[dict[int, float]]]:
    """Of each episode, for each of its samples: the value at each place where a moment is, each moment once.

    Episodes that begin alike share moments: the first of them has these. Left out are unfit episodes, and moments that
    a search came by fewer than ``min_visits`` times; one whose visits are not on record counts.
    """
    earned: dict[_Key, list[float]] = {}
    told: dict[_Key, Turn] = {}
    for trajectory in trajectories:
        for key, moment in _keyed(trajectory):
            earned.setdefault(key, []).append(trajectory.reward)
            turn, known = trajectory.turns[moment.turn], told.get(key)
            if turn.value is not None and (known is None or (turn.visits or 0) > (known.visits or 0)):
                told[key] = turn
    values = {key: _value(told.get(key), rewards, min_visits) for key, rewards in earned.items()}
    taken: set[_Key] = set()
    return [[_own(trajectory, sample, values, taken) for sample in trajectory.samples] for trajectory in trajectories]


def _value(turn: Turn | None, rewards: Sequence[float], min_visits: int) -> float | None:
    """What a moment is worth; None for nothing that is known well enough."""
    if turn is None or turn.value is None:
        return math.fsum(rewards) / len(rewards)
    return turn.value if turn.visits is None or turn.visits >= min_visits else None


def _own(
    trajectory: Trajectory, sample: Sample, values: dict[_Key, float | None], taken: set[_Key]
) -> dict[int, float]:
    own: dict[int, float] = {}
    for key, moment in _keyed(trajectory, [sample]):
        if key not in taken and (value := values[key]) is not None:
            taken.add(key)
            own[moment.place] = value
    return own


def _keyed(trajectory: Trajectory, samples: Iterable[Sample] | None = None) -> Iterable[tuple[_Key, Moment]]:
    """The moments of an episode that is fit, each with what is the same for whoever went the same way to it."""
    if trajectory.unfit:
        return
    for sample in trajectory.samples if samples is None else samples:
        prefix, start = hashlib.blake2b(digest_size=16), 0
        for moment in moments(sample):
            prefix.update(sample.token_ids[start : moment.place + 1].tobytes())
            start = moment.place + 1
            yield (trajectory.env, trajectory.task, trajectory.seed, prefix.digest()), moment


def agreement(scores: Sequence[float], values: Sequence[float]) -> float:
    """Of all pairs whose values differ, the share that the scores order alike; equal scores are half of that.

    0.5 where no values differ: there was nothing to order.

    >>> agreement([1, 2, 3], [0.0, 0.5, 0.2]), agreement([1, 1], [0, 1]), agreement([1, 2], [3, 3])
    (0.6666666666666666, 0.5, 0.5)
    """
    scores_N, values_N = np.asarray(scores, np.float64), np.asarray(values, np.float64)
    above_NN = np.subtract.outer(values_N, values_N) > _TOLERANCE
    if not above_NN.any():
        return 0.5
    return float((np.sign(np.subtract.outer(scores_N, scores_N))[above_NN].mean() + 1) / 2)
