"""A run of several ranks is the run of one: what it learns, what it counts, and how it goes on and ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import agentgym
from agentgym.run import Run
from tests.kit import BELL, metrics, one_thread, report
from tests.ranks import Ranks

__all__ = ["one_thread"]

pytestmark = pytest.mark.slow

SMALL: dict[str, Any] = {
    "env": BELL,
    "warm_start": {"enabled": False},
    "eval": {"episodes": 2, "validation_episodes": 2, "every": 2},
    "updates": 3,
}
GRPO: dict[str, Any] = {"id": "grpo", "groups": 4, "group_size": 4, "learning_rate": 1e-5, "warmup_updates": 0}


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
            close = 1e-3 if name == "moved" else 1e-5  # in a sample of weights, some of which rounding moves or not
            wanted = value if isinstance(value, str) else pytest.approx(value, abs=close, rel=1e-4)
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
