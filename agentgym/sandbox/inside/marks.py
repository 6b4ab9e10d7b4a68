"""Marks: a variable of the environment that a process gives to all that it starts, by which they are found and ended.

They are looked for in /proc, on Linux; elsewhere nobody is found.
"""

from __future__ import annotations

import os
import time

_LOAD_SECONDS = 1.0

_OF_THE_KERNEL = 0x00200000
"""The flag PF_KTHREAD."""


def signaled(variable: str, number: int) -> list[int]:
    """Send a signal (0: none) to all processes with ``NAME=value`` but this one; who was there to get it."""
    found = []
    for pid in marked(variable):
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue
        found.append(pid)
    return found


def marked(variable: str) -> list[int]:
    """All processes with ``NAME=value`` but this one and the dead.

    Whoever has ended before it was looked at may have started another: that one is looked for.
    """
    found, seen = [], {str(os.getpid())}
    while new := [name for name in _listed() if name not in seen]:
        seen.update(new)
        for name in new:
            try:
                if variable.encode() in _variables(name):
                    found.append(int(name))
            except OSError:
                continue  # it ended in the meantime, or is somebody else's
    return found


def _listed() -> list[str]:
    return list(filter(str.isdigit, os.listdir("/proc"))) if os.path.isdir("/proc") else []


def _variables(name: str) -> list[bytes]:
    """What a process was started with. The kernel shows none while its program is being loaded: that is waited for."""
    patience = time.monotonic() + _LOAD_SECONDS
    while True:
        with open(f"/proc/{name}/environ", "rb") as file:
            text = file.read()
        if text or not _may_be_loading(name) or time.monotonic() > patience:
            return text.split(b"\0")
        time.sleep(0)


def _may_be_loading(name: str) -> bool:
    """Of a process that shows no variables: it has not ended, is none of the kernel's, and is not loaded without any.

    The kernel says where the code begins when all else is in place, the variables too (binfmt_elf).
    """
    with open(f"/proc/{name}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    state, flags, code, first, last = fields[0], *(int(fields[place]) for place in (6, 23, 47, 48))
    return state not in (b"Z", b"X") and not flags & _OF_THE_KERNEL and not (code and first == last)
