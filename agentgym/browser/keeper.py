"""Stands between Playwright and Chromium: nothing of the browser outlives the process that it was started for.

    python -IS keeper.py OWNER DIRECTORY EXECUTABLE FLAGS...

Playwright starts it in place of the browser, as the leader of a process group of its own. It starts EXECUTABLE, and
when OWNER (an id) or Playwright's driver has ended, however that came, SIGKILL included, it kills the browser and all
that the browser has started, the driver among them, and removes the profile and DIRECTORY. When the browser ends by
itself, so does this. The standard library only, to start at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence

__all__ = ["CLOSING_FILE", "PID_FILE", "main"]

PID_FILE = "keeper"
"""In DIRECTORY: the keeper's process id, which is that of its group."""

CLOSING_FILE = "closing"
"""In DIRECTORY: that the owner lives, and ends the browser by itself."""

_MOMENT = 2.0
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LIBC = ctypes.CDLL(None)
_PIPES = (3, 4)
"""Descriptors over which Playwright speaks with the browser."""


def main(arguments: Sequence[str]) -> int:
    """Run the browser to its end, its owner's or its driver's."""
    owner, directory, executable, *flags = arguments
    driver = os.getppid()
    with open(os.path.join(directory, PID_FILE), "w") as file:
        file.write(str(os.getpid()))
    watched = [os.pidfd_open(int(owner)), os.pidfd_open(driver)]
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    browser = subprocess.Popen([executable, *flags], pass_fds=_PIPES, preexec_fn=_die_with_keeper)
    for descriptor in _PIPES:
        os.close(descriptor)
    own = os.pidfd_open(browser.pid)
    select.select([own, *watched], [], [])
    _kill_children()
    # An owner that was killed is a moment behind the pipes that it held.
    is_told = os.path.exists(os.path.join(directory, CLOSING_FILE))
    gone, _, _ = select.select(watched, [], [], 0 if is_told else _MOMENT)
    if watched[0] in gone:
        _kill(driver)
    for folder in [*_profiles(flags), *([directory] if gone else [])]:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _die_with_keeper() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _kill(process: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(process, signal.SIGKILL)


def _kill_children() -> None:
    """Kill and reap until there is no child left; those of a dead one become ours."""
    while True:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            for process in file.read().split():
                _kill(int(process))
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _profiles(flags: Sequence[str]) -> list[str]:
    """What Playwright would have removed, had it lived."""
    return [flag.partition("=")[2] for flag in flags if flag.startswith("--user-data-dir=")]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
