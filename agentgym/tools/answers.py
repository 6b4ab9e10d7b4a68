"""Whether a final answer says what is expected: numbers and words as a whole, and what is said last counts.

So an answer that lists everything there is says one thing at most:

- where a number is expected, the last statement with numbers in it must have just this one: "30 plus 12 is 42." says
  42, "41 or 42" says neither. Numbers are equal by value; 4.42, -42, 1,042, 12:30, 42% and 42nd are not 42. Of several
  numbers all must be there, and no others;
- where other text is expected, the answer must end with it: as whole words, in any case, and not after "not". Several
  texts may come in any order, with commas or "and" between them.
"""

# ruff: noqa: RUF001

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from decimal import Decimal

__all__ = ["numbers_in", "said"]

_NUMBER = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)(?:e[+-]?\d{1,3})?")
_LONGEST = 60
_TAIL = 2_000
"""Characters of an answer in which its last words are looked for."""
_OPENING = "([{<\"'`*_~≈#$€£¥“‘«„"
_CLOSING = ".,;:!?)]}>\"'`*_~$€£¥”’»“…"
_ENDS = re.compile(r"[=→\n]|[.:;!?](?=\s|$)|\b(?:is|are|was|were|be|equals?|makes?|gives?)\b")
"""What ends a statement, or the part of it that only leads to the answer."""
_AROUND = re.compile(r"\\boxed\{([^{}]*)\}|</?(?:final_)?answer>", re.IGNORECASE)
"""What some models are taught to write around an answer."""
_NOT = ("not", "never", "nor", "neither", "n't", "n’t")
_JOINED = re.compile(r"\w[.,:/'’-]?\Z|\A-\Z")


def said(expected: str | Sequence[str], answer: str) -> bool:
    """Whether ``answer`` says everything that is expected, and nothing else in its place.

    >>> said("42", "It is 42."), said("42", "It is 4.42."), said("42", "41 or 42"), said(["A", "b"], "b and a")
    (True, False, False, True)
    """
    wanted = [_plain(one) for one in ([expected] if isinstance(expected, str) else expected)]
    numbers = {value for one in wanted if (value := _value(one)) is not None}
    texts = [one for one in wanted if _value(one) is None]
    if numbers and _last_numbers(_plain(answer, blanks=False)) != numbers:
        return False
    return _ends_with(texts, numbers, _plain(answer[-_TAIL - 2 * sum(map(len, texts)) :]))


def numbers_in(text: str) -> list[Decimal]:
    """The numbers that stand by themselves in a text: no dates, ordinals, ranges or parts of names."""
    return [value for word in text.split() if (value := _value(word)) is not None]


def _plain(text: str, *, blanks: bool = True) -> str:
    text = _AROUND.sub(lambda found: f" {found[1] or ''} ", text)
    text = unicodedata.normalize("NFC", text).casefold().replace("−", "-")
    return " ".join(text.split()) if blanks else text


def _value(word: str) -> Decimal | None:
    """The number that a word is, marks around it left out."""
    bare = word.lstrip(_OPENING).rstrip(_CLOSING)
    is_number = len(bare) <= _LONGEST and _NUMBER.fullmatch(bare)
    return Decimal(bare.replace(",", "")) if is_number else None


def _last_numbers(answer: str) -> set[Decimal]:
    """Numbers of the last statement that has any; those that are said not to be it do not count."""
    denied: set[Decimal] = set()
    for statement in reversed(_ENDS.split(answer)):
        words = statement.split()
        found: set[Decimal] = set()
        for before, word in zip(["", *words], words, strict=False):
            if (value := _value(word)) is not None:
                (denied if before.endswith(_NOT) else found).add(value)
        if found - denied:
            return found - denied
    return set()


def _ends_with(texts: Sequence[str], numbers: set[Decimal], answer: str) -> bool:
    left, rest = [text.rstrip(_CLOSING) for text in texts], answer
    while left:
        rest = _without_end(rest, numbers)
        found = max((text for text in left if _is_last(text, rest)), key=len, default=None)
        if found is None:
            return False
        left.remove(found)
        rest = rest[: len(rest) - len(found)]
    return True


def _is_last(text: str, answer: str) -> bool:
    before = answer[: len(answer) - len(text)]
    if not answer.endswith(text) or (text[:1].isalnum() and _JOINED.search(before[-2:])):
        return False
    return not before.rstrip().endswith(_NOT)


def _without_end(answer: str, numbers: set[Decimal]) -> str:
    """The answer without the marks, joining words and expected numbers at its end."""
    for ending in _endings(answer):
        word = ending.rpartition(" ")[2]
        if word not in ("and", "&") and _value(word) not in numbers:
            return ending
    return ""


def _endings(answer: str) -> Iterator[str]:
    """The answer, then without its last word, and so on; each without the marks at its end."""
    while answer := answer.rstrip(_CLOSING + " "):
        yield answer
        answer = answer.rpartition(" ")[0]
