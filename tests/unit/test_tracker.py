"""A run's numbers in trackers of others: what they are asked, and that what they refuse stops nothing."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agentgym.errors import MissingExtraError
from agentgym.launch import resume, train
from agentgym.run import Run
from agentgym.tracker import Tracker, TrackerName
from tests.integration.finished import SETTINGS
from tests.kit import Notes, metrics

SMALL: dict[str, Any] = {**SETTINGS, "updates": 1, "warm_start": {"max_updates": 2, "check_every": 2}}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """What trackio and wandb, which are stood in for, are asked."""
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def module() -> Any:
        def called(name: str) -> Any:
            return lambda *args, **options: calls.append((name, args, options))

        return SimpleNamespace(**{name: called(name) for name in ("init", "log", "define_metric", "finish")})

    for name in ("trackio", "wandb"):
        made = module()
        made.__spec__ = SimpleNamespace()
        monkeypatch.setitem(sys.modules, name, made)
        monkeypatch.delenv(f"{name.upper()}_PROJECT", raising=False)
    return calls


@pytest.mark.parametrize("name", ["trackio", "wandb"])
def test_a_tracker_has_the_numbers_of_metrics(name: TrackerName, asked: list[Any], tmp_path: Path) -> None:
    run = train({**SMALL, "report_to": name, "output": tmp_path / "run"})
    what = [call[0] for call in asked]
    assert (what[0], what[-1]) == ("init", "finish")
    options = asked[0][2]
    assert (options["project"], options["resume"]) == ("agentgym", "allow")
    assert re.fullmatch(r"run-[0-9a-f]{8}", options["name"])
    assert options["config"]["updates"] == 1
    told = [call[1][0] for call in asked if call[0] == "log"]
    for line, values in zip(metrics(run), told, strict=True):
        stage = line["stage"]
        assert values == {f"{stage}/{key}": value for key, value in line.items() if key not in ("stage", "time")}
    axes = [(call[1][0], call[2]["step_metric"]) for call in asked if call[0] == "define_metric"]
    stages = dict.fromkeys(line["stage"] for line in metrics(run))
    assert axes == ([(f"{stage}/*", f"{stage}/update") for stage in stages] if name == "wandb" else [])


@pytest.mark.slow
def test_a_run_that_goes_on_goes_on_there(asked: list[Any], tmp_path: Path) -> None:
    run = train({**SMALL, "report_to": "wandb", "output": tmp_path / "run"})
    first = asked[0][2]["id"]
    asked.clear()
    resume(run)  # it is over: nothing is told twice
    assert [call[0] for call in asked] == ["init", "finish"]
    assert asked[0][2]["id"] == first
    train({**SMALL, "report_to": "wandb", "output": tmp_path / "elsewhere" / "run"})  # another one of that name
    assert asked[2][2]["id"] != first


def test_what_a_tracker_refuses_is_told_once_and_the_run_goes_on(
    asked: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr(sys.modules["trackio"], "log", refuse)
    notes = Notes()
    run = train({**SMALL, "report_to": "trackio", "output": tmp_path / "run"}, reporter=notes)
    assert [line["update"] for line in metrics(run) if line["stage"] == "train"] == [1]
    told = [note for note in notes.notes if "takes nothing more" in note]
    assert told == ["trackio takes nothing more of this run: ConnectionError: no network"]
    assert [call[0] for call in asked] == ["init"]


def test_one_that_is_missing_is_told_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(MissingExtraError, match=r"needs trackio, .* pip install 'agentgym-lab\[trackio\]'"):
        train({**SMALL, "report_to": "trackio", "output": tmp_path / "run"})
    assert not (tmp_path / "run").exists()


def test_the_project_is_what_its_own_variable_says(asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKIO_PROJECT", "shop")
    Tracker("trackio", "run", {}, note=print)
    assert asked[0][2]["project"] == "shop"


def test_a_run_without_one_asks_none(asked: list[Any], tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", {})
    run.log("train", 1, loss=0.5)
    run.close()
    assert asked == []
