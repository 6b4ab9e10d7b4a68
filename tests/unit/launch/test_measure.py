"""The test tasks, before training and after it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Literal

import pytest

from agentgym.launch import measure
from agentgym.launch.measure import Measure
from agentgym.rollout import EpisodeSpec
from agentgym.types import StopReason, Trajectory
from tests.kit import episode
from tests.unit.launch.kit import log_of, mark, notes_of, stand_of, workbench


def play(spec: EpisodeSpec) -> Trajectory:
    """Greedily both tasks succeed, sampled the first."""
    greedy = spec.group_id.startswith("greedy")
    return episode(1.0, success=greedy or spec.task == 200, shaped=3.0)


@pytest.mark.parametrize("name", ["before", "after"])
def test_test_tasks_are_played_sampled_and_greedily_with_the_weights_of_now(
    name: Literal["before", "after"], tmp_path: Path
) -> None:
    bench = workbench(tmp_path, play, rollout={"max_turns": 5})
    engine: Any = bench.parts.engine
    bench.report["best_update"] = 8
    mark(bench.parts.policy.module, 2.5)
    asyncio.run(Measure(bench, name).run(lambda: None))
    assert engine.published == [(8, 2.5)]
    assert log_of(bench) == ["publish 8", "play test", "play test"]
    sampled, greedy = stand_of(bench).played
    assert [asked.temperature for asked in engine.asked] == [1.0, 1.0, 0.0, 0.0]
    for each, kind in ((sampled, "sampled"), (greedy, "greedy")):
        assert [(spec.task, spec.episode_id) for spec in each.specs] == [(200, f"{kind}-0"), (201, f"{kind}-1")]
        assert (each.limits, each.shaped) == (None, False)
    assert [spec.seed for spec in sampled.specs] == [spec.seed for spec in greedy.specs]
    found = bench.report["eval"]
    assert list(found) == [name]
    assert (found[name]["success"], found[name]["reward"], found[name]["greedy"]["success"]) == (0.5, 1.0, 1.0)
    (line,) = bench.run.metrics()
    assert (line["stage"], line["update"], line["success"], line["reward"]) == ("test", 0, 0.5, 1.0)
    assert notes_of(bench) == [f"test success {name} training: 0.500 [0.0945, 0.9055], greedy 1.000"]
    kept = [(each.stage, each.update, each.group_id) for each in bench.run.episodes.episodes()]
    assert kept == [(name, 8, f"{kind}-{place}") for kind in ("sampled", "greedy") for place in (0, 1)]


def test_every_episode_is_told(tmp_path: Path) -> None:
    bench = workbench(tmp_path, play)
    asyncio.run(Measure(bench, "before").run(lambda: None))
    notes: Any = bench.reporter
    assert notes.begun == [("test, before training", 4, "episodes")]
    assert [done for _, done, _ in notes.advanced] == [1, 2, 3, 4]
    engine: Any = bench.parts.engine
    assert [version for version, _ in engine.published] == [0]


def test_runs_of_any_seed_are_tested_on_the_same_episodes(tmp_path: Path) -> None:
    """So that they can be compared."""
    seeds = []
    for seed in (0, 1):
        bench = workbench(tmp_path / str(seed), play, seed=seed)
        asyncio.run(Measure(bench, "before").run(lambda: None))
        seeds.append([spec.seed for spec in stand_of(bench).played[0].specs])
    assert seeds[0] == seeds[1]


def test_void_episodes_are_told_and_not_counted(tmp_path: Path) -> None:
    def breaks(spec: EpisodeSpec) -> Trajectory:
        return episode(1.0, success=True, stop=StopReason.ENV_ERROR if spec.task == 201 else StopReason.TERMINATED)

    bench = workbench(tmp_path, breaks)
    asyncio.run(Measure(bench, "after").run(lambda: None))
    found = bench.report["eval"]["after"]
    assert (found["success"], found["episodes"], found["void"]) == (1.0, 1, 1)


def test_the_expert_that_was_imitated_plays_the_test_tasks_once_and_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It solves neither of two tasks of which the policy solves one sampled and both greedily."""
    spoke = []

    async def speak(episode: Any) -> None:
        spoke.append(episode.spec.task)

    monkeypatch.setattr(measure, "expert_actor", lambda protocol: speak)

    def beside(spec: EpisodeSpec) -> Trajectory:
        return episode(0.5, success=False) if spec.group_id.startswith("teacher") else play(spec)

    bench = workbench(tmp_path, beside)
    asyncio.run(Measure(bench, "before", has_teacher=True).run(lambda: None))
    notes: Any = bench.reporter
    assert notes.begun == [("test, before training", 6, "episodes")]
    assert [each.specs[0].group_id for each in stand_of(bench).played] == ["teacher-0", "sampled-0", "greedy-0"]
    engine: Any = bench.parts.engine
    assert (spoke, len(engine.asked)) == ([200, 201], 4)
    assert notes_of(bench)[0] == "test success of the expert that was imitated: 0.000 [0.0, 0.6576]"
    asyncio.run(Measure(bench, "after", has_teacher=True).run(lambda: None))
    assert len(stand_of(bench).played) == 5, "an expert learns nothing: it is asked once"
    report = bench.report
    assert (report["teacher"]["success"], report["teacher"]["reward"]) == (0.0, 0.5)
    assert {name: each["success"] for name, each in report["gain_over_teacher"].items()} == {
        "sampled": 0.5,
        "greedy": 1.0,
    }
    assert {name: each["success"] for name, each in report["gain"].items()} == {"sampled": 0.0, "greedy": 0.0}
    assert "solved_by_teacher" not in report


def test_without_an_expert_there_is_nothing_to_overtake(tmp_path: Path) -> None:
    bench = workbench(tmp_path, play)
    for name in ("before", "after"):
        asyncio.run(Measure(bench, name).run(lambda: None))
    assert not {"teacher", "gain_over_teacher"} & bench.report.keys()
