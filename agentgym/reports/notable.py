"""The episodes of a run that one would look at first: the best, the worst, and the odd ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from agentgym.archive import Archive, Card, Criteria
from agentgym.types import Trajectory

__all__ = ["Notable", "notable"]

_LONG = 2_000_000
"""Tokens of an episode that is too long to be read for a page."""


class Notable(NamedTuple):
    """An episode, and what is notable of it."""

    why: str
    card: Card
    episode: Trajectory


def notable(archive: Archive) -> list[Notable]:
    """Of the policy's episodes of training, and where there are none, of all: each once, the best first."""
    common = {"role": "policy", "stage": "train", "split": "train"}
    if not archive.tally(Criteria.of(common)):
        common = {}
    found: dict[int, tuple[str, Card]] = {}
    for why, criteria in _wanted(common):
        for card in archive.browse(criteria, limit=1):
            if card.num_tokens <= _LONG:
                found.setdefault(card.number, (why, card))
    return [Notable(why, card, archive.get(card.number)) for why, card in found.values()]


def _wanted(common: dict[str, str]) -> Iterator[tuple[str, Criteria]]:
    def of(**more: object) -> Criteria:
        return Criteria.of({**common, **more})

    yield "the best", of(order="reward", descending=True, void=False)
    yield "the worst", of(order="reward", void=False)
    yield "the most actions without effect", of(order="num_invalid", descending=True, invalid=True)
    yield "the longest", of(order="num_tokens", descending=True, void=False)
    yield "void", of(void=True, descending=True)
    yield "a success with the fewest turns", of(order="num_turns", success=True)
