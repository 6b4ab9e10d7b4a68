"""The contract of a sandbox, whatever it is made by."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import NamedTuple, Self

from agentgym.sandbox.files import Files
from agentgym.sandbox.spec import Spec

__all__ = ["Result", "Sandbox"]


class Result(NamedTuple):
    """What a command came to."""

    exit_code: int
    """As a shell has it: 128 + n after signal n, 126 and 127 where the command could not be started."""
    stdout: bytes
    stderr: bytes
    truncated: bool
    """Whether one of them was longer than the limit: then its middle is left out, and a line says so in its place."""
    timed_out: bool
    """Whether it was killed at the deadline."""
    seconds: float

    @property
    def text(self) -> str:
        """Both streams as text; what is not UTF-8 becomes replacement characters."""
        return (self.stdout + self.stderr).decode("utf-8", "replace")


class Sandbox(abc.ABC):
    """A place for commands. Calls do not overlap. Every call may raise EnvError: the sandbox is lost, and closed."""

    spec: Spec

    @abc.abstractmethod
    def run(
        self,
        command: str | Sequence[str],
        *,
        timeout: float = 30.0,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        user: str = "agent",
    ) -> Result:
        """Run a command to its end, or to its deadline: a text by ``/bin/sh -c``, or a program and its arguments.

        ``env`` is added to the spec's. ``user`` is "agent", who may write in the writable directories only, or "root",
        for what an environment itself does. What a command leaves running goes on after it.
        """

    @abc.abstractmethod
    def read(self, path: str, *, user: str = "agent") -> bytes:
        """The content of a regular file. Raises OSError, also where the file is longer than the limit (EFBIG)."""

    @abc.abstractmethod
    def write(self, path: str, data: bytes, *, mode: int | None = None, user: str = "agent") -> None:
        """Write a file, and the directories on the way to it. Raises OSError."""

    @abc.abstractmethod
    def halt(self) -> None:
        """End every process that commands have left running."""

    @abc.abstractmethod
    def snapshot(self) -> Files:
        """What is in the writable directories. Processes are held up meanwhile, and are no part of it.

        Raises OSError where it is more than can be kept (EFBIG).
        """

    @abc.abstractmethod
    def restore(self, files: Files) -> None:
        """End all processes and make the writable directories hold just these files, of this or another sandbox.

        Raises OSError where they do not fit.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """End the sandbox and all that is in it. May be called again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
