"""Ctrl-C, SIGTERM or a closed terminal at any moment: the run can be resumed, and nothing of it is left behind."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from agentgym.ledger import audit
from agentgym.run import Run
from agentgym.sandbox.inside.marks import marked
from tests.faults.kit import SETTINGS, arguments
from tests.kit import eventually

MARK = "AGENTGYM_TEST_MARK"
SHARED = Path("/dev/shm")


def processes(mark: str) -> list[bytes]:
    """What was started by the run, directly or not."""
    found = []
    for process in marked(f"{MARK}={mark}"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            found.append(Path(f"/proc/{process}/cmdline").read_bytes())
    return found


def abandoned() -> set[str]:
    """Shared-memory segments that no living process has mapped or open."""
    names = {path.name for path in SHARED.iterdir()}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            held = (process / "maps").read_text()
            held += " ".join(os.readlink(link) for link in (process / "fd").iterdir())
        except OSError:
            continue
        names = {name for name in names if f"{SHARED}/{name}" not in held}
    return names


def outcome_of(run: Path, place: Path, after: float, how: int, *settings: str) -> tuple[int, str]:
    """Train, or go on, and send a signal after so many seconds; nothing may be left then."""
    mark, before = uuid.uuid4().hex, abandoned()
    typed = ["--resume", str(run)] if (run / "config.json").exists() else [*settings, "--output", str(run)]
    temporary = place / mark
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "agentgym.cli", "train", *typed],
        env={**os.environ, MARK: mark, "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        told, _ = process.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        process.send_signal(how)
        told, _ = process.communicate(timeout=60)
    assert eventually(lambda: processes(mark) == []), processes(mark)
    assert eventually(lambda: abandoned() <= before, 20), abandoned() - before
    assert [path.name for path in temporary.rglob("*") if path.is_file()] == []
    return process.returncode, told


def interrupted_at_random(tmp_path: Path, *, num: int, longest: float, settings: list[str]) -> None:
    rng, run = random.Random(0), tmp_path / "run"
    for attempt in range(num):
        how = rng.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
        code, told = outcome_of(run, tmp_path, rng.uniform(0.2, longest), how, *settings)
        assert code in (0, 130, -signal.SIGINT, -signal.SIGTERM, -signal.SIGHUP), (
            attempt,
            how,
            told,
        )  # before there is a handler
        if code == 0:
            break
    code, told = (0, "") if code == 0 else outcome_of(run, tmp_path, 600, signal.SIGINT, *settings)
    assert code == 0, told
    assert sum(audit(Run.open(run).ledger()).values()) > 0


@pytest.mark.slow
@pytest.mark.parametrize("mode", [pytest.param("sync", marks=pytest.mark.nightly), "fully-async"])
def test_environments_in_processes_are_gone_after_any_signal(mode: str, tmp_path: Path) -> None:
    settings = {**SETTINGS, "trainer": {"id": "grpo", "groups": 3, "group_size": 4}, "mode": mode, "updates": 12}
    settings["rollout"] = {**settings["rollout"], "hosts": "processes"}
    interrupted_at_random(tmp_path, num=8, longest=14, settings=arguments(settings))


@pytest.mark.vllm
@pytest.mark.nightly
def test_vllm_is_gone_after_any_signal(tmp_path: Path) -> None:
    settings = {**SETTINGS, "trainer": {"id": "grpo", "groups": 3, "group_size": 4}, "mode": "async", "updates": 6}
    settings["rollout"] = {**settings["rollout"], "hosts": "processes"}
    settings["engine"] = {"id": "vllm", "max_sessions": 32}
    settings["model"] = {**settings["model"], "width": 64}
    interrupted_at_random(tmp_path, num=2, longest=30, settings=arguments(settings))


@pytest.mark.slow
@pytest.mark.parametrize("between", [0.0, 0.3])
def test_a_second_signal_is_no_worse_than_one(between: float, tmp_path: Path) -> None:
    """Whoever presses Ctrl-C twice has a run that can be resumed, and nothing of it is left."""
    run, settings = tmp_path / "run", {**SETTINGS, "updates": 12}
    settings["rollout"] = {**settings["rollout"], "hosts": "processes"}
    typed, mark = [*arguments(settings), "--output", str(run)], uuid.uuid4().hex
    process = subprocess.Popen(
        [sys.executable, "-m", "agentgym.cli", "train", *typed],
        env={**os.environ, MARK: mark, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert eventually(lambda: (run / "metrics.jsonl").exists() and (run / "metrics.jsonl").read_text() != "", 120)
    process.send_signal(signal.SIGINT)
    time.sleep(between)
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT), told
    assert eventually(lambda: processes(mark) == []), processes(mark)
    code, told = outcome_of(run, tmp_path, 600, signal.SIGINT)
    assert code == 0, told
    assert sum(audit(Run.open(run).ledger()).values()) > 0
