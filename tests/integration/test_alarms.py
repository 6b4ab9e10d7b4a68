"""A run that really collapses says so, and goes on saying the same after an interruption."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agentgym.archive import Archive
from agentgym.launch import resume, train

BELL = Path(__file__).parents[2] / "examples" / "new_environment.py"
SETTINGS: dict[str, Any] = {
    "env": str(BELL),
    "model": {"id": "nano", "width": 32, "feed_forward": 32},
    "trainer": {"id": "grpo", "groups": 4, "group_size": 6, "learning_rate": 1.0, "warmup_updates": 0},
    "rollout": {"max_reply_tokens": 4},
    "warm_start": {"max_updates": 12, "check_every": 4, "learning_rate": 0.02, "warmup_updates": 0, "until": 0.9},
    "eval": {"episodes": 10, "validation_episodes": 30, "every": 4},
    "updates": 8,
}


class Reporter:
    """Takes notes, and presses Ctrl-C after update ``at`` of the trainer."""

    def __init__(self, at: int = -1) -> None:
        self.at, self.stage = at, ""
        self.notes: list[str] = []

    def begin(self, stage: str, total: int, unit: str) -> None:
        self.stage = stage

    def advance(self, done: int, values: Mapping[str, float]) -> None:
        if self.stage == "training" and done == self.at:
            raise KeyboardInterrupt

    def note(self, text: str) -> None:
        self.notes.append(text)

    @property
    def alarms(self) -> list[str]:
        return [note for note in self.notes if note.startswith("alarm: ")]


@pytest.fixture(scope="module")
def collapsed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Reporter]:
    reporter = Reporter()
    return train({**SETTINGS, "output": tmp_path_factory.mktemp("collapsed") / "run"}, reporter=reporter), reporter


def report(run: Path) -> Any:
    return json.loads((run / "report.json").read_text())


def lines(run: Path, stage: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: line[key] for key in line if key != "time"} for line in found if line["stage"] == stage]


def test_a_collapse_raises_alarms(collapsed: tuple[Path, Reporter]) -> None:
    run, reporter = collapsed
    alarms = {alarm["name"]: alarm for alarm in report(run)["alarms"]}
    assert {"policy_is_lost", "reward_collapse"} <= set(alarms)
    assert alarms["policy_is_lost"]["until"] is None
    assert alarms["reward_collapse"]["value"] < alarms["reward_collapse"]["threshold"]
    assert "tasks_too_hard" not in alarms  # groups were informative before
    began = [line for line in lines(run, "alarm") if 1.0 in line.values()]
    assert len(reporter.alarms) == len(report(run)["alarms"]) == len(began)
    assert "policy is lost" in (run / "report.md").read_text()


def test_the_policy_has_left_the_base(collapsed: tuple[Path, Reporter]) -> None:
    run, _ = collapsed
    looks = lines(run, "validation")
    assert abs(looks[0]["forward_kl"]) < 1e-5  # nothing was changed yet: engine and learner agree
    assert looks[-1]["forward_kl"] > 1
    assert looks[-1]["forward_kl"] - 2 * looks[-1]["forward_kl_error"] > 0
    with Archive.open(run) as archive:
        assert archive.count(stage="train", split="validation", update=0) == SETTINGS["eval"]["validation_episodes"]


def test_a_resumed_run_says_the_same(collapsed: tuple[Path, Reporter], tmp_path: Path) -> None:
    whole, reporter = collapsed
    parts = Reporter(at=6), Reporter()
    with pytest.raises(KeyboardInterrupt):
        train({**SETTINGS, "output": tmp_path / "run"}, reporter=parts[0])
    run = resume(tmp_path / "run", reporter=parts[1])
    assert report(run)["alarms"] == report(whole)["alarms"]
    assert report(run)["diagnostics"] == report(whole)["diagnostics"]
    assert lines(run, "alarm") == lines(whole, "alarm")
    assert lines(run, "validation") == lines(whole, "validation")
    assert parts[0].alarms + parts[1].alarms == reporter.alarms
