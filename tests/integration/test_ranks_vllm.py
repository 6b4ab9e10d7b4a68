"""Two ranks of torchrun; the first samples with vLLM, here or on a cluster: from what both have learned."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentgym.run import Run
from tests.faults.kit import arguments
from tests.kit import BELL, ROOT, metrics

pytestmark = [pytest.mark.vllm, pytest.mark.nightly]

TORCHRUN = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "agentgym", "train")


@pytest.mark.parametrize("place", ["beside", "on a cluster"])
def test_what_vllm_samples_from_is_what_the_ranks_have_learned(place: str, tmp_path: Path) -> None:
    if place == "on a cluster":
        pytest.importorskip("ray")
    settings = {
        "env": BELL,
        "trainer": {"id": "ppo", "episodes": 8, "learning_rate": 3e-3},
        "engine": {"id": "vllm", "kv_cache_gib": 0.1},
        "warm_start": {"max_updates": 6, "check_every": 6, "learning_rate": 1e-2, "batch_size": 4},
        "eval": {"episodes": 4, "validation_episodes": 4, "every": 1000},
        **({"cluster": {"id": "ray"}} if place == "on a cluster" else {}),
        "updates": 3,
        "output": str(tmp_path / "run"),
    }
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", *TORCHRUN, *arguments(settings)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = metrics(tmp_path / "run", "train")
    assert len(lines) == 3
    assert any(line["grad_norm"] for line in lines)
    assert all(line["engine_gap"] < 1e-4 for line in lines[1:])
    assert len(Run.open(tmp_path / "run").ledger()) == 24
