"""Curves of several runs: which are one curve, what it shows, and what is said where there is none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread

from agentgym.errors import UserError
from agentgym.launch.overlay import curves, differing
from tests.typed import Typed, agentgym  # noqa: F401


def a_run(at: Path, looks: Mapping[int, float], *, seed: int = 0, steps: int = 10, **config: Any) -> Path:
    """A run that has looked at validation tasks after some of its updates."""
    at.mkdir()
    (at / "config.json").write_text(json.dumps({"seed": seed, "output": str(at), **config}))
    lines = [{"stage": "validation", "update": update, "success": share} for update, share in looks.items()]
    lines += [{"stage": "train", "update": n, "environment_steps": steps} for n in range(1, max(looks) + 1)]
    (at / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return at


def test_seeds_are_one_curve_with_a_mean_and_a_spread(tmp_path: Path) -> None:
    first = a_run(tmp_path / "1", {0: 0.25, 4: 0.5, 8: 1.0}, seed=1)
    second = a_run(tmp_path / "2", {0: 0.75, 4: 0.5}, seed=2)
    (first / "report.json").write_text(json.dumps({"eval": {"after": {"success": 0.875}}}))
    (found,) = curves([first, second])
    assert (found.name, found.at, found.mean) == ("", [0, 4], [0.5, 0.5])
    assert (found.low, found.high, found.test) == ([0.25, 0.5], [0.75, 0.5], [0.875])


def test_other_settings_are_another_curve_named_by_them(tmp_path: Path) -> None:
    runs = [
        a_run(tmp_path / f"{name}{seed}", {0: 0.5}, seed=seed, trainer={"id": name, "groups": 4})
        for name in ("grpo", "rloo")
        for seed in (1, 2)
    ]
    assert [(curve.name, len(curve.runs)) for curve in curves(runs)] == [
        ('trainer.id "grpo"', 2),
        ('trainer.id "rloo"', 2),
    ]


def test_many_differences_are_counted_and_no_two_settings_share_a_name() -> None:
    many = [{f"k{place}": value for place in range(6)} for value in (0, 1, 1)]
    many[2] = {**many[2], "k5": 2}
    first, second, third = differing(many)
    assert first == "1: k0 0, k1 0, k2 0, k3 0 and 2 more"
    assert (second[:3], third[:3]) == ("2: ", "3: ")


def test_updates_can_be_told_as_environment_steps(tmp_path: Path) -> None:
    fast = a_run(tmp_path / "1", {0: 0.0, 2: 1.0}, seed=1, steps=10)
    slow = a_run(tmp_path / "2", {0: 0.0, 2: 1.0}, seed=2, steps=30)
    (found,) = curves([fast, slow], by="steps")
    assert found.at == [0, 40]


def test_a_metric_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    run = a_run(tmp_path / "1", {0: 0.5})
    with pytest.raises(UserError, match=r'has no "rewards" in the stage "validation"; found success; type'):
        curves([run], metric="rewards")
    with pytest.raises(UserError, match="found nothing of that stage"):
        curves([run], stage="warmstart")


def test_they_are_drawn(agentgym: Typed, tmp_path: Path) -> None:  # noqa: F811
    runs = [a_run(tmp_path / str(seed), {0: 0.25, 4: seed / 4}, seed=seed) for seed in (1, 2)]
    code, out, _ = agentgym("curves", *runs, "--json", "curves.json", "-o", "both.png")
    assert code == 0
    assert "0.250 to 0.500" in out
    assert imread("both.png").shape[2] == 4
    assert json.loads(Path("curves.json").read_text())[0]["mean"] == [0.25, 0.375]
    code, _, errors = agentgym("curves", *runs, "-o", "both.word")
    assert code == 2
    assert "cannot draw both.word" in errors
    code, _, errors = agentgym("curves", tmp_path)
    assert code == 2
    assert "is not a run directory" in errors
