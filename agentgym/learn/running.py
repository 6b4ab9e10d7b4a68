"""Mean and variance of all that was seen so far."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["Running"]

_NONE = 1e-8
"""Variance up to which all that was seen is taken for the same."""


class Running:
    """Has seen nothing at first."""

    def __init__(self) -> None:
        self.num, self.mean, self.variance = 0.0, 0.0, 0.0

    @property
    def deviation(self) -> float:
        """The root of the population's variance; 1 while all that was seen is the same."""
        return math.sqrt(self.variance) if self.variance > _NONE else 1.0

    def see(self, values: Sequence[float]) -> None:
        """Take in ``values`` (Chan et al., 1979, eq. 2.1)."""
        num = len(values)
        if not num:
            return
        mean = math.fsum(values) / num
        spread = math.fsum((value - mean) ** 2 for value in values)
        both, apart = self.num + num, mean - self.mean
        spread += self.variance * self.num + apart**2 * self.num * num / both
        self.num, self.mean, self.variance = both, self.mean + apart * num / both, spread / both

    def state(self) -> dict[str, Any]:
        """As JSON."""
        return {"num": self.num, "mean": self.mean, "variance": self.variance}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what ``state`` returned."""
        self.num, self.mean, self.variance = state["num"], state["mean"], state["variance"]
