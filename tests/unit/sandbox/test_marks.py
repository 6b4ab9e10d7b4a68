"""Processes are found by a variable, however young."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from agentgym.sandbox.inside import marks
from agentgym.sandbox.inside.marks import signaled
from tests.kit import eventually


def test_what_has_only_just_been_started_is_found() -> None:
    """The kernel shows no variables of a program that is being loaded: of a tenth or more of these, when looked at."""
    for _ in range(300):
        pid = os.posix_spawn("/bin/sleep", ["sleep", "300"], {"MARK": "f"})
        try:
            assert marks._variables(str(pid)) == [b"MARK=f", b""]
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def test_what_one_started_that_ended_meanwhile_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    pid = os.posix_spawn("/bin/sleep", ["sleep", "300"], {"MARK": "f"})
    listed = iter([["self", "999999999"], ["self", "999999999", str(pid)]])
    with monkeypatch.context() as patched:
        patched.setattr(os, "listdir", lambda path: next(listed, [str(pid)]))
        assert signaled("MARK=f", signal.SIGKILL)
    os.waitpid(pid, 0)
    assert not signaled("MARK=f", signal.SIGKILL)


def test_one_without_variables_is_not_waited_for() -> None:
    pid = os.posix_spawn("/bin/sleep", ["sleep", "300"], {})
    try:
        assert eventually(lambda: Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x00300\x00")
        assert not marks._may_be_loading(str(pid))
    finally:
        os.kill(pid, signal.SIGKILL)
        assert eventually(lambda: not marks._may_be_loading(str(pid)))  # nor one that has ended
        os.waitpid(pid, 0)
