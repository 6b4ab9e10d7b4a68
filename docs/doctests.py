"""Has mkdocstrings show a docstring's doctests as code; in Markdown ``>>>`` would be a quotation in a quotation."""

from __future__ import annotations

import re
from typing import Any

import griffe

__all__ = ["Doctests", "fenced"]

_DOCTEST = re.compile(r"(?:^>>> .*\n?(?:^(?!\s*$).*\n?)*)+", re.MULTILINE)


def fenced(text: str) -> str:
    """``text`` with each doctest, up to the next blank line, as a block of code.

    >>> fenced("One.\\n\\n>>> 1 + 1\\n2\\n\\nMore.").splitlines()
    ['One.', '', '```pycon', '>>> 1 + 1', '2', '```', '', 'More.']
    """
    return _DOCTEST.sub(lambda found: f"```pycon\n{found[0].rstrip()}\n```\n", text)


class Doctests(griffe.Extension):
    """What mkdocstrings loads, by the name of this file."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called once for each object, when it has been read."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)
