"""What an error message leaves unsaid: a hint says why it came about, never what would be right.

An environment's hints stand in a file ``hints.py`` beside it, which its attribute ``hints`` names; the augmentation
"error-hints" adds them in training. Both kinds of Environment Tuning (arXiv 2510.10197) are hints: that one tool needs
what another one tells, and what a tool takes.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

__all__ = ["Hint", "hints_for"]


@dataclasses.dataclass(frozen=True, slots=True)
class Hint:
    """What is added to an error.

    Both patterns are regular expressions, whatever the case: ``action`` is searched for in what was said, ``error`` in
    a line of what came back.
    """

    action: str
    error: str
    text: str

    def fits(self, action: str, line: str) -> bool:
        """Whether it is about ``action`` and a ``line`` of what that brought."""
        return bool(re.search(self.error, line, re.IGNORECASE) and re.search(self.action, action, re.IGNORECASE))


def hints_for(hints: Sequence[Hint], action: str, told: str) -> list[str]:
    """For each line of ``told`` the text of the first hint that fits, each once.

    >>> hints = (Hint("put", "not clear", "A block with another one on it stays where it is."),)
    >>> hints_for(hints, "put red on blue", "red is not clear")
    ['A block with another one on it stays where it is.']
    """
    found = (next((hint.text for hint in hints if hint.fits(action, line)), "") for line in told.splitlines())
    return list(dict.fromkeys(filter(None, found)))
