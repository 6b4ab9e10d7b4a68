"""An engine that decodes its sequences together, one token each a step, the slower the more there are.

Between two arrivals or departures all sequences advance alike, so one clock that counts tokens is enough: a sequence
of n tokens that arrives at ``position`` ends where the clock stands at ``position`` + n. An arrival costs the logarithm
of how many there are, not their number.
"""

from __future__ import annotations

import heapq
from typing import Any

from agentgym.simulation.workload import Speed

__all__ = ["Decoder"]

_SAME, _SOON = 1e-6, 1e-9
"""Tokens that are held to be none, and seconds that are: a sum of many steps is not exact."""


class Decoder:
    """Decodes sequences. Times are seconds from the beginning, and never go back."""

    __slots__ = ("_ends", "_now", "busy", "held", "position", "sequence_seconds", "speed", "stalled_until", "wakes_at")

    def __init__(self, speed: Speed) -> None:
        self.speed = speed
        self.position = 0.0
        """Tokens that a sequence which was there from the beginning would have."""
        self.held = 0
        """Episodes that have this engine for their session."""
        self.busy = 0.0
        """Seconds that more engines would have saved: see ``Speed.share``."""
        self.sequence_seconds = 0.0
        """Sum over time of how many were decoded."""
        self.stalled_until = 0.0
        self.wakes_at = float("inf")
        """When it is to be asked next who has ended; whoever asks it sets it."""
        self._ends: list[tuple[float, int, Any]] = []
        self._now = 0.0

    @property
    def num_sequences(self) -> int:
        return len(self._ends)

    def advance(self, now: float) -> None:
        """Decode until ``now``."""
        num = len(self._ends)
        seconds = now - max(self._now, min(now, self.stalled_until))
        self._now = now
        if num and seconds > 0:
            self.position += seconds / self.speed.step(num)
            self.busy += seconds * self.speed.share(num)
            self.sequence_seconds += seconds * num

    def add(self, now: float, tokens: float, number: int, who: Any) -> None:
        """Take in a sequence. Of two that end at the same token the one with the smaller ``number`` is first."""
        self.advance(now)
        heapq.heappush(self._ends, (self.position + tokens, number, who))

    def ended(self, now: float) -> list[Any]:
        """Take out who has all their tokens."""
        self.advance(now)
        found: list[Any] = []
        if not self._ends:
            return found
        limit = self.position + _SAME + _SOON / self.speed.step(len(self._ends))
        while self._ends and self._ends[0][0] <= limit:
            found.append(heapq.heappop(self._ends)[2])
        return found

    def stall(self, now: float, seconds: float) -> None:
        """Decode nothing for so long."""
        self.advance(now)
        self.stalled_until = now + seconds

    def next_end(self) -> float:
        """When the next sequence ends, if none arrives or is stalled before; infinite without one."""
        if not self._ends:
            return float("inf")
        left = max(0.0, self._ends[0][0] - self.position)
        return max(self._now, self.stalled_until) + left * self.speed.step(len(self._ends))
