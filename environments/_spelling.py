"""What a policy means that cannot write capitals or keep blanks, as the nano policy cannot.

A text is taken for the last place in what was shown that differs from it in case and blanks alone: one in quotes first,
then itself as it is, then any.
"""

from __future__ import annotations

__all__ = ["Spelling"]


class Spelling:
    """How texts are written in ``shown``."""

    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.places = [i for i, character in enumerate(shown) if not character.isspace()]
        self.folded = "".join(_folded(shown[i]) for i in self.places)

    def of(self, text: str) -> str:
        """The text as it is shown; itself where it is not."""
        wanted = "".join(_folded(character) for character in text if not character.isspace())
        if not wanted:
            return text
        quoted = max(self.folded.rfind(f"{mark}{wanted}{mark}") for mark in "\"'")
        if quoted < 0 and text in self.shown:
            return text
        start = self.folded.rfind(wanted) if quoted < 0 else quoted + 1
        return text if start < 0 else self.shown[self.places[start] : self.places[start + len(wanted) - 1] + 1]


def _folded(character: str) -> str:
    lower = character.lower()
    return lower if len(lower) == 1 else character
