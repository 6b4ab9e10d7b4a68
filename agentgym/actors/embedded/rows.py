"""What the embedded engine's two halves tell each other: what a session wants of a forward pass, and what it gets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from agentgym.engine import Sampling
from agentgym.types import Media

__all__ = ["Drawn", "Row", "of_like_length"]

_WASTE = 1.08
"""A group may compute so many times its real tokens, padding included."""


class Row(NamedTuple):
    """One session, which wants its next token."""

    slot: int
    start: int
    """Tokens whose keys and values are in the slot."""
    token_ids: Sequence[int]
    """Those after them: at least one."""
    sampling: Sampling
    uniform: float
    """In [0, 1): where the cumulative distribution is inverted."""
    media: Sequence[Media] = ()
    """The images among ``token_ids``."""
    shift: int = 0
    """What the next token's position has over ``start``: images take up fewer positions than tokens."""
    twins: Sequence[tuple[Sampling, float]] = ()
    """How others draw who want the same, and their numbers."""
    is_kept: bool = False
    """Whether others may want it later: what it draws from is told too."""


Drawn: TypeAlias = tuple[int, float]
"""A token and its log-probability."""


def of_like_length(rows: Iterable[Row], unit: int) -> list[list[Row]]:
    """Rows of like length, in units, so that padding beyond it stays within ``_WASTE``."""
    groups: list[list[Row]] = []
    real = width = 0
    for row in sorted(rows, key=lambda row: -len(row.token_ids)):
        length = -(-len(row.token_ids) // unit) * unit
        if not groups or width * (len(groups[-1]) + 1) > _WASTE * (real + length):
            groups.append([])
            real, width = 0, length
        groups[-1].append(row)
        real += length
    return groups
