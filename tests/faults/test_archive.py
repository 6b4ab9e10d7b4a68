"""A process that writes an archive is killed at any moment: what it had written is whole, each episode there once.

Another process reads the archive all the while.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentgym.archive import Archive
from agentgym.types import Trajectory
from tests.unit.test_store import trajectory

ROOT = Path(__file__).parents[2]
UPDATE, UPDATES = 7, 40
"""Episodes an update; updates that are written in all."""
WRITER = f"""
import json, os, sys
from pathlib import Path
from agentgym.archive import Archive
from tests.unit.test_store import trajectory

directory = Path(sys.argv[1])
file, aside = directory / "checkpoint.json", directory / "aside.json"
archive = Archive(directory)
at, position = json.loads(file.read_text()) if file.exists() else (0, 0)
archive.forget_after(position)
print("ready", flush=True)
while at < {UPDATES}:
    archive.append(trajectory({UPDATE} * at + member) for member in range({UPDATE}))
    at += 1
    if at % 3 == 0:
        aside.write_text(json.dumps([at, archive.position()]))
        os.replace(aside, file)
archive.close()
"""


def written(directory: Path, kill_after: float | None) -> subprocess.Popen[str]:
    """A process that writes, or goes on with writing, and is killed so many seconds after it began to."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(directory)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    if kill_after is not None:
        time.sleep(kill_after)
        process.kill()
    return process


def tasks(episodes: list[Trajectory]) -> list[object]:
    assert all(episode == trajectory(int(str(episode.task))) for episode in episodes)
    return [episode.task for episode in episodes]


@pytest.mark.slow
def test_killed_and_resumed_each_episode_is_there_once(tmp_path: Path) -> None:
    rng, codes = random.Random(1), list[int]()
    while len(codes) < 6:
        codes.append(written(tmp_path, rng.uniform(0, 0.1)).wait(60))
        with Archive(tmp_path, read_only=True) as archive:  # it may have been killed before there was one
            there = tasks(list(archive.episodes()))
        assert there == list(range(len(there)))
        assert len(there) % UPDATE == 0  # whole appends
        file = tmp_path / "checkpoint.json"
        if file.exists():
            at, position = json.loads(file.read_text())
            assert len(there) >= at * UPDATE
            assert position >= at * UPDATE
    assert codes.count(-signal.SIGKILL) > 1
    assert written(tmp_path, None).wait(60) == 0
    with Archive.open(tmp_path) as archive:
        assert tasks(list(archive.episodes())) == list(range(UPDATE * UPDATES))


def test_a_reader_follows_a_writer_in_another_process(tmp_path: Path) -> None:
    process = written(tmp_path, None)
    seen: list[Trajectory] = []
    last, num_looks, is_over = 0, 0, False
    while not is_over:
        is_over = process.poll() is not None  # once more after its end
        if not (tmp_path / "episodes.sqlite").exists():
            continue
        with Archive.open(tmp_path) as archive:
            while cards := archive.query(after=last, limit=10):
                num_looks += 1
                seen += [archive.get(card.number) for card in cards]
                last = cards[-1].number
    assert process.returncode == 0
    assert tasks(seen) == list(range(UPDATE * UPDATES))
    assert num_looks > 1


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
def test_the_files_beside_it_may_be_left_behind(suffix: str, tmp_path: Path) -> None:
    written(tmp_path, 0.2).wait(60)
    with Archive(tmp_path) as archive:
        before = archive.count()
        archive.append([trajectory(before)])
        archive.flush()
        assert (tmp_path / f"episodes.sqlite{suffix}").exists()
    assert not (tmp_path / f"episodes.sqlite{suffix}").exists()
    with Archive.open(tmp_path) as archive:
        assert archive.count() == before + 1
