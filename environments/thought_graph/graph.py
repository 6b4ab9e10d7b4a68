"""Thoughts and what can be done with them.

A thought stands for a run of the problem's items. It is open, or has an answer; an answer may have been scored since it
last changed. ``decompose`` cuts an open thought in two new ones, ``solve`` gives it an answer, ``refine`` changes an
answer, ``score`` counts its errors, and ``aggregate`` makes a new thought of the answers to two neighbouring runs.
These are the actions of ARIES (arXiv 2502.21208); refining changes a thought in place, as the loops in the graphs of
Graph of Thoughts do.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from agentgym.environments.thought_graph.problems import Answer

__all__ = ["Move", "Thought", "admissible", "obstacle", "parse_move"]


class Move(NamedTuple):
    """What to do with which thoughts."""

    operator: str
    """ "decompose", "solve", "refine", "score", "aggregate" or "answer"."""
    thought: int
    other: int | None = None
    """The second of "aggregate"."""

    def __str__(self) -> str:
        return f"{self.operator} {self.thought}" + (f" {self.other}" if self.other is not None else "")


_ONE = re.compile(r"(decompose|solve|refine|score|answer) (\d{1,6})", re.ASCII)
_TWO = re.compile(r"(aggregate) (\d{1,6}) (\d{1,6})", re.ASCII)


def parse_move(action: str) -> Move | None:
    """The move that ``action`` names, or None. Case and runs of blanks do not matter.

    >>> parse_move("Aggregate 3  4"), parse_move("aggregate 3")
    (Move(operator='aggregate', thought=3, other=4), None)
    """
    words = " ".join(action.lower().split()) if len(action) <= 100 else ""
    if found := _TWO.fullmatch(words):
        return Move(found[1], int(found[2]), int(found[3]))
    found = _ONE.fullmatch(words)
    return Move(found[1], int(found[2])) if found else None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Thought:
    """A run of items, and what is thought of it."""

    start: int
    end: int
    """Behind the last item."""
    parents: tuple[int, ...] = ()
    """One for a part of another thought, two for an aggregate."""
    answer: Answer | None = None
    errors: int | None = None
    """As scored; None where the answer was not scored since it changed."""

    @property
    def size(self) -> int:
        """Number of items."""
        return self.end - self.start

    def halves(self, place: int) -> tuple[Thought, Thought]:
        """The two parts of the thought at ``place``."""
        middle = (self.start + self.end) // 2
        return (
            Thought(start=self.start, end=middle, parents=(place,)),
            Thought(start=middle, end=self.end, parents=(place,)),
        )

    def as_json(self) -> dict[str, Any]:
        """Plain lists and numbers; ``Thought.of(thought.as_json())`` is the same thought."""
        return dataclasses.asdict(self) | {
            "parents": list(self.parents),
            "answer": None if self.answer is None else list(self.answer),
        }

    @classmethod
    def of(cls, record: dict[str, Any]) -> Thought:
        """From what ``as_json`` gave."""
        answer = None if record["answer"] is None else tuple(record["answer"])
        return cls(**record | {"parents": tuple(record["parents"]), "answer": answer})


def obstacle(move: Move, thoughts: Sequence[Thought]) -> str | None:
    """Why the move cannot be made, in words; None for one that can."""
    for place in (move.thought, move.other):
        if place is not None and place >= len(thoughts):
            return f"there is no thought {place}"
    one = thoughts[move.thought]
    if move.operator in ("decompose", "solve"):
        if one.answer is not None:
            return f"thought {move.thought} has an answer already"
        if move.operator == "decompose":
            return _cannot_cut(move.thought, thoughts)
        return None
    if one.answer is None:
        return f"thought {move.thought} has no answer yet"
    if move.operator == "score" and one.errors is not None:
        return f"thought {move.thought} is scored already"
    return _cannot_join(move, thoughts) if move.other is not None else None


def _cannot_cut(place: int, thoughts: Sequence[Thought]) -> str | None:
    if thoughts[place].size < 2:
        return f"thought {place} has one item only"
    if any(thought.parents == (place,) for thought in thoughts):
        return f"thought {place} is decomposed already"
    return None


def _cannot_join(move: Move, thoughts: Sequence[Thought]) -> str | None:
    assert move.other is not None
    one, other = thoughts[move.thought], thoughts[move.other]
    if other.answer is None:
        return f"thought {move.other} has no answer yet"
    if one.end != other.start:
        return f"thought {move.other} does not begin where thought {move.thought} ends"
    return None


def admissible(thoughts: Sequence[Thought]) -> Iterator[Move]:
    """Every move that can be made."""
    places = range(len(thoughts))
    for operator in ("decompose", "solve", "refine", "score", "answer"):
        moves = (Move(operator, place) for place in places)
        yield from (move for move in moves if obstacle(move, thoughts) is None)
    starts: dict[int, list[int]] = {}
    for place in places:
        if thoughts[place].answer is not None:
            starts.setdefault(thoughts[place].start, []).append(place)
    for place in places:
        if thoughts[place].answer is not None:
            yield from (Move("aggregate", place, other) for other in starts.get(thoughts[place].end, ()))
