"""The tasks of the demonstration server: small sums over notes, to be said or to be written down."""

from __future__ import annotations

import functools
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from agentgym.environments.mcp.tasks import CallSpec, Task

__all__ = ["demo_command", "demo_tasks"]

_SIZES = {"train": 800, "validation": 100, "test": 100}
_TITLES = ("rent", "food", "books", "music", "travel", "garden", "tools", "gifts", "phone", "water", "wood", "paint")


def demo_command() -> list[str]:
    """How the server is started; isolated, so that nothing of the environment slows it down or changes it."""
    return [sys.executable, "-I", "-S", str(Path(__file__).with_name("demo_server.py"))]


@functools.cache
def demo_tasks() -> tuple[Task, ...]:
    """All tasks, no two of which have the same notes; the splits one after the other."""
    problems = _problems(np.random.default_rng(0))
    splits = itertools.chain.from_iterable([split] * size for split, size in _SIZES.items())
    return tuple(_task(number, split, *next(problems)) for number, split in enumerate(splits))


def _problems(rng: np.random.Generator) -> Iterator[tuple[dict[str, int], bool, bool]]:
    """Three notes with amounts, the first two of which are asked for; whether to add; whether to write it down."""
    seen = set()
    while True:
        titles = [_TITLES[i] for i in rng.choice(len(_TITLES), size=3, replace=False)]
        notes = {title: int(amount) for title, amount in zip(titles, rng.integers(10, 100, size=3), strict=True)}
        add, write = (bool(flag) for flag in rng.integers(2, size=2))
        if not add:  # nothing below zero
            first, second = titles[:2]
            notes[first], notes[second] = max(notes[first], notes[second]), min(notes[first], notes[second])
        key = frozenset(notes.items())
        if key not in seen:
            seen.add(key)
            yield notes, add, write


def _task(number: int, split: str, notes: dict[str, int], add: bool, write: bool) -> Task:
    first, second, _ = notes
    result = str(notes[first] + notes[second] if add else notes[first] - notes[second])
    what = f"{first} plus {second}" if add else f"{first} less {second}"
    reads = [CallSpec(name="read_note", arguments={"title": title}) for title in (first, second)]
    work = CallSpec(name="add" if add else "subtract", arguments={"a": notes[first], "b": notes[second]})
    note = {"title": "total", "text": result}
    return Task(
        id=number,
        split=split,
        instruction=f"{what}: write it to note total, then say done." if write else f"{what}: say how much it is.",
        setup=[CallSpec(name="set_notes", arguments={"notes": {t: str(v) for t, v in sorted(notes.items())}})],
        check=CallSpec(name="has_note", arguments=note) if write else None,
        expected="done" if write else result,
        solution=[*reads, work, CallSpec(name="write_note", arguments=note), "done"]
        if write
        else [*reads, work, result],
    )
