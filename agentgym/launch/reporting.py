"""Who is told how a long piece of work gets on, and what is said where it came to nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Protocol

from agentgym.ledger import Entry

__all__ = ["Reporter", "Silent", "why_nothing"]

_EQUAL = (
    "in every update the episodes of each group all had the same reward; make the task easier, {imitate}, or raise "
    "--trainer.group_size"
)
_IMITATE = {
    "none": "give the environment an expert()",
    "idle": "imitate the environment's expert first (--warm_start.enabled true)",
    "used": "imitate the environment's expert for longer (--warm_start.until, --warm_start.max_updates)",
}


class Reporter(Protocol):
    """Is told what happens."""

    def begin(self, stage: str, total: int, unit: str) -> None:
        """A stage of ``total`` updates or episodes begins."""

    def advance(self, done: int, values: Mapping[str, float]) -> None:
        """``done`` of them are done."""

    def note(self, text: str) -> None:
        """Something worth a line."""


class Silent:
    """Tells nobody."""

    def begin(self, stage: str, total: int, unit: str) -> None: ...

    def advance(self, done: int, values: Mapping[str, float]) -> None: ...

    def note(self, text: str) -> None: ...


def why_nothing(entries: Iterable[Entry], expert: str = "none") -> str:
    """Why nothing was learned: the reasons why groups were rejected, the most frequent first.

    ``expert`` is "none" where the environment has none, "used" where it was imitated before, and else "idle".
    """
    reasons = Counter(entry.reason for entry in entries if entry.reason)
    if set(reasons) <= {"equal rewards"}:
        return _EQUAL.format(imitate=_IMITATE[expert])
    return "; ".join(f"{reason} ({num} groups)" for reason, num in reasons.most_common())
