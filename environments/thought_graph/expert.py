"""The static schedule of Graph of Thoughts: split, solve each part, correct it, merge two by two, correct each merge.

It reads nothing but the graph, so it goes on from wherever another policy left off. What is open and small enough is
solved, what is larger is split; what is answered is scored, and refined until the score is right.
"""

from __future__ import annotations

from collections.abc import Sequence

from agentgym.environments.thought_graph.graph import Move, Thought, obstacle

__all__ = ["LEAF", "scheduled"]

LEAF = 8
"""Items of a part that is solved in one go."""


def scheduled(thoughts: Sequence[Thought]) -> Move:
    """The next move of the schedule."""
    for place, thought in enumerate(thoughts):
        if thought.answer is not None and thought.errors != 0:
            return Move("score" if thought.errors is None else "refine", place)
    best = _answered(thoughts)
    if (whole := best.get((0, thoughts[0].end))) is not None:
        return Move("answer", whole)
    return _downwards(0, thoughts, best)


def _answered(thoughts: Sequence[Thought]) -> dict[tuple[int, int], int]:
    """Runs of items that have an answer, and which thought holds it."""
    return {(thought.start, thought.end): place for place, thought in enumerate(thoughts) if thought.answer is not None}


def _downwards(place: int, thoughts: Sequence[Thought], best: dict[tuple[int, int], int]) -> Move:
    """What brings the thought at ``place`` nearer to an answer."""
    parts = [i for i, thought in enumerate(thoughts) if thought.parents == (place,)]
    if not parts:
        cut = Move("decompose", place)
        return cut if thoughts[place].size > LEAF and obstacle(cut, thoughts) is None else Move("solve", place)
    answers = [best.get((thoughts[part].start, thoughts[part].end)) for part in parts]
    for part, answer in zip(parts, answers, strict=True):
        if answer is None:
            return _downwards(part, thoughts, best)
    one, other = answers
    assert one is not None
    return Move("aggregate", one, other)
