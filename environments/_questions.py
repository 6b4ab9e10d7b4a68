"""The datasets of reasoning-gym as the environment asks them: the same in every process, made and drawn but once.

A dataset may take long to make (it reads puzzles from files) and a question long to draw (a puzzle is sought that has a
solution), and the same question is asked many times: of all episodes of a group, and again after each restored moment.
So datasets are shared by all environments of a process, and the questions drawn last are kept.
"""

from __future__ import annotations

import copy
import functools
import itertools
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any, TypeAlias

from agentgym.environments._quiet import hush
from agentgym.errors import ConfigError, did_you_mean
from agentgym.extras import require

__all__ = ["WRONG_QUESTIONS", "Questions"]

Entry: TypeAlias = dict[str, Any]
"""A question with its answer, and how it was drawn."""

_REFUSED = {
    **dict.fromkeys(
        ("intermediate_integration", "polynomial_multiplication", "simple_integration"),
        "its scoring evaluates the policy's answer as code",
    ),
    "list_functions": "its questions come from the process's random numbers: no seed repeats them",
    "composite": "it has no questions of its own; name one of its parts",
}
_LARGEST_TERM = 10**9
"""Of a sequence of numbers. The package throws away what exceeds 1000, but first squares it again and again."""
_DRAWING = threading.Lock()


class Questions:
    """The questions of one dataset, by their numbers. Raises ConfigError, MissingExtraError."""

    def __init__(self, name: str, settings: Mapping[str, Any]) -> None:
        self.name, self._settings = name, _Fixed(settings)
        _dataset(name, self._settings)

    def __getitem__(self, number: int) -> Entry:
        return copy.deepcopy(_drawn(self.name, self._settings, number))

    def score_answer(self, answer: str, entry: Entry) -> float:
        """The package's score."""
        return float(_dataset(self.name, self._settings).score_answer(answer, entry))

    def what_is_wrong(self, entry: Entry) -> str | None:
        """Why no answer to the question is right, or none but a wrong one; None where nothing is known of it."""
        known = WRONG_QUESTIONS.get(self.name)
        return known[1] if known and known[0](self, entry) else None


class _Fixed(dict[str, Any]):
    """Settings that nothing changes any more, so that what was made of them can be found by them."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(repr(sorted(self.items())))


class _InOrder(frozenset[str]):
    """Letters in the order of the alphabet. Two datasets draw from a set, whose order is another in every process."""

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(super().__iter__()))

    def __sub__(self, other: Set[object]) -> _InOrder:
        return _InOrder(super().__sub__(other))


@functools.lru_cache(maxsize=8)
def _dataset(name: str, settings: _Fixed) -> Any:
    """The package's own. Raises ConfigError, MissingExtraError."""
    package = require("reasoning_gym", extra="reasoning-gym")
    known = require("reasoning_gym.factory", extra="reasoning-gym").DATASETS
    if name in _REFUSED:
        raise ConfigError(f'dataset "{name}" cannot be played: {_REFUSED[name]}')
    if name not in known:
        raise ConfigError(f'name is "{name}".{did_you_mean(name, known)} Known: {", ".join(sorted(known))}')
    try:
        made = package.create_dataset(name, **settings)
    except (TypeError, ValueError, AssertionError) as error:
        raise ConfigError(f'dataset "{name}" does not take {dict(settings)}: {error}') from None
    hush("reasoning_gym")
    if name == "number_sequence":
        _end_large_sequences()
    if isinstance(letters := getattr(made, "letters", None), set):
        made.letters = _InOrder(letters)
    return made


@functools.lru_cache(maxsize=256)
def _drawn(name: str, settings: _Fixed, number: int) -> Entry:
    with _DRAWING:  # drawing is Python all through: threads would not draw any sooner together
        return dict(_dataset(name, settings)[number])


@functools.cache
def _end_large_sequences() -> None:
    """Have the package give up a sequence of numbers once it is too large, as it does where one overflows.

    It counts them in whole numbers, which never overflow: squared at every term they fill the memory.
    """
    rule = require("reasoning_gym.cognition.number_sequences", extra="reasoning-gym").PatternRule
    apply: Callable[..., int] = rule.apply

    def bounded(self: Any, sequence: list[int], position: int) -> int:
        if abs(sequence[position]) > _LARGEST_TERM:
            raise OverflowError
        return apply(self, sequence, position)

    rule.apply = bounded


# -- questions that are wrong ----------------------------------------------------------------------------

_STATEMENT = re.compile(r"(All|No|Some) (\w+) are (not )?(\w+)")
_WORLDS = tuple(itertools.product((False, True), repeat=8))
"""Three sets cut everything in eight parts, by which of them it is in; each part has something in it, or nothing."""


def _contradicts_itself(questions: Questions, entry: Entry) -> bool:
    """Whether the scoring takes the opposite of itself for a conclusion, as from such premises all things follow."""
    one = entry["metadata"]["variables"][0]
    return questions.score_answer(f"({one} ∧ ¬{one})", entry) == 1


def _is_a_fallacy(questions: Questions, entry: Entry) -> bool:
    """Whether the syllogism's answer is wrong, be there things of every kind or not."""
    texts = [entry["metadata"][key] for key in ("premise1", "premise2", "conclusion")]
    found = [_STATEMENT.fullmatch(text) for text in texts]
    statements = [match.groups() for match in found if match]
    terms = sorted({name for _, subject, _, predicate in statements for name in (subject, predicate)})
    if len(statements) != 3 or len(terms) > 3:
        return False  # of a form that is not known here
    says_yes = entry["answer"] == "Yes"
    return all(_follows(statements, terms, are_there=are_there) is not says_yes for are_there in (False, True))


def _follows(statements: list[tuple[Any, ...]], terms: list[str], *, are_there: bool) -> bool:
    """Whether the last statement holds in every world in which the others do; ``are_there``: none of no ants."""
    for world in _WORLDS:
        parts = [part for part in range(8) if world[part]]
        if are_there and not all(any(part >> number & 1 for part in parts) for number in range(len(terms))):
            continue
        *premises, conclusion = (_holds(one, terms, parts) for one in statements)
        if all(premises) and not conclusion:
            return False
    return True


def _holds(statement: tuple[Any, ...], terms: list[str], parts: list[int]) -> bool:
    quantifier, subject, negated, predicate = statement
    are = [bool(part >> terms.index(predicate) & 1) for part in parts if part >> terms.index(subject) & 1]
    if quantifier == "Some":
        return any(one is not bool(negated) for one in are)
    return all(one is (quantifier == "All") for one in are)


def _hides_a_move(questions: Questions, entry: Entry) -> bool:
    """Whether knights that cannot swap by the moves of the metadata can by those of the board that is shown."""
    facts = entry["metadata"]
    if facts["is_possible"]:
        return False
    logic = require("reasoning_gym.games.knight_swap", extra="reasoning-gym").KnightSwapLogic
    shown = {one: [other for other in facts["board"] if logic.is_knight_move(one, other)] for one in facts["board"]}
    return logic.solve_swap(shown, facts["pieces"], facts["start_turn"]) is not None


WRONG_QUESTIONS: dict[str, tuple[Callable[[Questions, Entry], bool], str]] = {
    "propositional_logic": (
        _contradicts_itself,
        "its premises contradict each other, so that whatever is concluded is scored as right",
    ),
    "knight_swap": (_hides_a_move, "the package's answer is No, for moves that it took away and does not tell of"),
    "syllogism": (_is_a_fallacy, "the package's answer is wrong: the conclusion does not follow, or follows"),
}
"""Dataset → which of its questions are wrong, and why; of release 0.1.25, maybe not all."""
