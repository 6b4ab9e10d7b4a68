"""Rows put together where they begin alike: what several of them share is computed once.

Episodes of one group begin with the same prompt, lines of one tree with the same turns. In a trie of their tokens each
of these stands once, at its place in the row; a token sees its ancestors and nothing else, which is what it sees in
each of its rows. Like serving engines, it shares blocks of some tokens: a branch that begins a few tokens later costs
these few, and every branch is worth what it takes to compute it apart.

Shape legend: T tokens of sequences, one after the other; S of their trie; N trained tokens, U of them distinct.
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["BLOCK", "Branch", "Trie", "chunks", "num_distinct", "plant"]

BLOCK = 16
"""Tokens that are shared together, or not at all."""

_Tokens: TypeAlias = NDArray[np.int32]


@dataclasses.dataclass(frozen=True, slots=True)
class Branch:
    """Tokens that one follows the other in all of their rows, and all that comes after them in some row."""

    start: int
    end: int
    """Where its own tokens end, and those of the branches that go on from it begin."""
    stop: int
    """Where these end."""


@dataclasses.dataclass(frozen=True, slots=True)
class Trie:
    """Sequences, put together. Its tokens stand in the order in which one walks through its branches, depth first."""

    first_S: torch.Tensor
    """Of each token the first place among those of the sequences."""
    places_T: torch.Tensor
    """Where each token of the sequences is to be found."""
    branches: list[Branch]
    """All of them, in their order; they cover the trie."""
    chosen_U: torch.Tensor
    """Of the trained tokens one each that differ in their place or in what is to be predicted there."""
    inverse_N: torch.Tensor
    """For each trained token which of these it is like."""

    def to(self, device: torch.device) -> Trie:
        """The same on another device."""
        names = ("first_S", "places_T", "chosen_U", "inverse_N")
        return dataclasses.replace(self, **{name: getattr(self, name).to(device) for name in names})


def plant(
    sequences: Sequence[_Tokens], predicts_T: NDArray[np.bool_], targets_N: NDArray[np.int64], *, block: int = BLOCK
) -> Trie | None:
    """The trie of ``sequences``, which are to predict ``targets_N`` at some of their tokens; None if nothing is shared.

    In sorted order a sequence has in common with all before it what it has in common with the last of them; what is
    left of it comes next.
    """
    starts = [0, *itertools.accumulate(map(len, sequences))]
    places_T = np.empty(starts[-1], np.int64)
    first, depths, before, size = [], {0: 0}, np.zeros(0, np.int64), 0
    for i, shared in _sorted(sequences, block):
        places, own = places_T[starts[i] : starts[i + 1]], len(sequences[i]) - shared
        places[:shared], places[shared:] = before[:shared], np.arange(size, size + own)
        if own:
            if shared and (end := int(before[shared - 1]) + 1) < size:  # else it goes on where the last one ended
                depths[end] = shared
            if not shared or end < size:
                depths[size] = shared
        first.append(np.arange(starts[i] + shared, starts[i + 1]))
        before, size = places, size + own
    if size == len(places_T):
        return None
    keys_N = places_T[predicts_T] << 32 | targets_N
    _, chosen_U, inverse_N = np.unique(keys_N, return_index=True, return_inverse=True)
    return Trie(
        first_S=torch.from_numpy(np.concatenate(first)),
        places_T=torch.from_numpy(places_T),
        branches=_branches(depths, size),
        chosen_U=torch.from_numpy(chosen_U),
        inverse_N=torch.from_numpy(inverse_N),
    )


def num_distinct(sequences: Sequence[_Tokens], *, block: int = BLOCK) -> int:
    """Tokens of the trie of ``sequences``."""
    return sum(len(sequences[i]) - shared for i, shared in _sorted(sequences, block))


def chunks(
    units: Sequence[list[int]], sequences: Sequence[_Tokens], *, max_tokens: int, block: int = BLOCK
) -> Iterator[list[int]]:
    """Indices of ``sequences`` in parts whose tries have at most ``max_tokens`` tokens, units whole.

    A single unit may have more. Units that begin alike are neighbors, and a part ends in its second half, where they
    have least in common: what fits a part is not torn.
    """
    left = sorted(units, key=lambda unit: _key(sequences[unit[0]]))
    while left:
        sizes: list[int] = []
        growing = _Growing(sequences, block)
        for unit in left:
            sizes.append(growing.add(unit))
            if sizes[-1] > max_tokens and len(sizes) > 1:
                firsts = [sequences[unit[0]] for unit in left[: len(sizes)]]
                shared = [_common(one, other, block) for one, other in itertools.pairwise(firsts)]
                late = [n for n in range(1, len(sizes)) if 2 * sizes[n - 1] >= max_tokens] or [len(shared)]
                end = min(late, key=lambda n: (shared[n - 1], -n))
                break
        else:
            end = len(left)
        yield [i for unit in left[:end] for i in unit]
        left = left[end:]


class _Growing:
    """How many tokens a trie has, while sequences are added to it."""

    def __init__(self, sequences: Sequence[_Tokens], block: int) -> None:
        self.sequences, self.block = sequences, block
        self.size = 0
        self._members: list[tuple[bytes, int]] = []

    def add(self, unit: Sequence[int]) -> int:
        """The tokens with those of ``unit``."""
        for i in unit:
            own = self.sequences[i]
            place = bisect.bisect(self._members, (_key(own), i))
            beside = [self.sequences[other] for _, other in self._members[max(0, place - 1) : place + 1]]
            self.size += len(own) - max((_common(own, other, self.block) for other in beside), default=0)
            self._members.insert(place, (_key(own), i))
        return self.size


def _sorted(sequences: Sequence[_Tokens], block: int) -> Iterator[tuple[int, int]]:
    """Index of each sequence in order, and how many tokens it has in common with the one before."""
    before: _Tokens = np.zeros(0, np.int32)
    for i in sorted(range(len(sequences)), key=lambda i: _key(sequences[i])):
        yield i, _common(before, sequences[i], block)
        before = sequences[i]


def _key(tokens: _Tokens) -> bytes:
    """What sorts as the tokens do."""
    return tokens.astype(">u4").tobytes()


def _common(one: _Tokens, other: _Tokens, block: int) -> int:
    """Tokens with which both begin, in whole blocks."""
    length = min(len(one), len(other)) // block * block
    differ = one[:length] != other[:length]
    return int(differ.argmax()) // block * block if differ.any() else length


def _branches(depths: dict[int, int], size: int) -> list[Branch]:
    """From the depth of each token that a branch begins with."""
    starts = sorted(depths)
    ends = [*starts[1:], size]
    stops, later = [0] * len(starts), [(size, -1)]
    for n in reversed(range(len(starts))):
        # what begins no deeper than this one ends comes after it, not from it
        below = depths[starts[n]] + ends[n] - starts[n]
        stops[n] = next(start for start, depth in reversed(later) if depth < below)
        while later[-1][1] >= depths[starts[n]]:
            later.pop()
        later.append((starts[n], depths[starts[n]]))
    return [Branch(*branch) for branch in zip(starts, ends, stops, strict=True)]
