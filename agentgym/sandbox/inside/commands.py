"""One command, from its start to its end or its deadline."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import time
from typing import Any

from agentgym.sandbox.inside.capped import Capped
from agentgym.sandbox.inside.frames import CHUNK, Wire
from agentgym.sandbox.inside.processes import Processes
from agentgym.sandbox.inside.rights import Rights

_DEFAULT = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD)
"""Signals that Python treats in its own way."""


class Command:
    """A command with pipes of its own."""

    def __init__(self, head: dict[str, Any], data: bytes, limit: int) -> None:
        self._head, self._left = head, memoryview(data)
        self._begun = time.monotonic()
        self.pid, self.timed_out = 0, False
        self.stdout, self.stderr = Capped(limit), Capped(limit)

    def start(self, rights: Rights) -> None:
        """Let it run. Raises OSError where there is no such program, or no room for it."""
        pipes = [os.pipe() for _ in range(3)]
        theirs = pipes[0][0], pipes[1][1], pipes[2][1]
        ours = pipes[0][1], pipes[1][0], pipes[2][0]
        try:
            self.pid = self._spawned(theirs, rights)
        finally:
            for one in theirs if self.pid else (*theirs, *ours):
                os.close(one)
        for one in ours:
            os.set_blocking(one, False)
        self._stdin = ours[0]
        self._outputs = {ours[1]: self.stdout, ours[2]: self.stderr}

    def _spawned(self, theirs: tuple[int, int, int], rights: Rights) -> int:
        argv, env, user = self._head["argv"], self._head["env"], self._head["user"]
        with rights.of(user):
            os.chdir(self._head["cwd"])
            program = _found(argv[0], env.get("PATH", os.defpath))
        actions = [(os.POSIX_SPAWN_DUP2, one, number) for number, one in enumerate(theirs)]
        with rights.given(user) as reset:
            return os.posix_spawn(
                program, argv, env, file_actions=actions, resetids=reset, setsid=True, setsigdef=_DEFAULT, setsigmask=()
            )

    def follow(self, wire: Wire, processes: Processes) -> None:
        """Feed and read until it has ended, or was killed at the deadline."""
        deadline = self._begun + self._head["timeout"]
        poll = select.poll()
        for one in (*self._outputs, wire.awake, wire.source):
            poll.register(one, select.POLLIN)
        poll.register(self._stdin, select.POLLOUT)
        while self.pid not in processes.ended:
            left = None if self.timed_out else 1000 * max(0.0, deadline - time.monotonic()) + 1
            ready = dict(poll.poll(left))
            if wire.source in ready:  # calls do not overlap: nothing but its end can come
                raise SystemExit
            if wire.awake in ready:
                wire.woken()
            for one in ready.keys() & self._outputs.keys():
                if not _read(one, self._outputs[one]):
                    poll.unregister(one)
            if self._stdin in ready and not self._feed():
                poll.unregister(self._stdin)
                self._close_stdin()
            if not self.timed_out and self.pid not in processes.ended and time.monotonic() >= deadline:
                self.timed_out = True
                self._kill()
        self._finish()

    def result(self, code: int) -> dict[str, Any]:
        """What it came to, but for its outputs."""
        return {
            "exit_code": code,
            "stdout": len(self.stdout.text),
            "truncated": bool(self.stdout.left_out or self.stderr.left_out),
            "timed_out": self.timed_out,
            "seconds": time.monotonic() - self._begun,
        }

    def _finish(self) -> None:
        self._close_stdin()
        for one, output in self._outputs.items():
            for _ in range(16):  # what is left in the pipe, which others may still be writing to
                if not _read(one, output):
                    break
            os.close(one)

    def _feed(self) -> bool:
        """Write some of the input; whether there is more."""
        with contextlib.suppress(BlockingIOError):
            try:
                self._left = self._left[os.write(self._stdin, self._left[:CHUNK]) :] if self._left else self._left
            except BrokenPipeError:
                self._left = self._left[:0]
        return bool(self._left)

    def _close_stdin(self) -> None:
        if self._stdin >= 0:
            os.close(self._stdin)
            self._stdin = -1

    def _kill(self) -> None:
        """Kill it, and what is still in its process group."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


def _found(name: str, path: str) -> str:
    """The program of that name."""
    if "/" in name:
        return name
    for folder in path.split(os.pathsep):
        if os.access(file := f"{folder}/{name}", os.X_OK, effective_ids=True) and os.path.isfile(file):
            return file
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)


def _read(one: int, output: Capped) -> bool:
    """Take some of an output; whether there was any."""
    try:
        data = os.read(one, CHUNK)
    except BlockingIOError:
        return False
    output.add(data)
    return bool(data)


def code_of(status: int) -> int:
    """The exit code as a shell has it."""
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
