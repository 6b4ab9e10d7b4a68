"""Which of several engines a session goes to: where most of its prompt has been computed, unless too many are there.

A session stays where it began, so every turn finds its own beginning. A new one goes where the longest beginning of its
prompt was seen, which the other episodes of its group have left there; of those that are equal, and where that engine
has far more to do than the least busy, to the least busy. Beginnings are known by hashes of whole blocks of tokens,
each with those before it.
"""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Hashable, Iterator, Sequence
from typing import Generic, TypeVar

__all__ = ["Router"]

_BLOCK = 16
"""Tokens of a block."""
_MOST_BLOCKS = 1 << 16
"""That are known of an engine; the one that was not asked for the longest is forgotten first."""


E = TypeVar("E", bound=Hashable)


class Router(Generic[E]):
    """Places sessions on engines, which are named by anything.

    ``slack`` sessions more than the least busy an engine may have and still be chosen for what it knows.
    """

    def __init__(self, *, slack: int = 8) -> None:
        self.slack = slack
        self.sessions: dict[E, set[str]] = {}
        """By engine, those that are placed on it."""
        self._places: dict[str, E] = {}
        self._known: dict[E, collections.OrderedDict[bytes, None]] = {}

    def add(self, engine: E) -> None:
        """Sessions may be placed on it from now on."""
        self.sessions[engine], self._known[engine] = set(), collections.OrderedDict()

    def drop(self, engine: E) -> None:
        """It is lost: its sessions are placed anew."""
        for session in self.sessions.pop(engine, ()):
            del self._places[session]
        self._known.pop(engine, None)

    def forget(self) -> None:
        """Nothing that was computed is of use any more: the weights are others."""
        for known in self._known.values():
            known.clear()

    def place(self, session: str, tokens: Sequence[int]) -> E:
        """Where ``session`` goes, which is to go on from ``tokens``. Raises LookupError where there is no engine."""
        blocks = list(_blocks(tokens))
        engine = self._places.get(session)
        if engine is None:
            engine = self._chosen(blocks)
            self._put(session, engine)
        known = self._known[engine]
        for block in blocks:
            known[block] = None
            known.move_to_end(block)
        while len(known) > _MOST_BLOCKS:
            known.popitem(last=False)
        return engine

    def fork(self, session: str, new: str) -> E | None:
        """Where ``new`` goes, beside ``session``; None where that is nowhere."""
        engine = self._places.get(session)
        if engine is not None:
            self._put(new, engine)
        return engine

    def where(self, session: str) -> E | None:
        """Where it is, if anywhere."""
        return self._places.get(session)

    def release(self, session: str) -> E | None:
        """It is over; where it was."""
        engine = self._places.pop(session, None)
        if engine is not None:
            self.sessions[engine].discard(session)
        return engine

    def _put(self, session: str, engine: E) -> None:
        self.release(session)
        self._places[session] = engine
        self.sessions[engine].add(session)

    def _chosen(self, blocks: Sequence[bytes]) -> E:
        if not self.sessions:
            raise LookupError("no engine")
        least = min(map(len, self.sessions.values()))
        free = [engine for engine, placed in self.sessions.items() if len(placed) <= least + self.slack]
        return max(free, key=lambda engine: (self._matched(engine, blocks), -len(self.sessions[engine])))

    def _matched(self, engine: E, blocks: Sequence[bytes]) -> int:
        """How many blocks of a prompt it has, from the beginning."""
        known = self._known[engine]
        return next((index for index, block in enumerate(blocks) if block not in known), len(blocks))


def _blocks(tokens: Sequence[int]) -> Iterator[bytes]:
    """A digest for each whole block, of it and all before it."""
    digest = hashlib.blake2b(digest_size=8)
    for start in range(0, len(tokens) - _BLOCK + 1, _BLOCK):
        digest.update(b",".join(b"%d" % token for token in tokens[start : start + _BLOCK]) + b";")
        yield digest.copy().digest()
