"""A run of several ranks is the run of one: what it learns, what it counts, and how it goes on and ends."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import agentgym
from agentgym.run import Run
from tests.kit import BELL, metrics, one_thread, report

__all__ = ["one_thread"]

pytestmark = pytest.mark.slow

SMALL: dict[str, Any] = {
    "env": BELL,
    "warm_start": {"enabled": False},
    "eval": {"episodes": 2, "validation_episodes": 2, "every": 2},
    "updates": 3,
}
GRPO: dict[str, Any] = {"id": "grpo", "groups": 4, "group_size": 4, "learning_rate": 1e-5, "warmup_updates": 0}


WORK = """
import json, sys, torch, agentgym
torch.set_num_threads(1)
given = json.loads(sys.argv[1])
resumed = given.pop("resume", None)
try:
    print(agentgym.resume(resumed, given) if resumed else agentgym.train(given))
except agentgym.errors.AgentGymError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


class Ranks:
    """Processes as torchrun would start them, which make or go on with a run."""

    def __init__(self, directory: Path, size: int, **given: Any) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(size)}
        text = json.dumps(given)
        self.files = [directory / f"rank{rank}.txt" for rank in range(size)]
        self.processes = []
        for rank, file in enumerate(self.files):
            with file.open("w") as written:
                environment = {**os.environ, **where, "RANK": str(rank), "LOCAL_RANK": str(rank)}
                command = [sys.executable, "-c", WORK, text]
                self.processes.append(subprocess.Popen(command, env=environment, stdout=written, stderr=written))

    def ended(self) -> list[int]:
        """Exit codes."""
        try:
            return [process.wait(120) for process in self.processes]
        finally:
            for process in self.processes:
                process.kill()

    @property
    def told(self) -> list[str]:
        """What each has said."""
        return [file.read_text() for file in self.files]


def trained(directory: Path, size: int, **given: Any) -> Path:
    """The run of ``size`` ranks, which are told of it."""
    if size == 1:
        return agentgym.train({**SMALL, **given, "output": str(directory / "run")})
    found = Ranks(directory, size, **{**SMALL, **given, "output": str(directory / "run")})
    assert found.ended() == [0] * size, "\n".join(found.told)
    assert [Path(told.split()[-1]).resolve() for told in found.told] == [(directory / "run").resolve()] * size
    return directory / "run"


def numbers(run: Path) -> list[dict[str, Any]]:
    """Its metrics but for times."""
    return [
        {name: value for name, value in line.items() if "second" not in name and name != "time"}
        for line in metrics(run)
    ]


def agree(one: Path, other: Path) -> None:
    """In all numbers but times, and in what became of every task."""
    assert len(numbers(one)) == len(numbers(other))
    for found, expected in zip(numbers(one), numbers(other), strict=True):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            exactly = isinstance(value, str)
            wanted = value if exactly else pytest.approx(value, abs=1e-5, rel=1e-4)
            assert found[name] == wanted, (expected["stage"], expected["update"], name)
    ledgers = [[entry.model_dump() for entry in Run.open(run).ledger()] for run in (one, other)]
    assert ledgers[0] == ledgers[1]
    assert "problem" not in report(one)["ledger"]


TRAINERS: dict[str, dict[str, Any]] = {
    "grpo": {**GRPO, "kl_coefficient": 0.1, "epochs": 2, "minibatches": 2},
    "ppo": {"id": "ppo", "episodes": 12, "learning_rate": 1e-5, "warmup_updates": 0, "scale_rewards": True},
    "dpo": {"id": "dpo", "groups": 4, "group_size": 4, "learning_rate": 1e-5, "reference": "model"},
    "sft": {"id": "sft", "batch_size": 6, "learning_rate": 1e-5, "loss": "iw"},
    "mixed": {"id": "mixed", "groups": 4, "group_size": 4, "learning_rate": 1e-5, "minibatches": 2},
    "cory": {"id": "cory", "groups": 3, "group_size": 4, "learning_rate": 1e-5},
    "reward-model": {"id": "reward-model", "groups": 3, "group_size": 4, "learning_rate": 1e-5},
}


@pytest.mark.parametrize("trainer", TRAINERS)
def test_a_run_of_two_ranks_is_that_of_one(trainer: str, tmp_path: Path) -> None:
    one = trained(tmp_path / "one", 1, trainer=TRAINERS[trainer])
    two = trained(tmp_path / "two", 2, trainer=TRAINERS[trainer])
    agree(two, one)
