r"""The mean staleness of a scheduler that takes groups in order, in closed form.

**The cycle.** Version v of the weights is published at t(v), and the groups of update v + s begin then (s is
``max_staleness``). Three things can be what an update waits for, and the slowest of them is the cycle C = t(v+1) −
t(v):

- the learner: learning and publishing take L, so C ≥ L;
- the actors: their places play an update's episodes in P = episodes · seconds of an episode / places, so C ≥ P;
- the bound: update u is learned from when its last episode has ended. Its groups begin at t(u−s), the last of their
  episodes ends M later, and version u + 1 is published L after that. That is s + 1 cycles: C ≥ (M + L) / (s + 1).

    C = max(L, P, (M + L) / (s + 1))

At s = 0 the third is C = M + L: playing and learning take turns.

**The wait.** Where the places are what is slowest, groups that may begin wait for one: q = (s + 1) C − M − L seconds,
so that s + 1 cycles pass from when they may begin until their update is published. Otherwise q = 0.

**The beginnings.** Where all places are always taken, episodes begin evenly over P. Where they are free, as many as
there are places begin at once, and the others as those end: after d seconds of the first the second begins, on the
mean, and renewal theory has the k-th of a place begin (1 − c²) d / 2 later than k d would say, evenly spread (d is
the mean of an episode's seconds, c their deviation over d).

**The staleness.** A token that is sampled o seconds after its group might begin has seen floor(o / C) publications
since, each of which takes one from its staleness: it is s − floor(o / C). The tokens of an episode are spread evenly
over its D seconds but for the environment's last answer (D is without that here), so for those that begin evenly over S
seconds from q on, o = q + S U + D V with U and V uniform on [0, 1], and

    mean staleness = s − E floor((q + S U + D V) / C)

the mean over episodes, weighted by their tokens. E floor of a sum of two uniforms is a second difference of G, the
second integral of floor:

    E floor(a + b U + c V) = (G(a + b + c) − G(a + b) − G(a + c) + G(a)) / (b c)
    G(z) = (n − 1) n (2n − 1) / 12 + n (n − 1) f / 2 + n f² / 2      with n = floor z, f = z − n

Where the places are slowest, all of it is simple: with M = P + T, where T is what the slowest episode takes beyond
the last beginning, q cancels s and the mean staleness is (T + L − d / 2) / P: how many updates are published between
a token and the update that learns from it. Where the learner is slowest and an update is played within one cycle, it
is s.

M varies from update to update, so all of this is asked for each of sixteen equal shares of its distribution, and the
mean is taken. What is left is an approximation in that updates do not know of each other: where the learner takes a
small part of the cycle and slow episodes decide, several updates become ready together, and the staleness is lower
than this says by up to a fifth.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Begin", "Cycle", "cycle", "mean_floor", "slowest"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """Seconds of an update in the long run, and what follows from it."""

    seconds: float
    bound_by: str
    """What is slowest: "learner", "actors" or "staleness"."""
    wait: float
    """Seconds that a group which may begin waits for places."""
    staleness: float
    """Mean over tokens, in updates."""


class Begin(NamedTuple):
    """A share of an update's episodes that begin evenly over ``spread`` seconds, from ``start`` on."""

    share: float
    start: float
    spread: float


def cycle(
    durations: Sequence[float],
    *,
    episodes: int,
    actors: int,
    learn: float,
    publish: float = 0.0,
    max_staleness: int,
    tokens: Sequence[float] | None = None,
    answer: float = 0.0,
) -> Cycle:
    """The cycle of updates of ``episodes`` that are played on ``actors`` places, in order.

    ``durations`` are seconds of episodes, a sample of them, and ``tokens`` what each of them says, the same where none
    are given; ``answer`` are seconds of the environment's last one, in which nothing is said any more. ``learn`` and
    ``publish`` are seconds an update.

    >>> round(cycle([1.0], episodes=8, actors=8, learn=4.0, max_staleness=2).staleness, 3)  # the learner is slowest
    2.0
    >>> round(cycle([1.0], episodes=32, actors=8, learn=2.0, max_staleness=1).staleness, 3)  # the actors are
    0.609
    >>> round(cycle([1.0], episodes=8, actors=8, learn=2.0, max_staleness=0).seconds, 3)  # in turn
    3.0
    """
    sample = np.asarray(durations, float)
    weights = np.ones(len(sample)) if tokens is None else np.asarray(tokens, float)
    learn, played = learn + publish, episodes * float(sample.mean()) / actors
    burst, flow = _burst(sample, episodes, actors), [Begin(1.0, 0.0, played)]
    found = []
    for longest, flowing in zip(_quantiles(sample, episodes, burst), _quantiles(sample, episodes, flow), strict=True):
        seconds = max(learn, played, (longest + learn) / (max_staleness + 1))
        wait, begins, bound_by = 0.0, burst, "learner" if seconds == learn else "staleness"
        if seconds == played:
            wait, begins, bound_by = max(0.0, (max_staleness + 1) * seconds - flowing - learn), flow, "actors"
        stale = max(
            0.0, max_staleness - _publications(np.maximum(0.0, sample - answer), weights, begins, wait, seconds)
        )
        found.append(Cycle(seconds=seconds, bound_by=bound_by, wait=wait, staleness=stale))
    return Cycle(
        seconds=float(np.mean([each.seconds for each in found])),
        bound_by=statistics.mode(each.bound_by for each in found),
        wait=float(np.mean([each.wait for each in found])),
        staleness=float(np.mean([each.staleness for each in found])),
    )


def _burst(sample: NDArray[np.float64], episodes: int, actors: int) -> list[Begin]:
    """Episodes that find all places free."""
    if episodes <= actors:
        return [Begin(1.0, 0.0, 0.0)]
    mean = float(sample.mean())
    second = max(0.0, mean - sample.std() ** 2 / mean) / 2
    return [Begin(actors / episodes, 0.0, 0.0), Begin(1 - actors / episodes, second, mean * (episodes / actors - 1))]


def _publications(
    sample: NDArray[np.float64], tokens: NDArray[np.float64], begins: Sequence[Begin], wait: float, seconds: float
) -> float:
    """That a token sees after its group might begin, on the mean."""
    at = np.linspace(0, len(sample) - 1, min(len(sample), _BINS)).astype(int)  # no more than say it
    order = np.argsort(sample)[at]
    return sum(
        share
        * float(
            np.average(
                [
                    mean_floor((wait + start) / seconds, spread / seconds, duration / seconds)
                    for duration in sample[order]
                ],
                weights=tokens[order],
            )
        )
        for share, start, spread in begins
    )


def slowest(durations: Sequence[float] | NDArray[np.float64], episodes: int, begins: Sequence[Begin]) -> float:
    """Seconds until the last of ``episodes`` has ended, on the mean.

    The mean of the largest of independent numbers is the integral of the probability that not all of them are smaller.

    >>> slowest([2.0], 10, [Begin(1, 0, 0)]), round(slowest([0.0, 1.0], 1, [Begin(1, 0, 0)]), 2)
    (2.0, 0.5)
    """
    times, ended = _all_ended(np.asarray(durations, float), episodes, begins)
    return 2 * float(times.mean()) * float(1 - ended.mean())


def _quantiles(sample: NDArray[np.float64], episodes: int, begins: Sequence[Begin]) -> NDArray[np.float64]:
    """Seconds until the last has ended: in the middle of each of some shares of all updates, from few to many."""
    times, ended = _all_ended(sample, episodes, begins)
    at = np.searchsorted(ended, (np.arange(_SHARES) + 0.5) / _SHARES)
    return times[np.minimum(at, len(times) - 1)]


def _all_ended(
    sample: NDArray[np.float64], episodes: int, begins: Sequence[Begin]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Seconds, and the probability that all have ended by then."""
    sample = np.sort(sample)
    end = max(each.start + each.spread for each in begins) + float(sample[-1])
    times = (np.arange(_POINTS) + 0.5) * end / _POINTS
    none_later = np.zeros(len(times))
    for share, start, spread in begins:
        bins = max(1, min(round(share * episodes), _BINS))
        at = start + spread * (np.arange(bins) + 0.5) / bins
        ended = np.searchsorted(sample, times[:, None] - at + 1e-12, side="right") / len(sample)
        with np.errstate(divide="ignore"):
            none_later += np.log(ended).sum(1) * (share * episodes / bins)
    return times, np.exp(none_later)


_BINS, _POINTS, _SHARES = 256, 2048, 16


def mean_floor(start: float, first: float, second: float) -> float:
    """The mean of floor(start + first U + second V), with U and V uniform on [0, 1] and independent.

    >>> mean_floor(0.25, 0.0, 0.0), mean_floor(0.5, 1.0, 0.0), mean_floor(0.0, 1.0, 1.0)
    (0.0, 0.5, 0.5)
    """
    first, second = sorted((first, second))
    if second < _NARROW:
        return float(math.floor(start))
    if first < _NARROW:
        return (_integral(start + second) - _integral(start)) / second
    ends = _second(start + first + second) - _second(start + first) - _second(start + second) + _second(start)
    return ends / (first * second)


_NARROW = 1e-6


def _integral(z: float) -> float:
    """Of floor, from 0 to ``z``."""
    n = math.floor(z)
    return n * (n - 1) / 2 + n * (z - n)


def _second(z: float) -> float:
    """Of that integral, from 0 to ``z``."""
    n = math.floor(z)
    rest = z - n
    return (n - 1) * n * (2 * n - 1) / 12 + n * (n - 1) / 2 * rest + n * rest**2 / 2
