"""Past-time linear temporal logic: what an episode has been like so far, turn by turn.

    formula  = or ["->" formula]
    or       = and {"or" and}          and = since {"and" since}          since = unary {"since" unary}
    unary    = ("not" | "once" | "historically" | "previous") unary | "(" formula ")" | "true" | "false" | atom
    atom     = ("action" | "reply" | "tool") ("==" | "!=" | "~") TEXT
             | "channel" NAME ("==" | "!=" | "<" | "<=" | ">" | ">=") NUMBER

A TEXT stands in double quotes, where a backslash comes before a quote or a backslash that is meant; ``~`` searches for
it as a regular expression. A NAME with other signs than letters, digits, "_", "-" and "." stands in quotes too.
``once f``: in some turn up to now; ``historically f``: in all of them; ``previous f``: there is a turn before, and it
was so in it; ``f since g``: g was so in some turn up to now, and f in all after it. ``historically`` is a law, and
false ever after it is broken.

A formula is watched by a deterministic automaton, whose state is what it must keep of the past: one truth value for
each temporal operator (Havelund & Roşu, "Synthesizing Monitors for Safety Properties", 2002). A turn costs a step for
each operator, however long the episode. Departs from the paper in that nothing was so before the first turn.
"""

from __future__ import annotations

import dataclasses
import operator
import re
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

import regex

from agentgym.errors import ConfigError, did_you_mean

__all__ = ["Atom", "Constant", "Formula", "Monitor", "Name", "Operator", "State", "parse"]

State: TypeAlias = tuple[bool, ...]
"""What is kept between two turns: a value for each temporal operator."""
Name: TypeAlias = Literal["not", "once", "historically", "previous", "and", "or", "->", "since"]


@dataclasses.dataclass(frozen=True, slots=True)
class Atom:
    """A test of one turn."""

    subject: Literal["action", "reply", "tool", "channel"]
    relation: str
    value: str | float
    channel: str = ""

    def compares(self, found: float) -> bool:
        """Whether a channel's number is as the atom says."""
        return bool(_NUMBERS[self.relation](found, self.value))

    def __str__(self) -> str:
        name = f" {_in_quotes(self.channel)}" if self.channel else ""
        value = _in_quotes(self.value) if isinstance(self.value, str) else repr(self.value)
        return f"{self.subject}{name} {self.relation} {value}"


@dataclasses.dataclass(frozen=True, slots=True)
class Constant:
    """``true`` or ``false``."""

    value: bool

    def __str__(self) -> str:
        return str(self.value).lower()


@dataclasses.dataclass(frozen=True, slots=True)
class Operator:
    """An operator with its one or two operands."""

    name: Name
    operands: tuple[Formula, ...]

    def __str__(self) -> str:
        told = [str(each) if isinstance(each, Atom | Constant) else f"({each})" for each in self.operands]
        return f"{self.name} {told[0]}" if len(told) == 1 else f" {self.name} ".join(told)


Formula: TypeAlias = Atom | Constant | Operator

_NUMBERS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_TEXTS = ("==", "!=", "~")
_SUBJECTS = ("action", "reply", "tool", "channel")
_BEFORE = ("not", "once", "historically", "previous")
_REMEMBERED = {"once": False, "historically": True, "previous": False, "since": False}
"""Temporal operators, and what was so before the first turn."""


# -- watching --------------------------------------------------------------------------------------------


class _Step(NamedTuple):
    """How a subformula gets its value in a turn."""

    part: Formula
    operands: list[int]
    """Places of its operands among the values of the turn."""
    kept: int
    """Place of what it remembers in the state; 0 where it remembers nothing."""


class Monitor:
    """The automaton of a formula: ``start`` is its first state, and ``step`` goes on by a turn."""

    def __init__(self, formula: Formula) -> None:
        parts = list(dict.fromkeys(_parts(formula)))  # the different ones, each after its operands
        place = {part: number for number, part in enumerate(parts)}
        kept = [part for part in parts if isinstance(part, Operator) and part.name in _REMEMBERED]
        index = {part: number for number, part in enumerate(kept)}
        self.atoms = [part for part in parts if isinstance(part, Atom)]
        """The tests that it makes of a turn."""
        self.start: State = tuple(_REMEMBERED[part.name] for part in kept)
        self._steps = [
            _Step(
                part,
                [place[operand] for operand in part.operands] if isinstance(part, Operator) else [],
                index[part] if isinstance(part, Operator) and part in index else 0,
            )
            for part in parts
        ]
        # Of ``previous`` what its operand is now, of the others what they are themselves.
        self._keeps = [place[part.operands[0] if part.name == "previous" else part] for part in kept]

    def step(self, state: State, holds: Callable[[Atom], bool]) -> tuple[bool, State]:
        """Whether the formula is so in this turn, and the state after it; ``holds`` tests the turn."""
        values: list[bool] = []
        for part, operands, kept in self._steps:
            match part:
                case Atom():
                    values.append(holds(part))
                case Constant():
                    values.append(part.value)
                case Operator():
                    was = part.name in _REMEMBERED and state[kept]
                    values.append(_applied(part.name, [values[place] for place in operands], was))
        return values[-1], tuple(values[place] for place in self._keeps)


def _applied(name: Name, operands: list[bool], was: bool) -> bool:
    """An operator on what its operands are now, with what it kept of the turns before."""
    first, last = operands[0], operands[-1]
    match name:
        case "not":
            return not first
        case "and":
            return first and last
        case "or":
            return first or last
        case "->":
            return not first or last
        case "once":
            return first or was
        case "historically":
            return first and was
        case "since":
            return last or (first and was)
        case "previous":
            return was


def _parts(formula: Formula) -> Iterator[Formula]:
    if isinstance(formula, Operator):
        for operand in formula.operands:
            yield from _parts(operand)
    yield formula


# -- reading ---------------------------------------------------------------------------------------------


class _Token(NamedTuple):
    kind: str
    text: str
    place: int
    """Of its first sign in the text, from 1."""


_TOKEN = re.compile(
    r"\s*(?:(?P<text>\"(?:[^\"\\]|\\.)*\")|(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))"
    r"|(?P<sign>->|==|!=|<=|>=|[<>~()])|(?P<word>[\w.-]+)|(?P<other>\S)|(?P<end>\Z))"
)
_MAX_DEPTH = 100
"""How deep parentheses and operators may be nested."""
_MAX_TOKENS = 250


def parse(text: str) -> Formula:
    """The formula that ``text`` says. Raises ConfigError, which tells the place, what was expected and what is there.

    >>> str(parse('action == "buy" -> once tool == "search"'))
    'action == "buy" -> (once tool == "search")'
    >>> parse("once")
    Traceback (most recent call last):
    agentgym.errors.ConfigError: at 5 in 'once': expected a formula, found the end
    """
    return _Reader(text).whole()


class _Reader:
    """Reads one formula from front to back."""

    def __init__(self, text: str) -> None:
        self._text, self._depth = text, 0
        self._tokens = [
            _Token(str(found.lastgroup), found[str(found.lastgroup)], found.start(str(found.lastgroup)) + 1)
            for found in _TOKEN.finditer(text)
        ]
        self._next = 0
        if len(self._tokens) > _MAX_TOKENS:
            raise self._wrong(f"the end, after {_MAX_TOKENS} words and signs at most", self._tokens[_MAX_TOKENS])

    @property
    def _now(self) -> _Token:
        return self._tokens[self._next]

    def _wrong(self, expected: str, token: _Token | None = None) -> ConfigError:
        token = token or self._now
        found = "the end" if token.kind == "end" else token.text
        if token.text == '"':
            found = 'a " that is not closed'
        return ConfigError(f"at {token.place} in {self._text!r:.300}: expected {expected}, found {found}")

    def _take(self, *texts: str) -> _Token | None:
        """The next token, if it is one of these words or signs."""
        if self._now.kind in ("word", "sign") and self._now.text in texts:
            return self._took()
        return None

    def _took(self) -> _Token:
        self._next += 1
        return self._tokens[self._next - 1]

    def whole(self) -> Formula:
        formula = self._implication()
        if self._now.kind != "end":
            raise self._wrong('"and", "or", "since", "->" or the end')
        return formula

    def _implication(self) -> Formula:
        with _nested(self):
            first = self._joined("or", lambda: self._joined("and", lambda: self._joined("since", self._unary)))
            return Operator("->", (first, self._implication())) if self._take("->") else first

    def _joined(self, name: Literal["or", "and", "since"], operand: Callable[[], Formula]) -> Formula:
        formula = operand()
        while self._take(name):
            formula = Operator(name, (formula, operand()))
        return formula

    def _unary(self) -> Formula:
        with _nested(self):
            if token := self._take(*_BEFORE):
                return Operator(token.text, (self._unary(),))  # type: ignore[arg-type]  # one of _BEFORE
            if token := self._take("true", "false"):
                return Constant(token.text == "true")
            if opening := self._take("("):
                formula = self._implication()
                if not self._take(")"):
                    raise self._wrong(f'")" for the "(" at {opening.place}')
                return formula
            return self._atom()

    def _atom(self) -> Atom:
        subject = self._take(*_SUBJECTS)
        if subject is None:
            near = did_you_mean(self._now.text, [*_BEFORE, *_SUBJECTS]) if self._now.kind == "word" else ""
            raise ConfigError(f"{self._wrong('a formula')}{near and '.'}{near}")
        if subject.text == "channel":
            return self._of_channel()
        relation = self._relation(_TEXTS)
        if self._now.kind != "text":
            raise self._wrong("a text in double quotes")
        value = _unquoted((token := self._took()).text)
        if relation == "~":
            self._refuse_pattern(value, token)
        return Atom(subject.text, relation, value)  # type: ignore[arg-type]  # one of _SUBJECTS

    def _of_channel(self) -> Atom:
        if self._now.kind not in ("word", "text"):
            raise self._wrong("the name of a channel")
        name = self._took()
        channel = _unquoted(name.text) if name.kind == "text" else name.text
        relation = self._relation(tuple(_NUMBERS))
        if self._now.kind != "number":
            raise self._wrong("a number")
        return Atom("channel", relation, float(self._took().text), channel)

    def _relation(self, known: tuple[str, ...]) -> str:
        if token := self._take(*known):
            return token.text
        raise self._wrong(f"one of {' '.join(known)}")

    def _refuse_pattern(self, pattern: str, token: _Token) -> None:
        try:
            regex.compile(pattern)
        except (regex.error, RecursionError, OverflowError, ValueError) as error:
            raise self._wrong(f"a regular expression ({error})", token) from None


def _unquoted(text: str) -> str:
    """A text without its quotes; a backslash before other signs is one, as expressions have many."""
    return re.sub(r"\\([\"\\])", r"\1", text[1:-1])


def _in_quotes(text: str) -> str:
    return '"' + re.sub(r"([\"\\])", r"\\\1", text) + '"'


class _nested:
    """Counts how deep a reader is. Raises ConfigError where that is too deep."""

    def __init__(self, reader: _Reader) -> None:
        self._reader = reader

    def __enter__(self) -> None:
        self._reader._depth += 1
        if self._reader._depth > _MAX_DEPTH:
            raise self._reader._wrong(f"at most {_MAX_DEPTH} operators within each other")

    def __exit__(self, *_: object) -> None:
        self._reader._depth -= 1
