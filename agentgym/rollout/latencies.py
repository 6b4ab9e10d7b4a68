"""What an episode waits for, and how long: resets, steps and replies, as counts.

Seconds are counted in buckets of a ninth each (an octave is eight of them), so that any number of turns takes the same
room; a bucket stands for its middle, which is 4.4 % off at most. Replies are counted once more by how many were being
sampled at the same time: an engine's speed is a function of that.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["Latencies", "Load"]

_OCTAVE = 8
_SHORTEST = 1e-7


@dataclasses.dataclass(slots=True)
class Load:
    """Replies that were sampled while about as many others were: sums over them."""

    replies: int = 0
    tokens: int = 0
    seconds: float = 0.0
    together: float = 0.0
    """How many were being sampled at once."""


class Latencies:
    """Counts of what was waited for. Seconds are those of a wall clock."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[int]] = {what: Counter() for what in ("reset", "step", "reply", "tokens")}
        """Of seconds, and of the tokens that a reply has."""
        self.loads: dict[int, Load] = {}
        """By twice the octave of how many replies were being sampled at once."""
        self.in_flight = 0

    @contextlib.contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """While entered, for a "reset" or a "step". What fails is not counted."""
        began = time.perf_counter()
        yield
        self.counts[what][_bucket(time.perf_counter() - began)] += 1

    @contextlib.contextmanager
    def replying(self) -> Iterator[list[int]]:
        """While entered, for a reply; the list takes how many tokens it has. Without one it is not counted."""
        tokens: list[int] = []
        self.in_flight += 1
        before, began = self.in_flight, time.perf_counter()
        try:
            yield tokens
        finally:
            after, self.in_flight = self.in_flight, self.in_flight - 1
        if tokens:
            seconds, together = time.perf_counter() - began, (before + after) / 2
            self.counts["reply"][_bucket(seconds)] += 1
            self.counts["tokens"][_bucket(sum(tokens))] += 1
            load = self.loads.setdefault(round(2 * math.log2(together)), Load())
            load.replies, load.tokens = load.replies + 1, load.tokens + sum(tokens)
            load.seconds, load.together = load.seconds + seconds, load.together + together

    def counted(self, what: str) -> dict[float, int]:
        """Seconds, or "tokens" → how often it was that."""
        return {2 ** (bucket / _OCTAVE): count for bucket, count in sorted(self.counts[what].items())}

    def state(self) -> dict[str, Any]:
        """All counts, as JSON."""
        counts = {what: {str(bucket): num for bucket, num in each.items()} for what, each in self.counts.items()}
        return {
            "counts": counts,
            "loads": {str(octave): dataclasses.asdict(load) for octave, load in self.loads.items()},
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up what ``state`` returned. Raises LookupError, TypeError or ValueError for what it cannot have."""
        for what in self.counts:
            self.counts[what] = Counter({int(bucket): int(num) for bucket, num in state["counts"][what].items()})
        self.loads = {int(octave): Load(**load) for octave, load in state["loads"].items()}


def _bucket(value: float) -> int:
    return round(_OCTAVE * math.log2(max(value, _SHORTEST)))
