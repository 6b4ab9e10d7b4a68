"""How long something takes, or how much of it there is: a distribution that can be drawn from."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Constant", "Counted", "Durations", "Lognormal", "drawn"]

_BLOCK = 4096


class Durations(Protocol):
    """Numbers that are not negative."""

    @property
    def mean(self) -> float: ...

    def draw(self, rng: np.random.Generator, num: int) -> NDArray[np.float64]:
        """So many of them, independent of each other."""


@dataclasses.dataclass(frozen=True, slots=True)
class Constant:
    """Always the same."""

    value: float

    @property
    def mean(self) -> float:
        return self.value

    def draw(self, rng: np.random.Generator, num: int) -> NDArray[np.float64]:
        return np.full(num, self.value)


@dataclasses.dataclass(frozen=True, slots=True)
class Lognormal:
    """With that mean; ``sigma`` is the deviation of the logarithm: at 1 the slowest hundredth takes six times that."""

    mean: float
    sigma: float

    def draw(self, rng: np.random.Generator, num: int) -> NDArray[np.float64]:
        return rng.lognormal(math.log(self.mean) - self.sigma**2 / 2, self.sigma, num)


@dataclasses.dataclass(frozen=True, slots=True)
class Counted:
    """As often as it was counted: value → how often."""

    counts: Mapping[float, int]

    @property
    def mean(self) -> float:
        return sum(value * num for value, num in self.counts.items()) / sum(self.counts.values())

    def draw(self, rng: np.random.Generator, num: int) -> NDArray[np.float64]:
        weights = np.array(list(self.counts.values()), float)
        return rng.choice(np.array(list(self.counts), float), size=num, p=weights / weights.sum())


def drawn(durations: Durations, rng: np.random.Generator) -> Iterator[float]:
    """One after the other, without end; drawn in blocks, which is what makes it cheap."""
    while True:
        yield from durations.draw(rng, _BLOCK).tolist()
