"""Directories for a moment: gone after it, and those of the dead with the next."""

from __future__ import annotations

import fcntl
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agentgym.scratch import scratch
from tests.kit import ROOT

OWNER = """
import sys
from agentgym.scratch import scratch
with scratch() as directory:
    (directory / "file").write_text("left")
    print(directory, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


def test_it_is_there_for_the_block(place: Path) -> None:
    def work() -> None:
        with scratch() as directory:
            (directory / "file").write_text("x")
            raise KeyError(str(directory.parent))

    with pytest.raises(KeyError, match=str(place)):
        work()
    assert list(place.iterdir()) == []


def test_what_a_killed_process_left_goes_and_what_the_living_have_stays(place: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        theirs = Path(owner.stdout.readline().strip())
        with scratch() as directory:
            assert sorted(place.iterdir()) == sorted([theirs, directory])
            with scratch():
                assert directory.exists()
        assert (theirs / "file").exists()
        owner.kill()
    assert theirs.exists()
    with scratch() as directory:
        assert list(place.iterdir()) == [directory]


def test_it_may_be_elsewhere(place: Path) -> None:
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    with scratch(elsewhere) as directory:
        assert directory.parent == elsewhere


def test_whoever_makes_a_directory_elsewhere_has_a_guard_of_its_own() -> None:
    files = [
        file for part in ("agentgym", "environments", "rewards", "trainers") for file in (ROOT / part).rglob("*.py")
    ]
    makers = {str(file.relative_to(ROOT)) for file in files if re.search("mkdtemp|TemporaryDir", file.read_text())}
    guarded = {"agentgym/actors/vllm/weights.py", "agentgym/cluster/connection.py"}
    assert makers == {"agentgym/scratch.py", *guarded}


def test_one_that_is_swept_before_it_is_locked_is_made_anew(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    lock, calls = fcntl.flock, list[Path]()

    def swept(number: int, how: int) -> None:
        calls.extend(each for each in place.iterdir() if not calls)
        if len(calls) == 1 and calls[0].exists():
            calls[0].rmdir()
        lock(number, how)

    monkeypatch.setattr(fcntl, "flock", swept)
    with scratch() as directory:
        assert directory.exists()
        assert directory != calls[0]
