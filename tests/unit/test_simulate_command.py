"""``agentgym simulate``: what it prints and writes, and what it says of what cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.typed import Typed, agentgym
from tests.unit.launch.test_workload import run_of

__all__ = ["agentgym"]


def test_all_combinations_are_shown_and_written(tmp_path: Path, agentgym: Typed) -> None:
    code, printed, _ = agentgym(
        "simulate",
        run_of(tmp_path),
        "--actors",
        "16,32",
        "--max_staleness",
        "0,1",
        "--engines",
        "1,2",
        "--json",
        "all.json",
    )
    rows = json.loads(Path("all.json").read_text())
    assert code == 0
    assert len(rows) == 8
    assert printed.count("take") == 2, "one for each number of actors"
    assert {(row["plan"]["actors"], row["plan"]["groups"]) for row in rows} == {(16, 2), (32, 4)}
    assert all(row["outcome"]["episodes_per_second"] > 0 for row in rows)


def test_without_actors_it_is_the_run_s_own(tmp_path: Path, agentgym: Typed) -> None:
    code, _, _ = agentgym("simulate", run_of(tmp_path), "--max_staleness", "1", "--json", "one.json")
    (row,) = json.loads(Path("one.json").read_text())
    assert (code, row["plan"]["actors"], row["plan"]["in_order"]) == (0, 16, True)


def test_a_mode_may_be_another(tmp_path: Path, agentgym: Typed) -> None:
    run = run_of(tmp_path, mode="sync")
    agentgym("simulate", run, "--mode", "fully-async", "--max_staleness", "0,1", "--json", "two.json")
    rows = json.loads(Path("two.json").read_text())
    assert [(row["plan"]["in_order"], row["closed_form"] is None) for row in rows] == [(True, False), (False, True)]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--actors", "many"], '"many", expected numbers from 1 with commas between them: 1,2,4'),
        (["--engines", "0"], '"0", expected numbers from 1'),
        (["--updates", "3"], "3 updates are too few to see how a max_staleness of 0 settles; type: --updates 5"),
        (["--overhead", "nan"], "nan is no finite number"),
    ],
)
def test_what_cannot_be_is_told(flags: list[str], said: str, tmp_path: Path, agentgym: Typed) -> None:
    code, _, errors = agentgym("simulate", run_of(tmp_path), *flags)
    assert code == 2
    assert said in " ".join(errors.split())


def test_a_directory_that_is_no_run_is_told(tmp_path: Path, agentgym: Typed) -> None:
    code, _, errors = agentgym("simulate", tmp_path)
    assert code == 2
    assert "is not a run directory" in errors
