"""What a search may cost, whom it asks, and what it has cost."""

from __future__ import annotations

import dataclasses
import time

from pydantic import Field

from agentgym.config import Choice, Settings

__all__ = ["Budget", "SearchSettings", "Spent"]


class Budget(Settings):
    """When a search of one task ends, with whatever it has found by then: one line at least."""

    max_tokens: int | None = Field(None, ge=1)
    """Tokens that may be sampled and prefilled together; what is under way is played to its end."""
    max_steps: int | None = Field(None, ge=1)
    """Turns of the environment, likewise."""
    max_seconds: float | None = Field(None, gt=0)
    """Time, likewise. What is found then depends on the machine."""

    @property
    def is_bounded(self) -> bool:
        """Whether there is any bound."""
        return (self.max_tokens, self.max_steps, self.max_seconds) != (None, None, None)


class SearchSettings(Budget):
    """What every search is told."""

    critic: Choice | None = None
    """Who says what looks best, with its settings behind it: --search.critic model --search.critic.model RUN; none
    given: what the environment paid decides alone."""


@dataclasses.dataclass(slots=True)
class Spent:
    """What a search has cost so far."""

    sampled: int = 0
    """Tokens."""
    prefilled: int = 0
    """Tokens that replies follow and that were not there before them: each once, where the engine keeps sessions."""
    steps: int = 0
    """Turns of the environment."""
    merged: int = 0
    """Proposals that said what another one said, and count with it."""
    lost: int = 0
    """Proposals that were not taken, since the environment did not come back to where they were made."""
    unjudged: int = 0
    """Times that a critic gave no answer."""
    restores: int = 0
    """Times that the environment was brought back to another moment."""
    restore_seconds: float = 0.0
    """That this took."""
    began: float = dataclasses.field(default_factory=time.monotonic)

    @property
    def tokens(self) -> int:
        """Sampled and prefilled."""
        return self.sampled + self.prefilled

    def figures(self) -> dict[str, float]:
        """What is told of it in the metrics of an update."""
        named = ("sampled", "prefilled", "steps", "merged", "lost", "unjudged")
        return {f"search_{name}": float(getattr(self, name)) for name in named}

    def exceeds(self, budget: Budget) -> bool:
        """Whether nothing more is to be begun."""
        seconds = time.monotonic() - self.began
        used = (self.tokens, budget.max_tokens), (self.steps, budget.max_steps), (seconds, budget.max_seconds)
        return any(limit is not None and spent >= limit for spent, limit in used)

    def __add__(self, other: Spent) -> Spent:
        """Of both together, since the first of them began."""
        names = [field.name for field in dataclasses.fields(self) if field.name != "began"]
        added = {name: getattr(self, name) + getattr(other, name) for name in names}
        return Spent(**added, began=min(self.began, other.began))
