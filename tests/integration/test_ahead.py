"""Playing ahead of learning: what is promised of staleness and the ledger, interruptions included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentgym.actors.embedded.engine import EmbeddedEngine
from agentgym.engine import NamedWeights
from agentgym.errors import ConfigError
from agentgym.launch import resume, train
from agentgym.launch.resolving import resolve
from agentgym.ledger import audit
from agentgym.run import Run
from tests.faults.kit import either
from tests.integration.finished import SETTINGS
from tests.integration.test_resume import EACH
from tests.kit import Notes, metrics

MODES = ("async", "fully-async")


def settings(mode: str, **more: Any) -> dict[str, Any]:
    return {**SETTINGS, "mode": mode, "updates": 5, **more}


@pytest.mark.parametrize(
    ("mode", "max_staleness"),
    [
        ("async", 1),
        *(
            pytest.param(*each, marks=pytest.mark.slow)
            for each in (("async", 2), ("fully-async", 1), ("fully-async", 2))
        ),
    ],
)
def test_no_sample_is_older_than_allowed_and_every_task_is_accounted_for(
    mode: str, max_staleness: int, tmp_path: Path
) -> None:
    run = train(settings(mode, max_staleness=max_staleness, output=tmp_path / "run"))
    seen = metrics(run, "train")
    assert [line["update"] for line in seen] == [1, 2, 3, 4, 5]
    assert 0 < max(line["staleness_max"] for line in seen) <= max_staleness
    assert sum(audit(Run.open(run).ledger(), until=15).values()) == 15
    learned = [line for line in seen if "loss" in line]
    assert learned
    assert all("mismatch_weight" in line for line in learned)  # the correction is on
    gaps = [line["engine_gap"] for line in seen if "engine_gap" in line]
    assert gaps
    assert max(gaps) < 1e-5  # the engine's copy follows the learner
    config = json.loads((run / "config.json").read_text())
    assert config["trainer"]["correction"] == "truncate"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "at"),
    [("async", 1), ("async", 3), ("fully-async", 1), ("fully-async", 3)],
)
def test_interrupted_and_resumed_no_task_is_skipped_or_done_twice(mode: str, at: int, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(settings(mode, max_staleness=2, output=run), reporter=Notes("training", at))
    assert len(metrics(run, "train")) == at
    before = Run.open(run).ledger()
    resume(run)
    assert [line["update"] for line in metrics(run, "train")] == [1, 2, 3, 4, 5]
    after = Run.open(run).ledger()
    assert after[: len(before)] == before
    assert sum(audit(after, until=15).values()) == 15
    assert max(line["staleness_max"] for line in metrics(run, "train")) <= 2
    report = json.loads((run / "report.json").read_text())
    assert sum(report["ledger"].values()) == 15


@pytest.mark.slow
@pytest.mark.parametrize(("trainer", "mode"), either(["rloo", "ppo", "dpo"]))
def test_whatever_plays_ahead_goes_on(trainer: str, mode: str, tmp_path: Path) -> None:
    """What it keeps, a critic or past pairs, and what was begun ahead, under the old weights, comes back too."""
    chosen = {"id": trainer, **({"episodes": 3} if trainer == "ppo" else EACH[trainer])}
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(settings(mode, trainer=chosen, curriculum="frontier", output=run), reporter=Notes("training", 2))
    resume(run)
    assert [line["update"] for line in metrics(run, "train")] == [1, 2, 3, 4, 5]
    assert sum(audit(Run.open(run).ledger(), until=15).values()) == 15
    assert 0 < max(line["staleness_max"] for line in metrics(run, "train")) <= (1 if mode == "async" else 2)
    assert max(line.get("engine_gap", 0) for line in metrics(run, "train")) < 1e-5


@pytest.mark.slow
def test_dpo_plays_ahead_too(tmp_path: Path) -> None:
    trainer = {"id": "dpo", "groups": 3, "group_size": 6}
    run = train(settings("async", trainer=trainer, output=tmp_path / "run"))
    assert [line["update"] for line in metrics(run, "train")] == [1, 2, 3, 4, 5]
    assert max(line["staleness_max"] for line in metrics(run, "train")) == 1


def test_a_run_that_stops_early_says_what_it_left(tmp_path: Path) -> None:
    run = train(settings("fully-async", max_staleness=2, max_environment_steps=1, output=tmp_path / "run"))
    assert len(metrics(run, "train")) == 1
    report = json.loads((run / "report.json").read_text())
    assert "problem" not in report["ledger"]
    assert sum(report["ledger"].values()) == 3


class Stale(EmbeddedEngine):
    """From the beginning of training on it says that it takes up new weights, and does not."""

    is_stuck = False

    async def update_weights(self, version: int, weights: NamedWeights) -> None:
        if not self.is_stuck:
            self.is_stuck = version < self.policy_version  # the stage after the warm start counts from 0 again
            await super().update_weights(version, weights)
        self.policy_version = version


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_stale_engine_trips_the_alarm(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stale(choice: Any, module: Any, *, sessions: int, ahead: bool = False) -> Any:
        return Stale(module, max_sessions=sessions, own_copy=True)

    for owner in ("models", "learning"):
        monkeypatch.setattr(f"agentgym.launch.{owner}.make_engine", stale)
    run = train(settings(mode, output=tmp_path / "run"))
    report = json.loads((run / "report.json").read_text())
    alarms = {alarm["name"]: alarm for alarm in report["alarms"]}
    assert alarms["engine_is_stale"]["value"] > 1e-3
    first = next(line for line in metrics(run, "train") if line.get("engine_gap", 0) > 1e-3)
    assert alarms["engine_is_stale"]["update"] == first["update"]  # at the first update that saw it


def test_what_does_not_go_with_playing_ahead_is_refused() -> None:
    with pytest.raises(ConfigError, match="max_staleness has no effect with mode sync"):
        resolve({"env": "webshop", "max_staleness": 2})
    for trainer in ("sft", "cory", "mixed"):
        with pytest.raises(ConfigError, match=f"the trainer {trainer} plays what depends"):
            resolve({"env": "webshop", "mode": "async", "trainer": trainer})
    with pytest.raises(ConfigError, match="which the loss must correct for"):
        resolve({"env": "webshop", "mode": "async", "trainer": {"id": "ppo", "correction": "none"}})
    with pytest.raises(ConfigError, match="max_staleness"):
        resolve({"env": "webshop", "mode": "async", "max_staleness": 0})


@pytest.mark.parametrize(("mode", "expected"), [("sync", None), ("async", 1), ("fully-async", 2)])
def test_defaults_of_the_modes(mode: str, expected: int | None) -> None:
    resolved = resolve({"env": "webshop", "mode": mode})
    assert resolved.max_staleness == expected
    assert resolved.trainer.options.get("correction") == (None if mode == "sync" else "truncate")
    masked = resolve({"env": "webshop", "mode": "async", "trainer": {"id": "rloo", "correction": "mask"}})
    assert masked.trainer.options["correction"] == "mask"


@pytest.mark.parametrize("key", ["top_p", "top_k", "min_p"])
def test_sampling_from_a_part_of_the_vocabulary_is_refused_in_training(key: str, tmp_path: Path) -> None:
    value = {"top_p": 0.9, "top_k": 5, "min_p": 0.1}[key]
    with pytest.raises(ConfigError, match=f"rollout.{key} {value} cannot be trained with"):
        train({**SETTINGS, "rollout": {key: value}, "output": tmp_path / "run"})
    assert not (tmp_path / "run").exists()
