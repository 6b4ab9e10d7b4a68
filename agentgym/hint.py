"""What an error message leaves unsaid: a hint says why it came about, never what would be right."""

from __future__ import annotations

import dataclasses
import re

__all__ = ["Hint", "hint_for"]


@dataclasses.dataclass(frozen=True, slots=True)
class Hint:
    """What is added to an error.

    Both patterns are regular expressions, whatever the case: ``action`` is searched for in what was said, ``error`` in
    what was shown for it. An environment's hints stand in a file ``hints.py`` of its own.
    """

    action: str
    error: str
    text: str

    def fits(self, action: str, seen: str) -> bool:
        """Whether it is about ``action``, which brought ``seen``."""
        return bool(re.search(self.action, action, _FLAGS) and re.search(self.error, seen, _FLAGS))


_FLAGS = re.IGNORECASE | re.DOTALL


def hint_for(hints: tuple[Hint, ...], action: str, seen: str) -> str:
    """The text of the first of ``hints`` that fits, or "".

    >>> hints = (Hint("put", "not clear", "A block with another one on it cannot be moved."),)
    >>> hint_for(hints, "put red on blue", "That is not possible: red is not clear.")
    'A block with another one on it cannot be moved.'
    """
    return next((hint.text for hint in hints if hint.fits(action, seen)), "")
