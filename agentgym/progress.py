"""A progress bar with rate and time left on a terminal, plain lines elsewhere: what a command is told goes there."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["progress", "wide_console"]

_LEAST, _MOST = 1.0, 60.0
"""Seconds between two lines about a stage, but for its last."""


@contextlib.contextmanager
def progress() -> Iterator[Any]:
    """A reporter, for as long as something is done."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:<24}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[values]}"),
    )
    if not console.is_terminal:
        yield _Lines(console)
        return
    with Progress(*columns, console=console) as progress:
        yield _Reporter(console, progress)


def _told(values: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {values[name]:.3f}" for name in ("loss", "success", "reward") if name in values)


class _Reporter:
    def __init__(self, console: Any, progress: Any) -> None:
        self.console, self.progress = console, progress
        self.unit = ""
        self.task: Any = None

    def begin(self, stage: str, total: int, unit: str) -> None:
        if self.task is not None:
            self.progress.update(self.task, visible=False)
        self.unit = unit
        self.task = self.progress.add_task(stage, total=total, rate="", values="")

    def advance(self, done: int, values: Mapping[str, float]) -> None:
        speed = self.progress.tasks[self.task].speed if self.task is not None else None
        rate = f"{speed:.1f} {self.unit}/s" if speed else ""
        self.progress.update(self.task, completed=done, rate=rate, values=_told(values))

    def note(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False)  # names of files and tasks may have [brackets]


class _Lines:
    """For a file or a pipe: a line where a stage begins, at each tenth of it or each minute, and where it ends."""

    def __init__(self, console: Any) -> None:
        self.console = console
        self.stage, self.unit, self.total = "", "", 0
        self._began = self._said_at = 0.0
        self._said = 0

    def begin(self, stage: str, total: int, unit: str) -> None:
        self.stage, self.unit, self.total = stage, unit, total
        self._began = self._said_at = time.monotonic()
        self._said = 0
        self.note(f"{stage}: {total} {unit}")

    def advance(self, done: int, values: Mapping[str, float]) -> None:
        now = time.monotonic()
        is_due = (done - self._said) * 10 >= self.total and now - self._said_at >= _LEAST
        if not (is_due or now - self._said_at >= _MOST or done >= self.total):
            return
        self._said, self._said_at, seconds = done, now, max(1e-3, now - self._began)
        left = f", {seconds / done * (self.total - done):.0f} s left" if 0 < done < self.total else ""
        told = f"  {_told(values)}" if values else ""
        self.note(f"{self.stage}: {done}/{self.total} {self.unit}, {seconds:.0f} s{left}{told}")

    def note(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)


def wide_console() -> Any:
    """For tables: as wide as the terminal, and wide enough for a line a row in a file or a pipe."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 200)
