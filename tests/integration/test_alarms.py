"""A run that really collapses says so, and goes on saying the same after an interruption."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentgym.archive import Archive
from agentgym.launch import resume, train
from tests.kit import BELL, Notes, metrics, report

SETTINGS: dict[str, Any] = {
    "env": BELL,
    "model": {"id": "nano", "width": 32, "feed_forward": 32},
    "trainer": {"id": "grpo", "groups": 4, "group_size": 6, "learning_rate": 1.0, "warmup_updates": 0},
    "rollout": {"max_reply_tokens": 4},
    "warm_start": {"max_updates": 12, "check_every": 4, "learning_rate": 0.02, "warmup_updates": 0, "until": 0.9},
    "eval": {"episodes": 10, "validation_episodes": 30, "every": 4},
    "updates": 8,
}


@pytest.fixture(scope="module")
def collapsed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Notes]:
    reporter = Notes()
    return train({**SETTINGS, "output": tmp_path_factory.mktemp("collapsed") / "run"}, reporter=reporter), reporter


def lines(run: Path, stage: str) -> list[dict[str, Any]]:
    """Without what depends on the clock."""
    return [{key: line[key] for key in line if key != "time"} for line in metrics(run, stage)]


def test_a_collapse_raises_alarms(collapsed: tuple[Path, Notes]) -> None:
    run, reporter = collapsed
    alarms = {alarm["name"]: alarm for alarm in report(run)["alarms"]}
    assert {"policy_is_lost", "reward_collapse"} <= set(alarms)
    assert alarms["policy_is_lost"]["until"] is None
    assert alarms["reward_collapse"]["value"] < alarms["reward_collapse"]["threshold"]
    assert "tasks_too_hard" not in alarms  # groups were informative before
    began = [line for line in lines(run, "alarm") if 1.0 in line.values()]
    assert len(reporter.alarms) == len(report(run)["alarms"]) == len(began)
    assert "policy is lost" in (run / "report.md").read_text()


def test_the_policy_has_left_the_base(collapsed: tuple[Path, Notes]) -> None:
    run, _ = collapsed
    looks = lines(run, "validation")
    assert abs(looks[0]["forward_kl"]) < 1e-5  # nothing was changed yet: engine and learner agree
    assert looks[-1]["forward_kl"] > 1
    assert looks[-1]["forward_kl"] - 2 * looks[-1]["forward_kl_error"] > 0
    with Archive.open(run) as archive:
        assert archive.count(stage="train", split="validation", update=0) == SETTINGS["eval"]["validation_episodes"]


@pytest.mark.slow
def test_a_resumed_run_says_the_same(collapsed: tuple[Path, Notes], tmp_path: Path) -> None:
    whole, reporter = collapsed
    parts = Notes("training", 6), Notes()
    with pytest.raises(KeyboardInterrupt):
        train({**SETTINGS, "output": tmp_path / "run"}, reporter=parts[0])
    run = resume(tmp_path / "run", reporter=parts[1])
    assert report(run)["alarms"] == report(whole)["alarms"]
    assert report(run)["diagnostics"] == report(whole)["diagnostics"]
    assert lines(run, "alarm") == lines(whole, "alarm")
    assert lines(run, "validation") == lines(whole, "validation")
    assert parts[0].alarms + parts[1].alarms == reporter.alarms
