"""What a look at the validation tasks is measured on, and how far off it may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentgym.launch.monitor import Monitor
from agentgym.launch.score import score
from agentgym.learn.learner import Learner
from agentgym.types import StopReason, Trajectory
from tests.kit import Notes, episode, sample
from tests.unit.launch.kit import Book, a_policy, workbench


def said(*tokens: int, **changes: Any) -> Trajectory:
    return episode(0.0, samples=[sample([list(tokens)])], **changes)


def drift(folder: Path, *kept: Trajectory) -> float | None:
    """Of one policy at a later look, measured on what the archive of the run has."""
    bench = workbench(folder)
    bench.run.episodes.append(kept)
    learner = Learner(a_policy().module, learning_rate=1e-3)
    bench.monitor.validated(10, score([episode(0.0)]), [said(9, 9)], learner)
    found: float | None = bench.run.metrics()[0].get("forward_kl")
    return found


LOOK: dict[str, Any] = {"stage": "train", "split": "validation", "update": 0}


@pytest.mark.parametrize(
    "other",
    [
        {**LOOK, "update": 10},
        {**LOOK, "split": ""},
        {**LOOK, "stage": "warm_start"},
        {**LOOK, "stop": StopReason.ENV_ERROR},
    ],
)
def test_drift_is_measured_on_the_first_look_and_on_nothing_else(other: dict[str, Any], tmp_path: Path) -> None:
    mine = said(5, 6, 7, **LOOK)
    alone = drift(tmp_path / "one", mine)
    assert alone is not None
    assert drift(tmp_path / "two", mine, said(20, 21, episode_id="e1", **other)) == alone
    assert drift(tmp_path / "three", mine, said(20, 21, episode_id="e1", **LOOK)) != alone
    assert drift(tmp_path / "four", said(20, 21, **other)) is None


def test_the_error_of_the_reward_is_that_of_the_environments_mean(tmp_path: Path) -> None:
    bench = workbench(tmp_path)
    episodes = [episode(0.0, shaped=9.0), episode(1.0), episode(0.5, stop=StopReason.ENV_ERROR)]
    learner = Learner(a_policy().module, learning_rate=1e-3)
    bench.monitor.validated(10, score(episodes), episodes, learner)
    (line,) = bench.run.metrics()
    assert line["reward_error"] == pytest.approx(0.5)  # sqrt(0.5) / sqrt(2)
    assert line["reward"] == 0.5


def test_replies_are_long_by_the_limit_of_the_settings(tmp_path: Path) -> None:
    bench = workbench(tmp_path, rollout={"max_reply_tokens": 7})
    monitor = Monitor(Book(tmp_path), bench.settings, Notes())
    assert monitor.watch.max_reply_tokens == 7
