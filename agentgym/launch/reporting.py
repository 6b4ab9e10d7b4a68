"""Who is told how a long piece of work gets on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

__all__ = ["Reporter", "Silent"]


class Reporter(Protocol):
    """Is told what happens."""

    def begin(self, stage: str, total: int, unit: str) -> None:
        """A stage of ``total`` updates or episodes begins."""

    def advance(self, done: int, values: Mapping[str, float]) -> None:
        """``done`` of them are done."""

    def note(self, text: str) -> None:
        """Something worth a line."""


class Silent:
    """Tells nobody."""

    def begin(self, stage: str, total: int, unit: str) -> None: ...

    def advance(self, done: int, values: Mapping[str, float]) -> None: ...

    def note(self, text: str) -> None: ...
