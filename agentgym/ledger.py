"""The task ledger: what became of every ordinal of a run, on disk, one JSON object a line.

Ordinal n is the n-th draw of training (``Curriculum``). Each is trained once or rejected once with a reason; the
ledger is the proof. It is written with the metrics of an update and, on resume, cut back with them.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agentgym.errors import DataError
from agentgym.types import TaskId

__all__ = ["Entry", "Tally", "audit"]


class Entry(BaseModel):
    """What became of one ordinal."""

    model_config = ConfigDict(extra="forbid")

    ordinal: int = Field(ge=0)
    task: TaskId | None
    options: dict[str, Any] = Field(default_factory=dict)
    level: float | None = None
    strength: float = 0.0
    shown_turns: int = 0
    max_turns: int | None = None
    update: int
    """Update that played it, from 1."""
    fate: Literal["trained", "rejected"]
    reason: str = ""
    """Why it was rejected: "equal rewards", "void", "non-finite update", …"""


@dataclasses.dataclass(slots=True)
class Tally:
    """How far the draws of training have come."""

    begun: int = 0
    """Task ordinals that have begun."""
    pending: list[int] = dataclasses.field(default_factory=list)
    """Those of them that are not in the ledger yet."""


def audit(entries: Iterable[Entry], *, until: int | None = None, pending: Iterable[int] = ()) -> dict[str, int]:
    """Count fates and reasons. Raises DataError unless the ordinals are 0, 1, 2, … once each.

    ``until`` is the number of ordinals that have begun, ``pending`` are those of them that have no fate yet.

    >>> audit([Entry(ordinal=0, task=7, update=1, fate="trained")])
    {'trained': 1}
    """
    seen: dict[int, Entry] = {}
    counts: dict[str, int] = {}
    for entry in entries:
        if entry.ordinal in seen:
            first = seen[entry.ordinal].update
            raise DataError(
                f"task ordinal {entry.ordinal} is in the ledger twice, in updates {first} and {entry.update}"
            )
        seen[entry.ordinal] = entry
        fate = entry.fate if entry.fate == "trained" else f"rejected: {entry.reason}"
        counts[fate] = counts.get(fate, 0) + 1
    num = max([*(ordinal + 1 for ordinal in seen), 0]) if until is None else until
    waiting = set(pending)
    if early := sorted(waiting & seen.keys()):
        raise DataError(f"task ordinal {early[0]} is in the ledger, though it is still to be trained")
    known = {ordinal for ordinal in (*seen, *waiting) if 0 <= ordinal < num}
    if missing := num - len(known):  # counted, not listed: a damaged line may have a number of any size
        first_missing = next(ordinal for ordinal in itertools.count() if ordinal not in known)
        raise DataError(f"task ordinal {first_missing} is not in the ledger: {missing} of {num} are missing")
    if seen and max(seen) >= num:
        raise DataError(f"task ordinal {max(seen)} is in the ledger, there should be {num}")
    return counts
