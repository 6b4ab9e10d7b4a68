"""Many runs that begin at once on one machine do not come into each other's way: no port, no name is shared."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentgym.ledger import audit
from agentgym.run import Run
from agentgym.types import Action
from tests.faults.kit import SETTINGS, arguments
from tests.kit import ROOT
from tests.unit.hosts.kit import begun, opened

RUNS = 8


@pytest.mark.parametrize("each", [2, pytest.param(13, marks=pytest.mark.slow)])
def test_a_hundred_starts_at_once(each: int) -> None:
    """Eight pools of processes, each with a nursery of its own, and so many environments of each."""

    async def one() -> int:
        async with opened("processes", "Trouble") as hosts:
            found = await asyncio.gather(*(begun(hosts) for _ in range(each)))
            for host, _ in found:
                assert (await host.step(Action("babble 0"))).observation == "done"
                host.kill()
            return len({pid for _, pid in found})

    async def go() -> list[int]:
        return await asyncio.gather(*(one() for _ in range(RUNS)))

    assert asyncio.run(go()) == [each] * RUNS


@pytest.mark.slow
@pytest.mark.nightly
def test_eight_runs_at_once(tmp_path: Path) -> None:
    settings = {**SETTINGS, "rollout": {**SETTINGS["rollout"], "hosts": "processes"}, "updates": 1}
    runs = [tmp_path / str(number) for number in range(RUNS)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "agentgym.cli", "train", *arguments({**settings, "output": str(run)})],
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for run in runs
    ]
    for process in processes:
        told, _ = process.communicate(timeout=600)
        assert process.returncode == 0, told
    contents = {(run / "ledger.jsonl").read_bytes() for run in runs}
    assert len(contents) == 1  # and none has taken anything of another's
    for run in runs:
        assert sum(audit(Run.open(run).ledger()).values()) == 8
