"""How many of everything there are, and how far is played ahead."""

from __future__ import annotations

import dataclasses

from agentgym.errors import ConfigError

__all__ = ["Plan"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is chosen. Raises ConfigError for what cannot be."""

    actors: int
    """Episodes under way at once, as --rollout.concurrency."""
    groups: int
    """Of an update."""
    group_size: int
    """Episodes of a group."""
    max_staleness: int = 0
    """0: playing and learning take turns, as --mode sync."""
    in_order: bool = True
    """As --mode async; otherwise whichever groups are finished first, as fully-async."""
    engines: int = 1
    learners: int = 1
    """That share an update; what they lose to each other is not in the model."""
    shards: int = 1
    """Processes that play."""
    updates: int = 16
    """That are simulated."""

    def __post_init__(self) -> None:
        for name in ("actors", "groups", "group_size", "engines", "learners", "shards", "updates"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, expected 1 or more")
        if self.max_staleness < 0:
            raise ConfigError(f"max_staleness is {self.max_staleness}, expected 0 or more; 0 plays and learns in turn")
        if not self.in_order and not self.max_staleness:
            raise ConfigError("fully-async has no effect where nothing is played ahead; type: --max_staleness 1")
        if len(self.steady) < 2:
            least = self.steady.start + max(1, self.max_staleness) + 2
            raise ConfigError(
                f"{self.updates} updates are too few to see how a max_staleness of {self.max_staleness} settles; "
                f"type: --updates {least}"
            )

    @property
    def per_update(self) -> int:
        """Episodes of an update."""
        return self.groups * self.group_size

    @property
    def steady(self) -> range:
        """The updates that are measured: the first begin with nothing under way, and while the last are played nothing
        is begun any more."""
        return range(self.max_staleness + 2, self.updates - max(1, self.max_staleness))
