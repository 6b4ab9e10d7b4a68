"""What stays behind after environments were closed: child processes, threads, open files, temporary files."""

from __future__ import annotations

import gc
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from agentgym.doctor.playing import SECONDS, Case, MakeEnv, cases_of, expect, paced, play
from agentgym.scratch import scratch
from agentgym.variables import variables_set
from agentgym.visit import Player
from agentgym.watchdog import frozen_heap

__all__ = ["leaves_nothing_behind"]


def leaves_nothing_behind(
    make_env: MakeEnv, seconds: float = SECONDS, /, episodes: int = 10, *, grace: float = 2.0
) -> str:
    """No processes, threads, open files or temporary files add up over episodes that ended and that were left.

    What grows once, such as a pool that is kept, is not counted: only what grows in both of two batches. What ends a
    moment after it was told to has ``grace`` seconds.
    """
    cases = cases_of(make_env, episodes)
    _use(make_env, cases[0], 0)  # whatever is kept for the process's life is made here
    with scratch() as directory, _temporary_files_in(directory):
        _use(make_env, cases[0], 1)
        with frozen_heap():  # what is collected below is new
            counts, num_episodes = [_counts(directory)], 0
            for _ in range(2):
                for number, case in enumerate(paced(cases, seconds / 3, least=2)):
                    _use(make_env, case, number)
                    num_episodes += 1
                counts.append(_settled(directory, counts[-1], grace))
    first, second, third = counts
    left = [f"{third[name] - first[name]} {name}" for name in first if first[name] < second[name] < third[name]]
    expect(not left, f"{num_episodes} episodes on as many instances, all closed, left behind {' and '.join(left)}")
    return f"nothing after {num_episodes} episodes on as many instances: {', '.join(first)}"


def _use(make_env: MakeEnv, case: Case, number: int) -> None:
    """Play an episode to its end, or, every other time, leave it after a turn."""
    with Player(make_env()) as player:
        for _ in islice(play(player, case), None if number % 2 == 0 else 2):
            pass


def _settled(directory: Path, before: dict[str, int], grace: float) -> dict[str, int]:
    """What there is now, once nothing more of it goes away."""
    end = time.perf_counter() + grace
    while True:
        counts = _counts(directory)
        if time.perf_counter() > end or all(counts[name] <= before[name] for name in counts):
            return counts
        gc.collect()
        time.sleep(0.05)


def _counts(directory: Path) -> dict[str, int]:
    counts = {"threads": threading.active_count(), "temporary files": sum(1 for _ in directory.rglob("*"))}
    if Path("/proc/self/fd").is_dir():
        counts["processes"] = len(_children())
        counts["open files"] = len(os.listdir("/proc/self/fd"))
    return counts


def _children() -> list[str]:
    """Process ids of this process's children, those not waited for among them."""
    found = []
    for file in Path("/proc/self/task").glob("*/children"):
        try:
            found.extend(file.read_text().split())
        except OSError:  # a thread that has just ended
            continue
    return found


@contextmanager
def _temporary_files_in(directory: Path) -> Iterator[None]:
    """Let this process and its children put temporary files into a folder of ours, where they can be counted."""
    before, tempfile.tempdir = tempfile.tempdir, str(directory)
    try:
        with variables_set({"TMPDIR": str(directory)}):
            yield
    finally:
        tempfile.tempdir = before
