from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentgym.alarms import AlarmSettings
from agentgym.launch.monitor import Monitor, bounds
from agentgym.launch.resolving import resolve
from agentgym.launch.score import score
from agentgym.launch.settings import TrainSettings
from agentgym.learn.drift import base_rows, forward_kl
from agentgym.learn.learner import Learner
from agentgym.reports import draw_curves, summary_page
from agentgym.run import Run
from agentgym.types import Sample, StopReason, Trajectory, Turn
from tests.kit import Notes, tiny_model

MEAN_LOGPROB = -math.log(37)
"""What each of the episodes' tokens had."""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    run = Run.create(tmp_path / "run", {})
    yield run
    run.close()


@pytest.fixture(scope="module")
def learner() -> Learner:
    return Learner(tiny_model(1), learning_rate=1e-3, max_microbatch_tokens=64, temperature=0.5)


def settings(**given: Any) -> TrainSettings:
    return resolve({"env": "webshop", **given})


def episode(index: int = 0, *, reward: float = 0.0, stop: StopReason = StopReason.TERMINATED) -> Trajectory:
    sample = Sample(
        token_ids=[1, 2, 3 + index % 7, 4, 5],
        loss_mask=[False, False, True, False, True],
        logprobs=[0.0, 0.0, MEAN_LOGPROB, 0.0, MEAN_LOGPROB],
        turn_index=[0, 0, 0, 1, 1],
        policy_versions=[-1, -1, 0, -1, 0],
    )
    return Trajectory(
        env="toy",
        task=index,
        seed=index,
        episode_id=str(index),
        turns=[Turn(observation="", reply="", reward=reward, breakdown={"environment": reward})],
        samples=[sample],
        stop_reason=stop,
        success=reward >= 1,
    )


def clipped(monitor: Monitor, *fractions: float, first: int = 1) -> None:
    for update, fraction in enumerate(fractions, start=first):
        monitor.updated("train", update, {"clip_fraction": fraction, "void": 0.0}, [episode()])


def alarm_lines(run: Run) -> list[dict[str, Any]]:
    lines = [line for line in run.metrics() if line["stage"] == "alarm"]
    return [{key: value for key, value in line.items() if key not in ("stage", "time")} for line in lines]


# a window of five: the mean is 0.4 after update 5 and 0.2 after update 6
HIGH, LOW = [0.9, 0.2, 0.2, 0.2, 0.5], [0.0, 0.1]


def test_an_alarm_is_noted_logged_and_reported(run: Run) -> None:
    notes = Notes()
    monitor = Monitor(run, settings(), notes)
    clipped(monitor, *HIGH)
    assert alarm_lines(run) == [{"update": 5, "clipped_too_often": 1.0}]
    (note,) = notes.notes
    assert note.startswith("alarm: update 5: clipped too often: clip_fraction 0.4, bound 0.3; lower --trainer.learning")
    clipped(monitor, *LOW, first=6)
    assert alarm_lines(run)[1:] == [{"update": 6, "clipped_too_often": 0.0}]
    assert len(notes.notes) == 1
    report: dict[str, Any] = {}
    monitor.conclude(report, run.metrics())
    assert notes.notes[1:] == [f"alarms: clipped too often; what to do is in {run.directory / 'report.md'}"]
    (alarm,) = report["alarms"]
    assert alarm.pop("advice") in note
    assert alarm == {
        "name": "clipped_too_often",
        "metric": "clip_fraction",
        "update": 5,
        "value": pytest.approx(0.4),
        "threshold": 0.3,
        "until": 6,
    }
    assert report["diagnostics"]["train"]["clip_fraction"] == {"first": 0.9, "last": 0.1, "min": 0.0, "max": 0.9}
    json.dumps(report, allow_nan=False)


def test_without_alarms_nothing_is_said_of_them(run: Run) -> None:
    notes = Notes()
    monitor = Monitor(run, settings(), notes)
    clipped(monitor, *LOW)
    report: dict[str, Any] = {}
    monitor.conclude(report, run.metrics())
    assert report["alarms"] == []
    assert notes.notes == []


def test_updates_are_logged_with_what_was_said(run: Run) -> None:
    monitor = Monitor(run, settings(), Notes())
    monitor.updated("train", 1, {"loss": 0.5}, [episode(), episode(stop=StopReason.ENV_ERROR)])
    (line,) = run.metrics()
    assert {key: line[key] for key in ("stage", "update", "loss", "episodes")} == {
        "stage": "train",
        "update": 1,
        "loss": 0.5,
        "episodes": 1.0,
    }
    assert line["sampled_entropy"] == pytest.approx(math.log(37))


@pytest.mark.parametrize("cut", range(8))
def test_a_resumed_run_raises_the_same_alarms(cut: int, run: Run, tmp_path: Path) -> None:
    """Whatever the update after which it was cut, and however much of what it did after that is forgotten."""
    whole = Monitor(run, settings(), Notes())
    clipped(whole, *HIGH, *LOW)
    other, notes = Run.create(tmp_path / "other", {}), [Notes(), Notes()]
    first = Monitor(other, settings(), notes[0])
    clipped(first, *(HIGH + LOW)[:cut])
    position = other.position()
    clipped(first, 0.9, 0.9, 0.9, first=cut + 1)  # done after the checkpoint, lost
    other.forget_after(position)
    notes[0].notes = notes[0].notes[: int(cut >= 5)]
    second = Monitor(other, settings(), notes[1])
    second.replay(other.metrics())
    clipped(second, *(HIGH + LOW)[cut:], first=cut + 1)
    other.close()
    assert second.watch.alarms == whole.watch.alarms
    assert alarm_lines(other) == alarm_lines(run)
    assert len(notes[0].notes) + len(notes[1].notes) == 1  # told once, not again by the resumed run


def test_the_drift_is_measured_on_what_the_base_policy_said(run: Run, learner: Learner) -> None:
    monitor = Monitor(run, settings(), Notes())
    episodes = [episode(i, reward=float(i % 2)) for i in range(70)]
    void = episode(99, stop=StopReason.ENV_ERROR)
    monitor.validated(0, score(episodes), [void, *episodes], learner)
    monitor.validated(10, score(episodes), [episode(5) for _ in range(3)], learner)
    expected = forward_kl(learner.module, base_rows(episodes[:64]))
    first, second = run.metrics()
    assert first["forward_kl"] == pytest.approx(expected.kl, abs=1e-6)
    assert first["forward_kl_error"] == pytest.approx(expected.error, abs=1e-6)
    assert second["forward_kl"] == first["forward_kl"]  # on the same episodes, not on the later ones
    # 35 of 70 have reward 1: s^2 = 70 / 69 / 4
    assert first["reward_error"] == pytest.approx(math.sqrt(70 / 69 / 4 / 70))
    assert second["reward_error"] == 0
    # Wilson: 0.5 ± 1.96 sqrt(70 / 4 + 1.96^2 / 4) / (70 + 1.96^2) = 0.5 ± 0.1140
    assert (first["success"], first["success_low"], first["success_high"]) == (0.5, 0.386, 0.614)


def test_a_resumed_run_measures_on_the_episodes_that_were_kept(run: Run, learner: Learner) -> None:
    episodes = [episode(i) for i in range(9)]
    look = {"stage": "train", "split": "validation", "update": 0}
    run.episodes.append(each.model_copy(update=look) for each in episodes)
    run.episodes.append(episode(50 + i).model_copy(update={**look, "update": 10}) for i in range(9))
    Monitor(run, settings(), Notes()).validated(0, score(episodes), episodes, learner)
    Monitor(run, settings(), Notes()).validated(10, score(episodes), episodes, learner)
    before, after = run.metrics()
    assert before["forward_kl"] == after["forward_kl"]


def test_without_episodes_of_the_base_policy_there_is_no_drift(run: Run, learner: Learner) -> None:
    Monitor(run, settings(), Notes()).validated(10, score([episode()]), [episode()], learner)
    (line,) = run.metrics()
    assert "forward_kl" not in line
    assert "reward_error" not in line
    json.loads((run.directory / "metrics.jsonl").read_text(), parse_constant=pytest.fail)


def test_one_episode_gives_a_drift_without_an_error(run: Run, learner: Learner) -> None:
    Monitor(run, settings(), Notes()).validated(0, score([episode()]), [episode()], learner)
    (line,) = run.metrics()
    assert "forward_kl" in line
    assert "forward_kl_error" not in line


@pytest.mark.parametrize(
    ("given", "mismatch", "forward"),
    [
        ({}, 1e-3, None),
        ({"model": "Qwen/Qwen3-0.6B"}, 1e-3, 0.5),
        ({"model": {"id": "Qwen/Qwen3-0.6B", "dtype": "bfloat16"}}, 5e-2, 0.5),
        ({"trainer": {"id": "grpo", "precision": "bfloat16"}}, 5e-2, None),
        ({"engine": {"id": "embedded", "dtype": "bfloat16"}}, 0.5, None),
        ({"alarms": {"mismatch": 0.25, "forward_kl": 0.75}}, 0.25, 0.75),
        ({"engine": {"id": "embedded", "dtype": "float32"}}, 1e-3, None),
        ({"model": {"id": "a/b", "dtype": "bfloat16"}, "engine": {"id": "embedded", "dtype": "float32"}}, 0.5, 0.5),
    ],
)
def test_bounds_that_depend_on_the_run(given: dict[str, Any], mismatch: float, forward: float | None) -> None:
    chosen = bounds(settings(**given))
    assert (chosen.mismatch, chosen.forward_kl) == (mismatch, forward)
    assert chosen.clip_fraction == AlarmSettings().clip_fraction


# -- report.md and the curves ----------------------------------------------------------------------------


def measured(success: float, low: float, high: float) -> dict[str, Any]:
    return {"success": success, "ci95": [low, high], "reward": success / 2, "episodes": 50}


def report_of(after: dict[str, Any], **more: Any) -> dict[str, Any]:
    before = measured(0.1, 0.05, 0.2)
    return {
        "eval": {"before": {**before, "greedy": before}, "after": {**after, "greedy": after}},
        "stages": {"train": {"updates": 20, "seconds": 3.5}},
        "num_parameters": 1234,
        "best_update": 10,
        "alarms": [],
        **more,
    }


LOOKS = [
    {"stage": "validation", "update": 0, "success": 0.1, "reward": 0.1, "forward_kl": 0.0, "forward_kl_error": 0.0},
    {"stage": "validation", "update": 10, "success": 0.5, "reward": 0.4, "forward_kl": 0.25, "forward_kl_error": 0.01},
    {"stage": "validation", "update": 20, "success": 0.4, "reward": 0.4, "forward_kl": 9.5, "forward_kl_error": 0.02},
]
ALARM = {
    "name": "entropy_collapse",
    "metric": "sampled_entropy",
    "update": 7,
    "value": 0.01234,
    "threshold": 0.05,
    "advice": "stop",
    "until": None,
}


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        ((0.4, 0.21, 0.55), "it rose by 0.400 (0.210 to 0.550); greedy"),
        ((0.05, -0.01, 0.11), "it changed by +0.050 (-0.010 to +0.110), which may be chance; greedy"),
        ((0.0, 0.0, 0.04), "it changed by +0.000 (+0.000 to +0.040), which may be chance; greedy"),
        ((-0.1, -0.2, -0.04), "it fell by 0.100 (0.040 to 0.200); greedy"),
    ],
)
def test_the_page_says_whether_it_is_better_task_by_task(after: tuple[float, float, float], verdict: str) -> None:
    change, *ci95 = after
    fell = {"success": -0.5, "ci95": [-0.625, -0.25], "tasks": 50}
    gains = {"sampled": {"success": change, "ci95": ci95, "tasks": 50}, "greedy": fell}
    report = report_of(measured(0.5, 0.3, 0.7), gain=gains)
    page = summary_page(settings().model_dump(), report, LOOKS, Path("runs/mine"))
    assert f"same 50 tasks with the same seeds, compared task by task: sampled, {verdict}, it fell by 0.500" in page
    assert "| sampled | 0.100 (0.050 to 0.200) | 0.500 (0.300 to 0.700) |" in page


def test_a_page_without_a_gain_says_nothing_of_one() -> None:
    page = summary_page(settings().model_dump(), report_of(measured(0.5, 0.3, 0.7)), LOOKS, Path("runs/mine"))
    assert "same" not in page


def test_the_page_names_what_is_kept_and_how_far_it_went() -> None:
    page = summary_page(settings().model_dump(), report_of(measured(0.5, 0.3, 0.7)), LOOKS, Path("runs/mine"))
    assert "Kept: the policy after update 10" in page
    assert "kept 0.250 ± 0.010, last 9.500 ± 0.020." in page
    assert "None went off." in page
    assert "agentgym play webshop --model runs/mine" in page


def test_the_page_says_that_nothing_was_gained_and_why() -> None:
    report = report_of(measured(0.1, 0.05, 0.2), best_update=0, alarms=[ALARM, {**ALARM, "until": 9}])
    page = summary_page(settings().model_dump(), report, [], Path("runs/mine"))
    assert "training changed nothing that is kept" in page
    assert "- entropy collapse, update 7 to the end: sampled_entropy 0.01234, bound 0.05. Stop." in page
    assert "- entropy collapse, update 7 to 9:" in page
    assert "KL(base" not in page


@pytest.mark.parametrize("explained", [False, True])
def test_the_curves_are_drawn_with_what_there_is(explained: bool, tmp_path: Path) -> None:
    from matplotlib.image import imread

    train: list[dict[str, Any]] = [{"stage": "train", "update": i, "success": i / 20} for i in range(1, 21)]
    if explained:
        train = [{**line, "sampled_entropy": 1.0, "informative_groups": 0.5} for line in train]
    looks = [{key: look[key] for key in look if explained or "forward" not in key} for look in LOOKS]
    report = report_of(measured(0.5, 0.3, 0.7), alarms=[{**ALARM, "update": i} for i in range(1, 9)])
    heights = []
    for num_alarms in (8, 0):
        alarms = report["alarms"][:num_alarms]
        draw_curves([*train, *looks], {**report, "alarms": alarms}, tmp_path / "curves.png")
        picture = imread(tmp_path / "curves.png")
        heights.append(picture.shape[0])
        red = ((picture[..., 0] > 0.7) & (picture[..., 1] < 0.3) & (picture[..., 2] < 0.3)).any()
        assert red == bool(num_alarms)
    assert heights == [2 * 374] * 2 if explained else [374] * 2


def test_curves_of_a_run_without_updates(tmp_path: Path) -> None:
    draw_curves([], {"eval": {}}, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000
