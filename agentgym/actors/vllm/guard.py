"""Outlives the trainer: ends vLLM's processes and removes the engine's directory once the trainer is gone.

    python -IS guard.py DIRECTORY PARENT

Lines on standard input name what is to go, the last one counts: processes as PID:START (start time as in field 22 of
/proc/PID/stat), files by their path, for the shared memory that a killed process leaves. It acts when the input ends
or PARENT, an id, is its parent no more, however the trainer ended, SIGKILL included. It is nobody's foreground process,
so that Ctrl-C leaves it alone, and imports the standard library only, to start at once.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys

__all__ = ["end", "start_time"]

_LOOK_EVERY = 0.5
"""Seconds between two looks at who the parent is: a process forked from it could hold the input open."""


def start_time(pid: int) -> str | None:
    """When the process began, in clock ticks since boot; None where there is none. Tells a reused id apart."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[19]
    except OSError:
        return None


def end(told: str) -> None:
    """Remove the files, and SIGKILL to the processes that are still the ones meant."""
    for name in told.split():
        if name.startswith("/"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
            continue
        pid, _, start = name.partition(":")
        if start_time(int(pid)) == start:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


def _wait(parent: int) -> str:
    """The last line that was told, once the parent is gone."""
    told = b""
    while os.getppid() == parent:
        if select.select([0], [], [], _LOOK_EVERY)[0]:
            part = os.read(0, 65536)
            if not part:
                break
            told += part
    lines = told.decode().splitlines()
    return lines[-1] if lines else ""


def main() -> None:
    end(_wait(int(sys.argv[2])))
    shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    main()
