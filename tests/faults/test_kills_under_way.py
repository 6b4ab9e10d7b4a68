"""What a run stands on is killed while it trains: browsers, pages, containers, their engine, the trainer itself.

The run goes on, or is resumed; no task is lost or counted twice, and nothing of it is left behind.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentgym.ledger import audit
from agentgym.run import Run
from agentgym.sandbox import daemon, owner
from agentgym.sandbox.sweep import sweep
from tests.faults.kit import arguments
from tests.faults.test_browser import chromium_of
from tests.faults.test_sandbox_kills import Engine, containers
from tests.faults.test_sandbox_kills import engine as engine
from tests.kit import ROOT, eventually, metrics
from tests.unit.hosts.kit import processes_marked

SETTINGS: dict[str, Any] = {
    "warm_start": {"max_updates": 1, "check_every": 1, "batch_size": 2},
    "trainer": {"id": "grpo", "groups": 2, "group_size": 2},
    "rollout": {"max_reply_tokens": 8},
    "eval": {"episodes": 2, "validation_episodes": 2, "every": 2},
    "updates": 3,
    "threads": 1,
}
PAGES: dict[str, Any] = {**SETTINGS, "env": {"id": "miniwob", "task": "click-button"}}
CONTAINERS: dict[str, Any] = {**SETTINGS, "env": {"id": "terminal"}, "rollout": {"max_reply_tokens": 8, "max_turns": 3}}


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    mark = f"agentgym-test-{uuid.uuid4().hex}"
    monkeypatch.setenv("AGENTGYM_TEST_MARK", mark)
    yield mark
    assert eventually(lambda: not processes_marked(mark)), processes_marked(mark)


@contextlib.contextmanager
def training(*typed: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "agentgym.cli", "train", *typed],
            stdout=out,
            stderr=out,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def is_training(run: Path) -> bool:
    return (run / "metrics.jsonl").exists() and any(line["stage"] == "train" for line in metrics(run))


def killed_under_way(settings: dict[str, Any], kill: Callable[[], object], tmp_path: Path, times: int = 2) -> Path:
    """A run during which ``kill`` is called, from its first update on, until it was called so often or it is over."""
    run, log = tmp_path / "run", tmp_path / "log.txt"
    with training(*arguments({**settings, "output": str(run)}), log=log) as process:
        assert eventually(lambda: is_training(run) or process.poll() is not None, seconds=120), log.read_text()
        for _ in range(times):
            kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1.0)
        assert process.wait(180) == 0, log.read_text()[-3000:]
    assert_whole(run, settings)
    return run


def assert_whole(run: Path, settings: dict[str, Any]) -> None:
    """Every task has one fate."""
    groups = settings["updates"] * settings["trainer"]["groups"]
    assert sum(audit(Run.open(run).ledger()).values()) == groups


def renderers(mark: str) -> list[int]:
    """Processes that draw pages for those marked; they write over their own variables."""
    parents: dict[int, int] = {}
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        pid = int(status.parent.name)
        with contextlib.suppress(OSError):
            parents[pid] = int(status.read_text().rpartition(")")[2].split()[1])
            if b"--type=renderer" in (status.parent / "cmdline").read_bytes():
                found.append(pid)
    marked = processes_marked(mark)

    def is_below(pid: int) -> bool:
        return pid in marked or (pid in parents and is_below(parents[pid]))

    return sorted(filter(is_below, found))


@pytest.mark.browser
def test_a_run_goes_on_with_another_browser(mark: str, tmp_path: Path) -> None:
    killed = []

    def kill() -> None:
        with contextlib.suppress(AssertionError, ProcessLookupError):  # none runs at the moment
            killed.append(chromium_of(mark))
            os.kill(killed[-1], signal.SIGKILL)

    killed_under_way(PAGES, kill, tmp_path)
    assert killed


@pytest.mark.browser
def test_a_run_stands_the_loss_of_a_third_of_its_pages(mark: str, tmp_path: Path) -> None:
    rng, killed = random.Random(0), []

    def kill() -> None:
        pages = renderers(mark)
        for pid in rng.sample(pages, math.ceil(0.3 * len(pages))):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    killed_under_way(PAGES, kill, tmp_path, times=4)
    assert killed


@pytest.mark.browser
def test_a_trainer_that_is_killed_takes_its_pages_along_and_is_resumed(mark: str, tmp_path: Path) -> None:
    run, log = tmp_path / "run", tmp_path / "log.txt"
    with training(*arguments({**PAGES, "output": str(run)}), log=log) as process:
        assert eventually(lambda: is_training(run), seconds=120), log.read_text()
        process.kill()
    assert eventually(lambda: not processes_marked(mark)), processes_marked(mark)
    with training("--resume", str(run), log=log) as process:
        assert process.wait(180) == 0, log.read_text()[-3000:]
    assert_whole(run, PAGES)


@pytest.mark.docker
def test_a_run_goes_on_with_other_containers_and_a_restarted_engine(mark: str, engine: Engine, tmp_path: Path) -> None:
    """First some of its containers, then the engine itself, which comes back after a second."""
    killed: list[str] = []

    def kill_containers() -> None:
        for id in sorted(containers())[:2]:
            with contextlib.suppress(Exception):  # it may have gone by itself
                daemon.daemon().client.kill(id)
                killed.append(id)

    def kill_engine() -> None:
        engine.kill()
        killed.append("engine")
        time.sleep(1)
        engine.start()
        engine.wait()

    turns = iter([kill_containers, kill_engine])
    killed_under_way(CONTAINERS, lambda: next(turns)(), tmp_path)
    assert killed[-1] == "engine"
    assert len(killed) > 1

    def nothing_is_left() -> bool:
        sweep()  # as whoever asks next for a sandbox does: an engine may end as this run does
        return not containers()

    assert eventually(nothing_is_left, seconds=20), daemon.daemon().containers(owner.LABEL)
