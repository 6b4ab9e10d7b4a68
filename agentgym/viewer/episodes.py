"""Episodes as a table: a page of it, what there is to filter by, and what is found in their words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import regex
from pydantic import Field

from agentgym.archive import Archive, Card, Criteria
from agentgym.errors import UserError
from agentgym.viewer.sources import Sources

__all__ = ["FACETS", "RANGES", "card_told", "episodes", "facets", "members", "search"]

FACETS = ("env", "split", "stage", "role", "stop_reason", "update")
"""What has few values, to choose one of."""
RANGES = ("update", "reward", "level", "strength", "num_turns", "num_tokens")
"""What lies between two bounds."""
_AT_ONCE = 64
"""Episodes whose words are read between two looks at the clock."""
_AROUND = 60
"""Letters on either side of what was found."""
_PATIENCE = 1.0
"""Seconds that a pattern may take in one message: some would take for ever."""

Offset = Annotated[int, Field(ge=0)]
Limit = Annotated[int, Field(ge=1, le=1000)]


def episodes(
    sources: Sources, *, run: int = 0, offset: Offset = 0, limit: Limit = 100, **criteria: Any
) -> dict[str, Any]:
    """How many episodes meet the criteria (``agentgym.archive.Criteria``), and ``limit`` of them from ``offset`` on."""
    wanted = Criteria.of(criteria)
    with sources.at(run).asking() as archive:
        return {
            "total": archive.tally(wanted),
            "offset": offset,
            "rows": [card_told(card) for card in archive.browse(wanted, offset=offset, limit=limit)],
        }


def facets(sources: Sources, *, run: int = 0) -> dict[str, Any]:
    """What episodes can be filtered by: values of each name with their number, and the bounds of numbers."""
    with sources.at(run).asking() as archive:
        values = {name: [[value, num] for value, num in archive.values(name).items()] for name in FACETS}
        return {"values": values, "bounds": {name: _bounds(archive, name) for name in RANGES}}


def search(
    sources: Sources,
    *,
    text: Annotated[str, Field(min_length=1)],
    run: int = 0,
    is_regex: bool = False,
    offset: Offset = 0,
    limit: Limit = 100,
    seconds: Annotated[float, Field(gt=0, le=10)] = 0.3,
    **criteria: Any,
) -> dict[str, Any]:
    """Episodes in whose messages ``text`` is, in capitals or not, or that match a regular expression.

    It looks from the ``offset``-th on of those that meet the criteria for about so many ``seconds``; ``next`` is where
    to look on, null at the end. Each row says where it was found first.
    """
    wanted, found_in = Criteria.of(criteria), _finder(text, is_regex)
    rows: list[dict[str, Any]] = []
    with sources.at(run).asking() as archive:
        total, until, at = archive.tally(wanted), time.monotonic() + seconds, offset
        while at < total and len(rows) < limit:
            for card in archive.browse(wanted, offset=at, limit=_AT_ONCE):
                at += 1
                rows += [card_told(card) | hit for hit in _hits(archive, card, found_in)]
                if len(rows) >= limit:
                    break
            if time.monotonic() > until:
                break
    return {"rows": rows, "looked_at": min(at, total), "total": total, "next": at if at < total else None}


def card_told(card: Card) -> dict[str, Any]:
    """A card as JSON has it, and whether the episode is void. The seed is text: it may have any length."""
    return {
        **card._asdict(),
        "seed": str(card.seed),
        "stop_reason": card.stop_reason.value,
        "void": card.stop_reason.is_void,
        "truncated": card.stop_reason.is_truncated,
    }


def members(archive: Archive, card: Card, limit: int | None = None) -> list[Card]:
    """Cards of the episodes that an episode is compared with, itself among them; none where it has no group."""
    if not card.group_id:
        return []
    return archive.query(group_id=card.group_id, stage=card.stage, update=card.update, split=card.split, limit=limit)


def _bounds(archive: Archive, name: str) -> list[float] | None:
    ends = [archive.browse(Criteria(order=name, descending=way), limit=1) for way in (False, True)]
    low, high = (getattr(end[0], name) if end else None for end in ends)
    return None if high is None else [low if low is not None else high, high]


def _finder(text: str, is_regex: bool) -> Callable[[str], tuple[int, int] | None]:
    """Where something first is in a message. Raises UserError for what is no pattern."""
    try:
        pattern = regex.compile(text if is_regex else regex.escape(text), regex.IGNORECASE)
    except regex.error as error:
        raise UserError(f'"{text}" is no regular expression: {error}') from None

    def find(message: str) -> tuple[int, int] | None:
        try:
            found = pattern.search(message, timeout=_PATIENCE)
        except TimeoutError:
            raise UserError(f'the pattern "{text}" takes too long; make it simpler') from None
        return found.span() if found else None

    return find


def _hits(archive: Archive, card: Card, find: Callable[[str], tuple[int, int] | None]) -> Iterator[dict[str, Any]]:
    """The first place in an episode; none where it is not there."""
    for turn, field, message in _messages(archive, card.number):
        if (span := find(message)) is not None:
            start, end = span
            shown = message[max(0, start - _AROUND) : end + _AROUND]
            begin = start - max(0, start - _AROUND)
            yield {"hit": {"turn": turn, "field": field, "text": shown, "start": begin, "end": begin + end - start}}
            return


def _messages(archive: Archive, number: int) -> Iterator[tuple[int, str, str]]:
    """What was said in an episode, in order: turn, field and text."""
    record = archive.record(number)
    for turn, said in enumerate(record["turns"]):
        for field in ("observation", "reply", "error"):
            if said[field]:
                yield turn, field, said[field]
    for field in ("final_observation", "error"):
        if record[field]:
            yield len(record["turns"]), field, record[field]
