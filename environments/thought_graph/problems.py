"""The problems of Graph of Thoughts (arXiv 2308.09687): sorting, intersection of sets, counting of keywords.

A problem is a list of items. Any run of neighbouring items is a part of it, with a right answer of its own, and the
answers to two parts that are neighbours have an answer to both: that is what makes a problem one for a graph. All
answers are lists of words, compared as multisets; for sorting the order counts as well.
"""

from __future__ import annotations

import collections
import itertools
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

__all__ = ["PROBLEMS", "Answer", "Problem", "ProblemKind", "num_errors"]

Answer: TypeAlias = tuple[str, ...]


class Problem(NamedTuple):
    """One instance."""

    items: tuple[str, ...]
    """What is worked on, and can be cut anywhere."""
    given: tuple[str, ...] = ()
    """What every part needs: the other set."""


class ProblemKind(NamedTuple):
    """How instances are drawn, solved and told to a reasoner."""

    title: str
    draw: Callable[[int, np.random.Generator], Problem]
    """Size, rng → an instance."""
    solve: Callable[[Sequence[str], Problem], Answer]
    """Items of a part, the problem → the right answer."""
    merge: Callable[[Answer, Answer], Answer]
    """Answers of two parts → what joining them faithfully gives."""
    vocabulary: Callable[[Problem], Sequence[str]]
    """What may stand in an answer, to draw wrong words from."""
    task: str
    """What a reasoner is asked for."""
    ordered: bool = False


def num_errors(kind: ProblemKind, answer: Answer, right: Answer) -> int:
    """Words too many and words missing; where order counts, also neighbours in the wrong order (as in GoT).

    >>> num_errors(PROBLEMS["sorting"], ("1", "3", "2", "2"), ("1", "2", "3", "4"))
    3
    """
    found, wanted = collections.Counter(answer), collections.Counter(right)
    wrong = (found - wanted).total() + (wanted - found).total()
    if kind.ordered:
        wrong += sum(_value(one) > _value(other) for one, other in itertools.pairwise(answer))
    return wrong


def _value(word: str) -> int:
    return int(word) if re.fullmatch(r"\d{1,9}", word, re.ASCII) else 0


def _merged(one: Answer, other: Answer) -> Answer:
    return tuple(sorted((*one, *other), key=_value))


# -- sorting ---------------------------------------------------------------------------------------------


def _draw_digits(size: int, rng: np.random.Generator) -> Problem:
    return Problem(tuple(str(digit) for digit in rng.integers(10, size=size)))


# -- intersection ----------------------------------------------------------------------------------------


def _draw_sets(size: int, rng: np.random.Generator) -> Problem:
    """Two sets of ``size`` numbers below twice as many: about half of each is in the other."""
    one, other = (rng.permutation(2 * size)[:size] for _ in range(2))
    return Problem(tuple(map(str, one)), tuple(map(str, sorted(other))))


def _intersect(items: Sequence[str], problem: Problem) -> Answer:
    return tuple(sorted(set(items) & set(problem.given), key=_value))


# -- counting --------------------------------------------------------------------------------------------

_COUNTRIES = ("Brazil", "Canada", "Chile", "Egypt", "France", "Ghana", "India", "Japan", "Kenya", "Norway")
_WORDS = ("the", "ship", "left", "for", "and", "came", "from", "with", "tea", "at", "dawn", "through", "storms")


def _draw_text(size: int, rng: np.random.Generator) -> Problem:
    """About every third word is a country, as in a text about travels."""
    countries = rng.random(size) < 1 / 3
    words = (_COUNTRIES if country else _WORDS for country in countries)
    return Problem(tuple(choices[int(rng.integers(len(choices)))] for choices in words))


def _count(items: Sequence[str], problem: Problem) -> Answer:
    return tuple(sorted(item for item in items if item in _COUNTRIES))


PROBLEMS = {
    "sorting": ProblemKind(
        title="sort {size} digits",
        draw=_draw_digits,
        solve=lambda items, problem: tuple(sorted(items, key=_value)),
        merge=_merged,
        vocabulary=lambda problem: [str(digit) for digit in range(10)],
        task="Sort these numbers in ascending order.",
        ordered=True,
    ),
    "intersection": ProblemKind(
        title="intersect two sets of {size} numbers",
        draw=_draw_sets,
        solve=_intersect,
        merge=_merged,
        vocabulary=lambda problem: problem.given,
        task="List the numbers of the first list that are also in the second.",
    ),
    "counting": ProblemKind(
        title="find every mention of a country in {size} words",
        draw=_draw_text,
        solve=_count,
        merge=lambda one, other: tuple(sorted((*one, *other))),
        vocabulary=lambda problem: _COUNTRIES,
        task="List every mention of a country, as often as it is mentioned.",
    ),
}
"""Name → kind."""
