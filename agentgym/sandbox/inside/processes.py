"""The processes of a sandbox: all but process 1 in a container, and those that carry a mark outside of one."""

from __future__ import annotations

import errno
import os
import signal
import time

from agentgym.sandbox.inside.marks import signaled

MARK = "AGENTGYM_SANDBOX"
"""The environment variable that says which local sandbox a process belongs to."""

_TRIES = 2000


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
            return bool(signaled(f"{MARK}={self.mark}", number))
        if os.getpid() != 1:
            raise OSError(errno.EPERM, "only process 1 of a container may signal all others")
        try:
            os.kill(-1, number)  # at once to all but process 1: nobody can fork past it
        except ProcessLookupError:
            return False
        return True
