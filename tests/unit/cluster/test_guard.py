"""What is left of a cluster goes with the program that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agentgym.cluster import guard
from tests.kit import eventually

PROGRAM = """
import os, subprocess, sys
directory, guard = sys.argv[1:]
log = open(directory + "/log", "w")
left = subprocess.Popen(["sleep", "600"], stdout=log, start_new_session=True)
apart = {"stdout": subprocess.DEVNULL, "start_new_session": True}
reads = subprocess.Popen(["sleep", "600"], stdin=open(directory + "/log"), **apart)
beside = subprocess.Popen(["sleep", "600"], **apart)
command = [sys.executable, "-IS", guard, directory, str(os.getpid())]
own = subprocess.Popen(command, stdin=subprocess.PIPE, **apart)
print(left.pid, reads.pid, beside.pid, own.pid, flush=True)
sys.stdin.readline()
own.communicate()
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "cluster").mkdir()
    return tmp_path / "cluster"


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("ending", ["kill", "close"])
def test_what_writes_there_goes_and_so_does_the_directory(ending: str, directory: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", PROGRAM, str(directory), guard.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    left, reads, beside, own = map(int, process.stdout.readline().split())
    try:
        assert all(map(is_there, (left, reads, beside, own)))
        assert directory.exists()
        if ending == "kill":
            process.kill()
        process.communicate("\n" if ending == "close" else None)
        assert process.returncode == (0 if ending == "close" else -signal.SIGKILL)
        assert eventually(lambda: not is_there(left) and not is_there(own), seconds=20)
        assert not directory.exists()
        assert is_there(reads)  # who looks at a log is nobody of the cluster
        assert is_there(beside)
    finally:
        for pid in (left, reads, beside):
            if is_there(pid):
                os.kill(pid, signal.SIGKILL)


def test_who_writes_is_found(directory: Path) -> None:
    beside = directory.with_name("cluster-other")
    beside.write_text("")
    with beside.open("a"):
        assert list(guard.writers(str(directory))) == []
    file = directory / "log"
    with file.open("w"), file.open():
        assert list(guard.writers(str(directory))) == [os.getpid()]
    with file.open():
        assert list(guard.writers(str(directory))) == []
