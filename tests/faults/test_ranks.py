"""Ranks that end while others go on: what is said, and that the run goes on with another number of them."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

import agentgym
from agentgym.run import Run
from tests.kit import BELL, eventually, metrics, one_thread, report
from tests.ranks import Ranks

__all__ = ["one_thread"]

pytestmark = pytest.mark.slow

LONG: dict[str, Any] = {
    "env": BELL,
    "warm_start": {"enabled": False},
    "eval": {"episodes": 2, "validation_episodes": 2, "every": 1000},
    "trainer": {"id": "ppo", "episodes": 8},
    "idle_updates": None,
    "updates": 10_000,
    "checkpoint_seconds": 0,
}


def under_way(directory: Path, size: int) -> tuple[Ranks, Path]:
    """A run of which some updates are done and saved."""
    run = directory / "run"
    ranks = Ranks(directory, size, **{**LONG, "output": str(run)})
    is_under_way = eventually(lambda: at(run) >= 3 or ranks.have_ended, 120) and not ranks.have_ended
    if not is_under_way:
        ranks.kill()
    assert is_under_way, ranks.told
    return ranks, run


def at(run: Path) -> int:
    """Updates that are logged."""
    return len(metrics(run, "train")) if (run / "metrics.jsonl").exists() else 0


def goes_on(run: Path, directory: Path, size: int) -> None:
    """With ``size`` ranks, some updates further and to its end; every task is in the ledger once."""
    updates = at(run) + 3
    if size == 1:
        agentgym.resume(run, {"updates": updates}, force=True)
    else:
        ranks = Ranks(directory, size, resume=str(run), updates=updates)
        assert ranks.ended() == [0] * size, "\n".join(ranks.told)
    assert [line["update"] for line in metrics(run, "train")] == list(range(1, updates + 1))
    ordinals = [entry.ordinal for entry in Run.open(run).ledger()]
    assert ordinals == list(range(8 * updates))
    assert "problem" not in report(run)["ledger"]


@pytest.mark.parametrize(("before", "after"), [(2, 1), (2, 3)])
def test_where_a_follower_is_killed_the_run_ends_and_goes_on_with_others(
    before: int, after: int, tmp_path: Path
) -> None:
    ranks, run = under_way(tmp_path, before)
    ranks.processes[1].kill()
    codes = ranks.ended()
    assert codes == [1, -signal.SIGKILL]
    assert "RankError: another rank has ended" in ranks.told[0]
    assert f"go on with: --resume {run}" in ranks.told[0]
    goes_on(run, tmp_path / "again", after)


def test_where_the_first_is_killed_the_others_end(tmp_path: Path) -> None:
    ranks, run = under_way(tmp_path, 2)
    ranks.processes[0].kill()
    assert ranks.ended() == [-signal.SIGKILL, 1]
    assert "RankError: another rank has ended" in ranks.told[1]
    goes_on(run, tmp_path / "again", 2)


def test_ctrl_c_leaves_a_checkpoint(tmp_path: Path) -> None:
    """A terminal sends it to all; rank 0 decides, and the others wait for it."""
    ranks, run = under_way(tmp_path, 2)
    for process in ranks.processes:
        process.send_signal(signal.SIGINT)
    codes = ranks.ended()
    assert codes[1] == 1
    assert codes[0] != 0
    assert ranks.told[1] == ""
    done = at(run)
    goes_on(run, tmp_path / "again", 1)
    assert [line["update"] for line in metrics(run, "train")][:done] == list(range(1, done + 1))


def test_what_is_refused_is_told_once(tmp_path: Path) -> None:
    ranks = Ranks(tmp_path, 2, **{**LONG, "output": str(tmp_path / "run"), "engine": {"own_copy": False}})
    assert ranks.ended() == [1, 1]
    assert "ConfigError: engine.own_copy false" in ranks.told[0]
    assert ranks.told[1] == ""
    assert not (tmp_path / "run").exists()
    with pytest.raises(agentgym.errors.ConfigError, match='shard "on" has no effect: there is one rank'):
        agentgym.train({**LONG, "output": str(tmp_path / "run"), "shard": "on"})
