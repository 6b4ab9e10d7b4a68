"""Regular expressions that somebody else wrote: a match is given up when it takes too long.

What cannot be read here (JavaScript has forms of its own) or is given up is neither a match nor none: ``found`` is
None, and whoever wrote the expression is left to judge the text.
"""

from __future__ import annotations

import functools
import time
from typing import Any

import regex

__all__ = ["MATCH_SECONDS", "Patterns"]

MATCH_SECONDS = 0.5
"""For all the matches of one call together."""


class Patterns:
    """Matches that have a limited time together."""

    def __init__(self, seconds: float = MATCH_SECONDS) -> None:
        self._left = seconds

    def found(self, pattern: str, text: str) -> bool | None:
        """Whether ``pattern`` matches somewhere in ``text``; None where that cannot be told.

        >>> Patterns().found("^x-", "x-a"), Patterns().found("(", "x-a"), Patterns(0.0).found("a", "a")
        (True, None, None)
        """
        compiled = _compiled(pattern)
        if compiled is None or self._left <= 0:
            return None
        began = time.thread_time()
        try:
            return compiled.search(text, timeout=self._left, concurrent=True) is not None
        except TimeoutError:
            self._left = 0.0
            return None
        finally:
            self._left -= time.thread_time() - began


@functools.lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:
    try:
        return regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError, MemoryError, ValueError):
        return None
