"""A sandbox that holds nobody: plain processes with the rights of whoever started them, in a temporary directory.

For tests of an environment's own logic where there is no engine, and for commands that are trusted. A command can read
and write whatever its user can. What it gets is a directory, an empty environment, limits of its own processes, and an
end: what carries the sandbox's mark in its environment is killed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from agentgym.sandbox.channel import Channel, Lost
from agentgym.sandbox.inside import LOADER, source
from agentgym.sandbox.inside.marks import signaled
from agentgym.sandbox.inside.processes import MARK
from agentgym.sandbox.served import ServedSandbox
from agentgym.sandbox.spec import Spec
from agentgym.scratch import scratch

__all__ = ["LocalSandbox"]

_START_SECONDS = 30.0


class LocalSandbox(ServedSandbox):
    """A directory, and the server beside it."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self._held = contextlib.ExitStack()
        self._directory = self._held.enter_context(scratch())
        self._mark = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        roots = {path: str(self._directory / path.strip("/")) for path in self.spec.writable}
        for path in roots.values():
            Path(path).mkdir(parents=True, exist_ok=True)
        limits = self.spec.limits
        rlimits = {"RLIMIT_CORE": 0, "RLIMIT_NOFILE": limits.open_files, "RLIMIT_FSIZE": limits.disk}
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", LOADER, str(len(source()))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, MARK: self._mark},  # so its children have it from their first moment on
        )
        channel = Channel(PipeStream(self._process), max_body=limits.disk + (1 << 20))
        own = {"mark": self._mark, "directory": str(self._directory)}
        self.begin(channel, seconds=_START_SECONDS, uid=None, roots=roots, rlimits=rlimits, **own)

    @property
    def variables(self) -> dict[str, str]:
        variables = dict(self.spec.variables)
        for path in self.spec.writable:
            if f"{variables['HOME']}/".startswith(f"{path}/"):
                variables["HOME"] = f"{self._directory}{variables['HOME']}"
                break
        return {**variables, MARK: self._mark, "TMPDIR": str(self._directory / "tmp")}

    def destroy(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        while signaled(f"{MARK}={self._mark}", signal.SIGKILL):
            time.sleep(0.001)
        self._held.close()


class PipeStream:
    """The standard streams of a process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin, process.stdout
        os.set_blocking(self._in.fileno(), False)

    def send(self, data: bytes, deadline: float) -> None:
        left = memoryview(data)
        while left:
            if not select.select([], [self._in], [], max(0.0, deadline - time.monotonic()))[1]:
                raise Lost("it does not listen")
            try:
                left = left[os.write(self._in.fileno(), left) :]
            except OSError as error:
                raise Lost(f"it has ended ({error})") from None

    def receive(self, size: int, deadline: float) -> bytes:
        taken = bytearray()
        while len(taken) < size:
            if not select.select([self._out], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise Lost("it does not answer")
            piece = os.read(self._out.fileno(), size - len(taken))
            if not piece:
                raise Lost("it has ended")
            taken += piece
        return bytes(taken)

    def close(self) -> None:
        for one in (self._in, self._out):
            with contextlib.suppress(OSError):
                one.close()
