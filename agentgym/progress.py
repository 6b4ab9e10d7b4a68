"""A progress bar with rate and time left on a terminal, plain lines elsewhere: what a command is told goes there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["progress"]


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
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield _Reporter(console, progress)


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
        shown = "  ".join(f"{name} {values[name]:.3f}" for name in ("loss", "success", "reward") if name in values)
        rate = f"{speed:.1f} {self.unit}/s" if speed else ""
        self.progress.update(self.task, completed=done, rate=rate, values=shown)

    def note(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False)  # names of files and tasks may have [brackets]
