"""The weight of the divergence from the reference policy, steered so that the divergence comes near a target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["KLCoefficient"]

_MOST = 0.2
"""Bound of the relative error."""


class KLCoefficient:
    """Begins as ``begin``; without a ``target`` it stays."""

    def __init__(self, begin: float, *, target: float | None, rate: float) -> None:
        self.begin, self.target, self.rate = begin, target, rate
        self.value = begin

    def steer(self, found: float) -> None:
        """After an update in which the divergence was ``found``: a controller in log-space (arXiv 1909.08593, §2.2).

        e = clip(KL / target - 1, -0.2, 0.2), and the coefficient times 1 + rate · e.
        """
        if self.target is not None:
            error = min(_MOST, max(-_MOST, found / self.target - 1))
            self.value *= 1 + self.rate * error

    def state(self) -> dict[str, Any]:
        """What to go on from, as JSON; nothing where it stays."""
        return {} if self.target is None else {"kl_coefficient": {"began": self.begin, "value": self.value}}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what ``state`` returned. Where the run goes on with another ``begin``, that counts."""
        saved = state.get("kl_coefficient")
        if self.target is not None and saved is not None and saved["began"] == self.begin:
            self.value = saved["value"]
