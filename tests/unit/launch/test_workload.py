"""A workload out of a run's directory, and what is said where there is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentgym.errors import DataError
from agentgym.launch.workload import fitted, measured
from agentgym.layout import LATENCIES
from agentgym.rollout.latencies import Latencies, Load
from agentgym.run import Run
from agentgym.simulation import Constant, Counted, Speed
from agentgym.types import Turn
from tests.kit import episode

CONFIG: dict[str, Any] = {
    "trainer": {"id": "grpo", "groups": 2, "group_size": 4},
    "rollout": {"concurrency": 16, "hosts": "processes"},
    "mode": "async",
    "max_staleness": 1,
}


def run_of(directory: Path, **changes: Any) -> Path:
    """A run of three updates, each learned from in 0.8 s but the first two."""
    run = Run.create(directory / "run", {**CONFIG, **changes})
    for update, seconds in enumerate([9.0, 9.0, 0.8]):
        run.log("train", update, learn_seconds=seconds)
    turns = [Turn(observation="", reply="") for _ in range(3)]
    run.episodes.append([episode(stage="train", turns=turns[:num]) for num in (2, 3, 3)])
    latencies = Latencies()
    latencies.counts["step"].update({0: 3, 8: 1})
    latencies.counts["reset"].update({-8: 4})
    latencies.counts["tokens"].update({16: 5})
    latencies.loads = {0: Load(10, 100, 2.0, 10.0), 4: Load(10, 100, 5.0, 40.0)}
    run.write_json(LATENCIES, latencies.state())
    run.close()
    return run.directory


def test_what_was_measured_is_the_workload(tmp_path: Path) -> None:
    plan, workload = measured(run_of(tmp_path), overhead=0.001, publish=0.5)
    assert (plan.actors, plan.groups, plan.group_size) == (16, 2, 4)
    assert (plan.max_staleness, plan.in_order) == (1, True)
    assert workload.turns == Counted({2.0: 1, 3.0: 2})
    assert workload.step == Counted({1.0: 3, 2.0: 1})
    assert (workload.reset.mean, workload.reply_tokens.mean) == (0.5, 4.0)
    assert (workload.overhead, workload.publish) == (0.001, 0.5)
    assert workload.learn == pytest.approx(0.1), "the first two updates are slower than the others"
    assert (workload.speed.alone, workload.speed.each) == pytest.approx((0.01, 0.01))


def test_steps_in_the_event_loop_keep_it_busy(tmp_path: Path) -> None:
    directory = run_of(tmp_path, rollout={"concurrency": 16, "hosts": "loop"})
    _, computing = measured(directory, overhead=0.001, publish=0.0)
    assert (computing.step, computing.reset) == (Constant(0.0), Constant(0.0))
    assert computing.overhead == pytest.approx(1.251)
    _, waiting = measured(directory, steps="wait", overhead=0.001, publish=0.0)
    assert waiting.step.mean == 1.25


@pytest.mark.parametrize(
    ("mode", "staleness", "in_order"), [("sync", 0, True), ("async", 1, True), ("fully-async", 1, False)]
)
def test_the_plan_is_the_run_s(mode: str, staleness: int, in_order: bool, tmp_path: Path) -> None:
    plan, _ = measured(run_of(tmp_path, mode=mode), overhead=0.0, publish=0.0)
    assert (plan.max_staleness, plan.in_order) == (staleness, in_order)


def test_one_load_alone_promises_nothing_more() -> None:
    assert fitted([Load(10, 100, 4.0, 80.0)]) == Speed(0.0, 0.005)


def test_a_line_that_falls_is_held_level() -> None:
    assert fitted([Load(1, 10, 1.0, 1.0), Load(1, 10, 0.5, 8.0)]).each == 0.0


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    (run / LATENCIES).unlink()
    with pytest.raises(DataError, match=r"has no latencies.json, .* end it: agentgym train --resume"):
        measured(run, overhead=0.0, publish=0.0)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({}, "latencies.json is not what a run writes: KeyError"),
        ({"counts": [], "loads": {}}, "is not what a run writes"),
        ({**Latencies().state()}, "has no replies of a policy, or no steps"),
    ],
)
def test_what_is_odd_is_told(content: dict[str, Any], told: str, tmp_path: Path) -> None:
    run = run_of(tmp_path)
    (run / LATENCIES).write_text(json.dumps(content))
    with pytest.raises(DataError, match=told):
        measured(run, overhead=0.0, publish=0.0)


def test_a_trainer_without_groups_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='was trained by "sft", which plays no groups'):
        measured(run_of(tmp_path, trainer={"id": "sft"}), overhead=0.0, publish=0.0)
