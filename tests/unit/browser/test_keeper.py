"""What stands between Playwright and Chromium, with other programs in the place of both: nothing outlives the owner."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentgym.browser import keeper
from tests.kit import eventually

BROWSER = """#!/bin/sh
setsid sleep 60 &
echo $! > "$0.child"
echo $$ > "$0.self"
exec sleep 60
"""
"""Has a child that its own end does not end."""


class Kept:
    """A keeper with its owner, its driver, its browser and what that has started."""

    def __init__(self, folder: Path) -> None:
        self.directory, self.profile, program = folder / "directory", folder / "profile", folder / "browser"
        self.directory.mkdir()
        self.profile.mkdir()
        program.write_text(BROWSER)
        program.chmod(0o700)
        self.owner = subprocess.Popen(["sleep", "60"])
        arguments = [str(self.owner.pid), str(self.directory), str(program), f"--user-data-dir={self.profile}"]
        started = shlex.join([sys.executable, "-IS", keeper.__file__, *arguments])
        self.driver = subprocess.Popen(["sh", "-c", f"{started} 3</dev/null 4>/dev/null & exec sleep 60"])
        files = [folder / "browser.self", folder / "browser.child", self.directory / keeper.PID_FILE]
        assert eventually(lambda: all(file.exists() and file.read_text() for file in files), 20)
        self.browser, self.child, self.keeper = (int(file.read_text()) for file in files)

    def kill(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def clear(self) -> None:
        for pid in (self.keeper, self.browser, self.child):
            self.kill(pid)
        for process in (self.driver, self.owner):
            process.kill()
            process.wait()


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path)
    yield made
    made.clear()


def runs(pid: int) -> bool:
    """Neither gone nor waiting to be reaped."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def ended(*pids: int) -> bool:
    return eventually(lambda: not any(map(runs, pids)))


def test_with_its_owner_all_goes(kept: Kept) -> None:
    kept.kill(kept.owner.pid)
    kept.owner.wait()
    assert ended(kept.browser, kept.child, kept.driver.pid, kept.keeper)
    assert not kept.profile.exists()
    assert not kept.directory.exists()


def test_with_the_driver_the_browser_goes_and_what_it_has_started(kept: Kept) -> None:
    kept.kill(kept.driver.pid)
    kept.driver.wait()
    assert ended(kept.browser, kept.child, kept.keeper)
    assert not kept.profile.exists()
    assert runs(kept.owner.pid)


def test_a_browser_that_ends_alone_leaves_nothing_and_its_owner_goes_on(kept: Kept) -> None:
    (kept.directory / keeper.CLOSING_FILE).touch()
    kept.kill(kept.browser)
    assert ended(kept.child, kept.keeper)
    assert not kept.profile.exists()
    assert kept.directory.exists()
    assert runs(kept.owner.pid)
    assert runs(kept.driver.pid)
