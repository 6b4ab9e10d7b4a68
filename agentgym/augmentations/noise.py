"""Typing errors in what is read: letters that are left out, doubled or in the wrong order.

What must be copied to act stays as it is, so that a task can be solved at any strength. That is every word with
anything but small letters in it (names, numbers, identifiers), every word in quotation marks, backticks or brackets,
and every word of an action that is listed, of a tool or of one of its arguments. Short words stay too. Where an
environment lists no actions, a word that must be copied and looks like any other may be hit: its first and last letters
are right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from agentgym.augmentation import Augmentation
from agentgym.registry import register
from agentgym.types import Observation

__all__ = ["Noise", "misspelled"]

_QUOTED = re.compile(r'"[^"\n]*"|`[^`\n]*`|\[[^\]\n]*\]|(?<!\w)\'[^\'\n]*\'(?!\w)')
_WORD = re.compile(r"(?<![\w'-])[a-z]{4,}(?![\w'-])")


@register
class Noise(Augmentation):
    """Typing errors in observations."""

    def __init__(self, env: Any, *, rate: Annotated[float, Field(gt=0, le=1)] = 0.1) -> None:
        """Choose how many there are.

        Args:
            rate: share of the words that have an error at strength 1, of those that may have one.
        """
        super().__init__(env)
        self.rate = rate

    def observation(self, seen: Observation) -> str:
        rng, kept = self.rng(), set(_words_to_copy(seen))
        quoted = [match.span() for match in _QUOTED.finditer(seen)]

        def typed(word: re.Match[str]) -> str:
            is_hit = rng.random() < self.rate * self.strength
            if not is_hit or word[0] in kept or any(low <= word.start() < high for low, high in quoted):
                return word[0]
            return misspelled(word[0], rng)

        text = _WORD.sub(typed, seen)
        return Observation(text, admissible=seen.admissible, tools=seen.tools, images=seen.images)


def misspelled(word: str, rng: np.random.Generator) -> str:
    """``word``, of four letters or more, with one error within: a letter left out, doubled, or two in wrong order."""
    place = int(rng.integers(1, len(word) - 2))
    before, letter, after = word[:place], word[place], word[place + 1 :]
    match int(rng.integers(3)):
        case 0:
            return before + after
        case 1:
            return before + letter + letter + after
    return before + after[0] + letter + after[1:]


def _words_to_copy(seen: Observation) -> Iterator[str]:
    for action in seen.admissible or ():
        yield from re.findall(r"[a-z]+", action)
    for tool in seen.tools:
        yield from re.findall(r"[a-z]+", repr(tool))
