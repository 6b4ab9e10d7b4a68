"""Outlives the program that started a cluster: ends what is left of it and removes its directory.

    python -IS guard.py DIRECTORY PARENT

It acts when its standard input ends or PARENT, an id, is its parent no more, however that ended, SIGKILL included.
Ray ends most of its processes with their program, but its agents wait for a head that is gone, for a minute, and
nobody removes the directory. Theirs is every process but PARENT that writes to a file there, as all of Ray's do. It is
nobody's foreground process, so that Ctrl-C leaves it alone, and imports the standard library only, to start at once.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterator

__all__ = ["writers"]

_LOOK_EVERY = 0.5
"""Seconds between two looks at who the parent is: a process forked from it could hold the input open."""
_AT_MOST = 10.0
"""Seconds for processes to end that were killed."""


def writers(directory: str) -> Iterator[int]:
    """Ids of the processes that have a file below ``directory`` open to write to it."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):  # it is over, or somebody else's
            if any(_writes(f"/proc/{pid}", number, directory) for number in os.listdir(f"/proc/{pid}/fd")):
                yield int(pid)


def _writes(process: str, number: str, directory: str) -> bool:
    with contextlib.suppress(OSError):
        if os.readlink(f"{process}/fd/{number}").startswith(f"{directory}/"):
            with open(f"{process}/fdinfo/{number}") as file:
                flags = next(line for line in file if line.startswith("flags:"))
            return int(flags.split()[1], 8) & os.O_ACCMODE != os.O_RDONLY
    return False


def _wait(parent: int) -> None:
    while os.getppid() == parent:
        if select.select([0], [], [], _LOOK_EVERY)[0]:
            return


def _end(directory: str) -> None:
    """Kill until nobody is left: some may have been about to start others."""
    until = time.monotonic() + _AT_MOST
    while (found := set(writers(directory)) - {os.getppid()}) and time.monotonic() < until:
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def main() -> None:
    directory = os.path.realpath(sys.argv[1])
    _wait(int(sys.argv[2]))
    _end(directory)
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
