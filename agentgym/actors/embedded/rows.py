"""What the embedded engine's two halves tell each other: what a session wants of a forward pass, and what it gets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from agentgym.engine import Sampling
from agentgym.types import Media

__all__ = ["Drawn", "Row"]


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


Drawn: TypeAlias = tuple[int, float]
"""A token and its log-probability."""
