"""How sure a success is: 95 % intervals of a share, and of what it gained between two measurements.

The episodes of one task resemble each other: eight of a task that is always solved say as much as one. Intervals are
over tasks, of which those that were played are a sample. All functions take arrays, with tasks on the last axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel

__all__ = ["Gain", "Limits", "clustered", "gain", "paired", "rounded", "wilson"]

Limits: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]
"""(low, high)."""
_Z = 1.959963984540054
"""97.5 % of a standard normal distribution are below."""


class Gain(BaseModel):
    """By how much the success on the same tasks, played with the same seeds, has changed."""

    success: float
    """Share after, less share before."""
    ci95: tuple[float, float]
    """Newcombe's 95 % interval of paired shares."""
    tasks: int
    """Tasks that counted both times."""


def wilson(share: ArrayLike, num: ArrayLike) -> Limits:
    """Wilson's score interval of a ``share`` of ``num`` independent trials."""
    share, num = np.asarray(share, float), np.asarray(num, float)
    scale = 1 + _Z**2 / num
    middle = (share + _Z**2 / (2 * num)) / scale
    half = _Z / scale * np.sqrt(share * (1 - share) / num + (_Z / (2 * num)) ** 2)
    return np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)


def clustered(successes: ArrayLike, sizes: ArrayLike) -> Limits:
    """The interval of the share of successes, ``successes`` of each task among its ``sizes`` episodes.

    Wilson's, of as many independent episodes as have the variance that is found between tasks (Kish's design effect):
    no more than were played, and no fewer than tasks, counted by how evenly episodes are spread over them. With one
    episode a task it is Wilson's itself; where all succeed, none does or there is one task, tasks are what counts.
    """
    successes, sizes = np.broadcast_arrays(np.asarray(successes, float), np.asarray(sizes, float))
    num, tasks = sizes.sum(-1), sizes.shape[-1]
    share = successes.sum(-1) / num
    least = num**2 / (sizes**2).sum(-1)
    between = ((successes - share[..., None] * sizes) ** 2).sum(-1) / num**2 * tasks / max(1, tasks - 1)
    alone = share * (1 - share)
    found = np.divide(alone, between, out=np.full_like(num, np.inf), where=between > 0)
    enough = np.where((alone > 0) & (tasks > 1), np.clip(found, least, num), least)
    return wilson(share, enough)


def paired(before: ArrayLike, after: ArrayLike) -> Limits:
    """The interval of the share of ``after``, less that of ``before``, both true or false for the same tasks.

    Newcombe's tenth method (Statistics in Medicine 17, 1998, 2635-2650): Wilson's of either share, and the correlation
    of the two.
    """
    before, after = np.asarray(before, bool), np.asarray(after, bool)
    num = before.shape[-1]
    both, lost = (before & after).sum(-1), (before & ~after).sum(-1)
    won = (after & ~before).sum(-1)
    neither = num - both - lost - won
    product = (both * neither - lost * won).astype(float)
    product = np.where(product > 0, np.maximum(product - num / 2, 0.0), product)
    scale = np.sqrt(((both + won) * (lost + neither) * (both + lost) * (won + neither)).astype(float))
    correlation = np.divide(product, scale, out=np.zeros_like(product), where=scale > 0)
    now, was = (both + won) / num, (both + lost) / num
    (now_low, now_high), (was_low, was_high) = wilson(now, num), wilson(was, num)

    def reach(one: NDArray[np.float64], other: NDArray[np.float64]) -> Any:
        return np.sqrt(np.maximum(one**2 - 2 * correlation * one * other + other**2, 0.0))

    change = now - was
    return change - reach(now - now_low, was_high - was), change + reach(was - was_low, now_high - now)


def gain(before: Sequence[bool | None], after: Sequence[bool | None]) -> Gain | None:
    """What was gained on the tasks that have an outcome in both, in the same order; None where none has."""
    known = [(was, now) for was, now in zip(before, after, strict=False) if was is not None and now is not None]
    if not known:
        return None
    was, now = np.array(known, bool).T
    low, high = paired(was, now)
    return Gain(success=float(now.mean() - was.mean()), ci95=rounded(low, high), tasks=len(known))


def rounded(low: Any, high: Any) -> tuple[float, float]:
    """Limits as they are reported."""
    return round(float(low), 4), round(float(high), 4)
