"""The processes of a sandbox: all but process 1 in a container, and those that carry a mark outside of one."""

from __future__ import annotations

import errno
import os
import signal
import time

MARK = "AGENTGYM_SANDBOX"
"""The environment variable that says which local sandbox a process belongs to."""

_TRIES = 2000

_LOAD_SECONDS = 1.0

_OF_THE_KERNEL = 0x00200000
"""The flag PF_KTHREAD."""


class Processes:
    """What commands have started and left running; with a mark, what carries it, and otherwise all of a container."""

    def __init__(self, mark: str = "") -> None:
        self.mark = mark
        self.running = 0
        self.ended: dict[int, int] = {}

    def reap(self) -> None:
        """Take leave of children that have ended, and of orphans."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.running:
                self.ended[pid] = status

    def halt(self) -> None:
        """Kill until nobody is left. Raises OSError where somebody stays."""
        for _ in range(_TRIES):
            if not self.signal(signal.SIGKILL):
                return
            self.reap()
            time.sleep(0.001)
            self.reap()
        raise OSError(errno.EBUSY, "processes do not end")

    def signal(self, number: int) -> bool:
        """Send a signal to all of them; whether there is any."""
        if self.mark:
            return signaled(self.mark, number)
        if os.getpid() != 1:
            raise OSError(errno.EPERM, "only process 1 of a container may signal all others")
        try:
            os.kill(-1, number)  # at once to all but process 1: nobody can fork past it
        except ProcessLookupError:
            return False
        return True


def signaled(mark: str, number: int) -> bool:
    """Send a signal to all processes that carry a mark; whether there is any."""
    found = False
    for pid in _marked(f"{MARK}={mark}".encode()):
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue
        found = True
    return found


def _marked(variable: bytes) -> list[int]:
    """Their numbers. Whoever has ended before it was looked at may have started another: that one is looked for."""
    found, seen = [], {str(os.getpid())}
    while new := [name for name in os.listdir("/proc") if name.isdigit() and name not in seen]:
        seen.update(new)
        for name in new:
            try:
                if variable in _variables(name):
                    found.append(int(name))
            except OSError:
                continue  # it ended in the meantime, or is somebody else's
    return found


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
    """Of a process that shows no variables: it has not ended, is none of the kernel's, and has no room for none."""
    with open(f"/proc/{name}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    state, flags, first, last = fields[0], int(fields[6]), int(fields[47]), int(fields[48])
    return state not in (b"Z", b"X") and not flags & _OF_THE_KERNEL and not (first and first == last)
