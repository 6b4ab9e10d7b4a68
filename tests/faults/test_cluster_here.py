"""Ray that is started for a run, on its machine: beside the ranks of torchrun, and asked to end with them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agentgym.run import Run
from tests.faults.kit import arguments
from tests.faults.nursery import children_of, command_of
from tests.kit import BELL, ROOT, eventually, metrics

pytestmark = pytest.mark.ray
pytest.importorskip("ray")

SETTINGS: dict[str, Any] = {
    "env": BELL,
    "model": {"id": "nano", "width": 32, "feed_forward": 32},
    "trainer": {"id": "ppo", "episodes": 8},
    "rollout": {"max_reply_tokens": 3, "concurrency": 8},
    "warm_start": {"max_updates": 2, "check_every": 2, "batch_size": 4},
    "eval": {"episodes": 4, "validation_episodes": 4, "every": 1000},
    "idle_updates": 1000,
    "checkpoint_seconds": 0,
}
TORCHRUN = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "agentgym")


def started(*program: str, log: Path, **given: Any) -> subprocess.Popen[bytes]:
    """A training run in a session of its own."""
    with log.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-m", *program, "train", *arguments({**SETTINGS, **given})],
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def ended(process: subprocess.Popen[bytes], seconds: float = 180) -> int:
    """Its exit code, if it ends within ``seconds``; whatever is left of it then is killed."""
    try:
        return process.wait(seconds)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def under_way(run: Path, log: Path) -> subprocess.Popen[bytes]:
    """A run on a cluster of its own, after two updates of very many."""
    process = started("agentgym", log=log, updates=10_000, cluster={"id": "ray"}, output=str(run))

    def has_begun() -> bool:
        return (run / "metrics.jsonl").exists() and len(metrics(run, "train")) >= 2

    if not eventually(lambda: has_begun() or process.poll() is not None, 120) or process.poll() is not None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            ended(process, 0)
        raise AssertionError(log.read_text()[-3000:])
    return process


@pytest.mark.nightly
def test_ranks_of_torchrun_learn_from_what_is_played_on_a_cluster(tmp_path: Path) -> None:
    """What one process learns from what it plays."""
    log = tmp_path / "log"
    given = {"cluster": {"id": "ray"}, "output": str(tmp_path / "run")}
    assert ended(started(*TORCHRUN, log=log, updates=3, **given)) == 0, log.read_text()[-3000:]
    assert ended(started("agentgym", log=log, updates=3, output=str(tmp_path / "alone"))) == 0, log.read_text()[-3000:]
    assert Run.open(tmp_path / "run").ledger() == Run.open(tmp_path / "alone").ledger()
    for one, other in zip(metrics(tmp_path / "run"), metrics(tmp_path / "alone"), strict=True):
        for name in ("loss", "reward", "success"):
            assert one.get(name) == pytest.approx(other.get(name), abs=1e-4)


def test_asked_to_end_with_all_that_it_has_started_it_saves_and_ends(tmp_path: Path) -> None:
    """As torchrun asks a rank: Ray neither ends it before it has saved nor is gone before."""
    run, log = tmp_path / "run", tmp_path / "log"
    process = under_way(run, log)
    os.killpg(process.pid, signal.SIGTERM)
    assert ended(process) == 130, log.read_text()[-3000:]
    assert f"interrupted; go on with: agentgym train --resume {run}" in log.read_text()
    assert "SIGTERM received" not in log.read_text()


def test_without_its_head_it_ends_soon(tmp_path: Path) -> None:
    """Ray itself would wait a minute for one to come back."""
    run, log = tmp_path / "run", tmp_path / "log"
    process = under_way(run, log)
    for head in [pid for pid in children_of(process.pid) if "gcs_server " in command_of(pid)]:
        os.kill(head, signal.SIGKILL)
    assert ended(process, 45) != 0
    assert "Failed to connect to GCS" in log.read_text()
