from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from agentgym.errors import UserError
from agentgym.run import Run


def test_a_directory_holds_one_run(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "deep" / "run", {"seed": 3})
    assert Run.open(run.directory).config == {"seed": 3}
    with pytest.raises(UserError, match=f"agentgym train --resume {run.directory}"):
        Run.create(run.directory, {"seed": 4})
    assert run.config == {"seed": 3}


def test_what_is_no_run_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is not a run directory: it has no config\.json"):
        Run.open(tmp_path)


def test_a_path_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write the run directory .*: Not a directory; choose another --output"):
        Run.create(tmp_path / "file" / "run", {})


def test_a_file_is_the_old_one_or_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.create(tmp_path, {})
    run.write_json("report.json", {"wall_seconds": 1})

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        run.write_json("report.json", {"wall_seconds": 2})
    assert json.loads((tmp_path / "report.json").read_text()) == {"wall_seconds": 1}


def test_metrics_are_kept_in_order_and_forgotten_from_a_line_on(tmp_path: Path) -> None:
    run = Run.create(tmp_path, {})
    assert run.metrics() == []
    run.forget_after({})
    for update in range(5):
        run.log("train", update, loss=update / 2)
    run.close()
    with (tmp_path / "metrics.jsonl").open("a") as stream:
        stream.write('{"stage": "tr')  # what a crash leaves
    run.forget_after({"metrics.jsonl": 3})
    assert [(line["stage"], line["update"], line["loss"]) for line in run.metrics()] == [
        ("train", 0, 0.0),
        ("train", 1, 0.5),
        ("train", 2, 1.0),
    ]
    run.log("train", 3, loss=9.0)
    run.close()
    assert [line["update"] for line in run.metrics()] == [0, 1, 2, 3]
    assert list((tmp_path / "tensorboard").iterdir()) != []
