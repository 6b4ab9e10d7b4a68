"""A full disk harms nothing that was written: the run goes on or stops cleanly, and resumed it is the same run.

A checkpoint that cannot be written is noted and done without. What cannot be done without is metrics, ledger and the
best policy: there the run stops and says what to type when there is room again. AGENTGYM_PLACES=1 makes the slow test
go through all places.
"""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentgym.archive import Archive
from agentgym.errors import UserError
from agentgym.launch import resume, train
from agentgym.learn import checkpoint
from agentgym.learn import tensors as learn_tensors
from agentgym.learn.policy import Policy
from agentgym.run import Run
from tests.faults.kit import SETTINGS, Nursery, assert_same, episodes, tensors, timeless
from tests.kit import Notes

STRIDE = int(os.environ.get("AGENTGYM_PLACES", "15"))
SMALL = {**SETTINGS, "updates": 1, "warm_start": {"max_updates": 1}, "eval": {"episodes": 1, "validation_episodes": 1}}


# -- every place where something is written, in turn ---------------------------------------------------


def half(write: Callable[..., Any], file: Path) -> None:
    """What is left of a line when there is no room for the rest."""
    with file.open("a") as stream:
        stream.write('{"half')


def break_at(patch: pytest.MonkeyPatch, at: int) -> list[str]:
    """There is no room at write, flush or rename ``at``, counted from 1. Returns what was tried, growing."""
    tried: list[str] = []

    def failing(real: Any, name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            tried.append(name)
            if len(tried) != at:
                return real(*args, **kwargs)
            if name == "write_text":
                real(args[0], args[1][: len(args[1]) // 2])
            if name in HALF:
                half(real, args[0].directory / HALF[name])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        return call

    places = [
        (learn_tensors, "save_file"),
        (os, "rename"),
        (os, "replace"),
        (os, "fsync"),
        (Policy, "save"),
        (Path, "write_text"),
        (Path, "symlink_to"),
        (Path, "mkdir"),
        (Run, "log"),
        (Run, "account"),
        (Archive, "_write"),
    ]
    for owner, name in places:
        patch.setattr(owner, name, failing(getattr(owner, name), name))
    return tried


HALF = {"log": "metrics.jsonl", "account": "ledger.jsonl"}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A run with room, and all it does to write; counted the second time, since some is done once a process."""
    parent = tmp_path_factory.mktemp("small")
    run = train({**SMALL, "output": parent / "run"})
    with pytest.MonkeyPatch.context() as patch:
        tried = break_at(patch, -1)
        train({**SMALL, "output": parent / "again"})
    assert {"save_file", "rename", "replace", "fsync", "save", "write_text", "symlink_to"} < set(tried)
    assert {"log", "account", "_write"} < set(tried)
    return run, tried


def outcome(run: Path) -> Any:
    grown = ("metrics.jsonl", "ledger.jsonl")
    return tensors(run), [*(list(timeless(run / name)) for name in grown), episodes(run)]


def assert_nothing_is_lost(small: Path, output: Path, at: int) -> str:
    """Train with no room at place ``at``, then go on with room; returns how the first part ended."""
    reporter, ended = Notes(), "went on"
    with pytest.MonkeyPatch.context() as patch:
        tried = break_at(patch, at)
        try:
            train({**SMALL, "output": output}, reporter=reporter)
        except UserError as error:
            ended = f"stopped: {error}"
    assert len(tried) >= at
    whole = checkpoint.latest(output / "checkpoints")
    assert whole in (None, *checkpoint.finished(output / "checkpoints")[-1:])
    if not (output / "config.json").exists():
        train({**SMALL, "output": output})
        ended = "did not begin"
    elif ended != "went on":
        assert "No space left on device" in ended
        assert f"agentgym train --resume {output}" in ended
        resume(output)
        ended = "stopped"
    else:
        assert any("training goes on, but --resume would" in note for note in reporter.notes)
    assert_same_outcome(output, small)
    return ended


def assert_same_outcome(run: Path, whole: Path) -> None:
    """The same, but for checkpoints that there was no room for."""
    ours, theirs = outcome(run), outcome(whole)
    assert ours[1] == theirs[1]
    assert ours[0]["policy/model.safetensors"] == theirs[0]["policy/model.safetensors"]
    assert {name: ours[0][name] for name in ours[0] if name in theirs[0]}.items() <= theirs[0].items()


@pytest.mark.slow
def test_no_room_anywhere(small: tuple[Path, list[str]], tmp_path: Path) -> None:
    """Every AGENTGYM_PLACES-th place, by default every fifteenth.

    Of several flushes in a row only the first and the last: a checkpoint's own are gone through in its unit tests.
    """
    run, tried = small
    same = [before == name == after for before, name, after in zip(["", *tried], tried, [*tried[1:], ""], strict=False)]
    places = [at for at, (name, inside) in enumerate(zip(tried, same, strict=True), 1) if name != "fsync" or not inside]
    ended = [assert_nothing_is_lost(run, tmp_path / str(at), at) for at in places[::STRIDE]]
    counts = {how: ended.count(how) for how in sorted(set(ended))}
    print(f"{len(ended)} of {len(tried)} places: {counts}")
    assert set(counts) == {"did not begin", "stopped", "went on"}


# -- a file system that is really full -----------------------------------------------------------------


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    directory = tmp_path / "volume"
    directory.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(directory)], capture_output=True)
    if done.returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield directory
    subprocess.run(["umount", "-l", str(directory)], check=True)


class Filler(threading.Thread):
    """Keeps the disk full, but for ``left`` bytes, from when a run has ``lines`` lines of metrics."""

    def __init__(self, run: Path, lines: int, left: int) -> None:
        super().__init__(daemon=True)
        self.run_directory, self.lines, self.left = run, lines, left
        self.file = run.parent / "filler"
        self.is_over = False

    def run(self) -> None:
        metrics = self.run_directory / "metrics.jsonl"
        while not self.is_over and not (metrics.exists() and metrics.read_bytes().count(b"\n") >= self.lines):
            time.sleep(0.001)
        with self.file.open("wb", buffering=0) as stream:
            while not self.is_over:
                disk = os.statvfs(self.run_directory.parent)
                room = disk.f_bavail * disk.f_bsize - self.left
                with contextlib.suppress(OSError):  # the run was faster and took the room itself
                    stream.write(b"\0" * min(max(0, room), 2**20))

    def stop(self) -> None:
        self.is_over = True
        self.join()
        self.file.unlink()


@pytest.mark.slow
@pytest.mark.parametrize(("lines", "left"), [(2, 0), (8, 400_000)])
def test_a_disk_that_is_really_full(lines: int, left: int, volume: Path, tmp_path: Path) -> None:
    nursery = Nursery(tmp_path / "log.txt")
    assert nursery.train(tmp_path / "whole")[0] == 0, nursery.log.read_text()
    run = volume / "run"
    filler = Filler(run, lines, left)
    filler.start()
    code, _ = nursery.train(run)
    told = " ".join(nursery.log.read_text().split())
    filler.stop()
    assert "No space left on device; " in told
    if left:  # enough for all lines, not for a checkpoint
        assert (code, "training goes on, but --resume would go back to" in told) == (0, True), told
    else:
        assert (code, f"make room, then type: agentgym train --resume {run}" in told) == (2, True), told
    code, _ = nursery.train(run)
    assert code == 0, nursery.log.read_text()
    nursery.close()
    if left:  # the small ones of the last stages may have had room: then there are none of some updates
        assert_same_outcome(run, tmp_path / "whole")
    else:
        assert_same(run, tmp_path / "whole")


@pytest.mark.slow
def test_a_run_that_will_not_fit_is_refused_at_once(volume: Path, tmp_path: Path) -> None:
    nursery = Nursery(tmp_path / "log.txt")
    code, _ = nursery.train(volume / "run", keep_checkpoints=100)
    nursery.close()
    assert code == 2
    told = " ".join(nursery.log.read_text().split())
    assert "lower --keep_checkpoints (now 100) or choose an --output on a larger disk" in told
    assert list(volume.iterdir()) == []
