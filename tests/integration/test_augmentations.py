"""A run whose training episodes are augmented, and nothing else of it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from agentgym import store
from agentgym.errors import UserError
from agentgym.launch import evaluate, train
from agentgym.run import Run
from agentgym.types import Trajectory
from tests.integration.finished import SETTINGS

AUGMENTED: dict[str, Any] = {
    **SETTINGS,
    "augment": {"truncation": {"keep": 2}},
    "augment_strength": 0.5,
    "trainer": {"id": "grpo", "groups": 2, "group_size": 4},
    "eval": {"episodes": 2, "validation_episodes": 2, "every": 9},
    "warm_start": {"max_updates": 1, "check_every": 1},
    "updates": 2,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train({**AUGMENTED, "output": tmp_path_factory.mktemp("augmented") / "run"})


def episodes(run: Path, **of: Any) -> list[Trajectory]:
    with contextlib.closing(store.opened(run)) as archive:
        return list(archive.episodes(**of))


def test_training_is_augmented_but_for_the_clean_share(run: Path) -> None:
    played = episodes(run, stage="train", split="train")
    assert len(played) == 16
    for group in {each.group_id for each in played}:
        members = [each for each in played if each.group_id == group]
        assert sorted(each.strength for each in members) == [0, 0, 0.5, 0.5]
        assert all(("missing" in each.turns[0].observation) == bool(each.strength) for each in members)
        assert {tuple(each.options) for each in members} == {()}
    assert {entry.strength for entry in Run.open(run).ledger()} == {0.5}


def test_all_else_is_played_as_it_is(run: Path) -> None:
    others = [each for each in episodes(run) if (each.stage, each.split) != ("train", "train")]
    assert {each.stage for each in others} >= {"warm_start", "before", "after", "train"}
    assert {each.strength for each in others} == {0}
    assert not any("missing" in turn.observation for each in others for turn in each.turns)
    _, measured = evaluate({}, str(run), episodes=2)
    assert {each.strength for each in measured} == {0}


def test_a_curriculum_that_draws_strengths_needs_something_to_be_strong(tmp_path: Path) -> None:
    ladder = Path(__file__).with_name("ladder.py")
    given = {**SETTINGS, "env": str(ladder), "curriculum": f"{ladder}:Climbing", "warm_start": {}, "updates": 1}
    with pytest.raises(UserError, match="drew strength 1, and nothing is augmented; type: --augment error-hints"):
        train({**given, "eval": {"episodes": 1, "validation_episodes": 1}, "output": tmp_path / "run"})
