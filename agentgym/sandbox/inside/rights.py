"""Whose rights the server acts with: root's, or for a moment the agent's, so that the kernel refuses what they may not.

A command gets them for good. It is started without a copy of the server (``posix_spawn``, which takes a third of a
fork's time), so the kernel must be told beforehand: the server's real user is then the agent, and the new process takes
its real user for the only one it has.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

_EXPENDABLE = b"1000"


class Rights:
    """Of the agent, who is the user ``uid``; with None there is nobody but whoever runs the server."""

    def __init__(self, uid: int | None = None) -> None:
        self.uid = uid
        if uid is not None:
            os.setgroups([])

    @contextlib.contextmanager
    def of(self, user: str) -> Iterator[None]:
        """Open and write files as that user does."""
        if self.uid is None or user == "root":
            yield
            return
        os.setegid(self.uid)
        os.seteuid(self.uid)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(0)

    @contextlib.contextmanager
    def given(self, user: str) -> Iterator[bool]:
        """Start a process that takes its real user; whether it must. When memory runs out it is killed before this."""
        with _first_to_go():
            if self.uid is None or user == "root":
                yield False
                return
            os.setresgid(self.uid, 0, 0)
            os.setresuid(self.uid, 0, 0)
            try:
                yield True
            finally:
                os.setresuid(0, 0, 0)
                os.setresgid(0, 0, 0)


@contextlib.contextmanager
def _first_to_go() -> Iterator[None]:
    with open("/proc/self/oom_score_adj", "rb+", buffering=0) as file:
        before = file.read()
        file.write(max(_EXPENDABLE, before.strip(), key=int))
        try:
            yield
        finally:
            file.write(before.strip())
