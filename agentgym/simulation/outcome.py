"""What came of a plan."""

from __future__ import annotations

import dataclasses

__all__ = ["Outcome", "Update"]


@dataclasses.dataclass(slots=True)
class Update:
    """One update of the learner. Times are seconds from the beginning."""

    began_waiting: float
    """When the weights of before were published and episodes could be taken."""
    began: float
    ended: float
    tokens: float
    staleness: float
    """Mean over its tokens: updates since the weights that sampled them."""
    max_staleness: int
    """Of the replies."""
    groups: list[int]
    """That it was made of, in the order in which they were taken."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """In the steady part of what was simulated. Shares are of its time."""

    seconds_per_update: float
    episodes_per_second: float
    tokens_per_second: float
    """That were sampled."""
    staleness: float
    """Mean over tokens, in updates."""
    max_staleness: int
    actors_busy: float
    """Share of the places in which an episode is under way."""
    engines_busy: float
    """Share of the engines' time that more of them would save."""
    sequences: float
    """That an engine decodes at once, on the mean."""
    shards_busy: float
    """Share of the time that the processes which play compute."""
    learner_busy: float
    episode_seconds: float
    """From when an episode has a place to its end, on the mean."""
    publish_share: float

    @property
    def waits_for(self) -> str:
        """What the run would be faster with more of."""
        if self.learner_busy + self.publish_share > 0.95:
            return "learner"
        shares = {"shards": self.shards_busy, "engines": self.engines_busy}
        fullest = max(shares, key=lambda name: shares[name])
        if self.actors_busy > 0.9:
            return fullest if shares[fullest] > 0.8 else "actors"
        return fullest if shares[fullest] > 0.9 else "slowest episodes"
