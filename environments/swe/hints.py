"""What may be added to its errors in training; by "error-hints"."""

from __future__ import annotations

from agentgym.hint import Hint

__all__ = ["HINTS"]

HINTS = (
    Hint("edit", r"exactly once, found 0", "The text of old is copied from the file, without the numbers of lines."),
    Hint("edit", r"exactly once", "More of the lines around it makes old unique."),
    Hint(
        "",
        r"cannot be read",
        "The files of the repository stand in the first observation; search finds what is in them.",
    ),
)
"""The first that fits."""
