"""Processes are found by a variable, however young."""

from __future__ import annotations

import io
import os
import signal
import uuid
from pathlib import Path

import pytest

from agentgym.sandbox.inside import marks
from agentgym.sandbox.inside.marks import signaled
from tests.kit import eventually

MARK = f"AGENTGYM_TEST_MARKS={uuid.uuid4().hex}"
"""Nobody else's: whoever has it is killed."""
VARIABLES = dict([MARK.split("=")])


def test_what_has_only_just_been_started_is_found() -> None:
    """The kernel shows no variables of a program that is being loaded: of a tenth or more of these, when looked at."""
    for _ in range(300):
        pid = os.posix_spawn("/bin/sleep", ["sleep", "300"], VARIABLES)
        try:
            assert marks._variables(str(pid)) == [MARK.encode(), b""]
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def test_what_one_started_that_ended_meanwhile_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    pid = os.posix_spawn("/bin/sleep", ["sleep", "300"], VARIABLES)
    listed = iter([["self", "999999999"], ["self", "999999999", str(pid)]])
    with monkeypatch.context() as patched:
        patched.setattr(os, "listdir", lambda path: next(listed, [str(pid)]))
        assert signaled(MARK, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert not signaled(MARK, signal.SIGKILL)


def test_one_that_looks_alike_is_another() -> None:
    name, value = MARK.split("=")
    pids = [os.posix_spawn("/bin/sleep", ["sleep", "300"], {name: each}) for each in (value, f"{value}0")]
    try:
        assert marks.marked(MARK) == pids[:1]
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def test_one_without_variables_is_not_waited_for() -> None:
    pid = os.posix_spawn("/bin/sleep", ["sleep", "300"], {})
    try:
        assert eventually(lambda: Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x00300\x00")
        assert not marks._may_be_loading(str(pid))
    finally:
        os.kill(pid, signal.SIGKILL)
        assert eventually(lambda: not marks._may_be_loading(str(pid)))  # nor one that has ended
        os.waitpid(pid, 0)


@pytest.mark.parametrize(
    ("state", "flags", "code", "first", "last", "expected"),
    [
        ("R", 0x400000, 0, 0, 0, True),  # its memory is new
        ("R", 0x400000, 0, 8, 8, True),  # the variables are about to be told
        ("R", 0x400000, 4, 8, 9, True),  # they are there now
        ("S", 0x400000, 4, 8, 8, False),  # it has none
        ("I", 0x200040, 0, 0, 0, False),  # the kernel's own
        ("Z", 0x40000C, 0, 0, 0, False),
    ],
)
def test_what_may_be_loading(
    state: str, flags: int, code: int, first: int, last: int, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = [state, *"0" * 49]
    fields[6], fields[23], fields[47], fields[48] = map(str, (flags, code, first, last))
    told = f"7 (a) b) {' '.join(fields)}".encode()
    monkeypatch.setattr(marks, "open", lambda *_: io.BytesIO(told), raising=False)
    assert marks._may_be_loading("7") is expected
