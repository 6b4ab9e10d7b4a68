"""A run's paths: in full, and found again where the run was moved together with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentgym.config import merged
from agentgym.launch import fingerprint, places
from agentgym.launch.resolving import in_full, resolve, settings_for
from agentgym.launch.resuming import changed
from agentgym.launch.settings import TrainSettings
from agentgym.run import Run
from tests.kit import BELL

GIVEN: dict[str, Any] = {
    "env": {"id": "./placed.py:Bell"},
    "model": {"id": "models/small"},
    "trainer": {"id": "dpo", "data": "played.jsonl"},
    "warm_start": {"enabled": False},
}


MINE = """
from agentgym.critic import Critic


class Mine(Critic):
    def __init__(self, judge: str) -> None: ...
    async def score(self, trajectories): return [0.0 for _ in trajectories]
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with an environment, a model and a run of both."""
    home = tmp_path / "home"
    (home / "models" / "small").mkdir(parents=True)
    (home / "models" / "small" / "config.json").write_text("{}")
    (home / "placed.py").write_text(Path(BELL).read_text())
    monkeypatch.chdir(home)
    return home


def run_of(home: Path) -> Run:
    config = places.absolute(GIVEN)
    there = home / "runs" / "one"
    return Run.create(there, config, places=places.relative(config, there), model=fingerprint.of_model("models/small"))


def test_paths_are_stored_in_full(here: Path) -> None:
    config = run_of(here).config
    assert config["env"] == {"id": f"{here}/placed.py:Bell"}
    assert config["model"] == {"id": f"{here}/models/small"}
    assert config["trainer"] == {"id": "dpo", "data": f"{here}/played.jsonl"}
    assert json.loads((here / "runs" / "one" / "places.json").read_text()) == {
        f"{here}/placed.py": "../../placed.py",
        f"{here}/models/small": "../../models/small",
        f"{here}/played.jsonl": "../../played.jsonl",
    }


def test_a_model_that_is_a_file_is_stored_in_full_and_nano_is_none(here: Path) -> None:
    for name in ("tiny.gguf", "nano"):
        (here / name).write_bytes(b"GGUF")
    assert places.absolute({"model": {"id": "tiny.gguf"}}) == {"model": {"id": f"{here}/tiny.gguf"}}
    assert places.absolute({"model": {"id": "nano"}}) == {"model": {"id": "nano"}}
    assert places.absolute({"model": {"id": "gone.gguf"}}) == {"model": {"id": "gone.gguf"}}


def test_the_code_that_a_configuration_has_run_is_known() -> None:
    config = {
        "env": {"id": "/a/env.py:Bell", "note": "x.py"},
        "protocol": "/a/talk.py",
        "engine": {"id": "embedded"},
        "curriculum": {"id": "/a/odd.pyc"},
        "rewards": {"/a/judge.py:fair": 1.0, "turn-cost": 0.5},
        "trainer": {"id": "grpo", "data": "/a/played.jsonl"},
    }
    assert places.code_of(config) == ["/a/env.py", "/a/judge.py", "/a/odd.pyc.py", "/a/talk.py"]
    assert places.code_of({"env": {"id": "mcp", "command": ["python", "tools.py"]}}) == ["python tools.py"]
    assert places.code_of({"env": {"id": "mcp", "command": "uvx time"}, "rewards": None}) == ["uvx time"]


def test_who_uses_a_finished_policy_is_told_which_code_of_its_run_is_executed(here: Path) -> None:
    (here / "placed.py").rename(here / "placed_alone.py")
    run = Run.create(here / "alone", places.absolute({**GIVEN, "env": {"id": "./placed_alone.py:Bell"}})).directory
    (run / "policy").mkdir()
    notes: list[str] = []
    settings_for({"protocol": "plain"}, str(run), seed=0, note=notes.append)
    assert notes == [f"this runs the code that {run}/config.json names: {here}/placed_alone.py"]
    settings_for({"env": "webshop", "protocol": "plain"}, str(run), seed=0, note=notes.append)
    assert len(notes) == 1  # it is not


def test_the_places_of_a_run_that_never_began_are_forgotten(here: Path) -> None:
    run = run_of(here)
    config = {"env": {"id": "webshop"}}
    run.begin(config, places=places.relative(config, run.directory))
    assert not (run.directory / "places.json").exists()


def test_what_is_no_path_is_left_alone(here: Path) -> None:
    config = in_full({"env": "webshop", "model": "Qwen/Qwen3-0.6B", "rewards": {"turn-cost": 0.1}, "trainer": "grpo"})
    assert places.absolute(config) == config
    assert places.relative(config, here) == {}
    assert places.absolute({"rewards": {"./mine.py": 1.0}}) == {"rewards": {f"{here}/mine.py": 1.0}}


def test_a_function_that_a_reward_is_told_is_code_and_has_a_place(here: Path) -> None:
    config = {"rewards": {"potential": {"weight": 0.5, "file": "placed.py:phi", "per": "turn"}}}
    full = places.absolute(config)
    assert full == {"rewards": {"potential": {"weight": 0.5, "file": f"{here}/placed.py:phi", "per": "turn"}}}
    assert places.code_of(full) == [f"{here}/placed.py"]
    assert places.relative(full, here) == {f"{here}/placed.py": "placed.py"}


def test_a_model_that_judges_has_a_place_and_a_long_rubric_has_none(here: Path) -> None:
    options = {"judge": "models/small", "rubric": f"Fair and/or {'very ' * 60}kind."}
    full = places.absolute({"rewards": {"rubric-judge": options}})
    assert full["rewards"]["rubric-judge"] == {**options, "judge": f"{here}/models/small"}


def test_the_critic_of_a_reward_has_places_and_code_too(here: Path) -> None:
    model = {"id": "model", "model": "models"}
    full = places.absolute({"rewards": {"critic": {"weight": 1.0, "critic": model}}})
    assert full["rewards"]["critic"] == {"weight": 1.0, "critic": {"id": "model", "model": f"{here}/models"}}
    (here / "mine.py").write_text(MINE)
    own = {"id": "./mine.py:Mine", "judge": "placed.py:phi"}
    full = places.absolute({"rewards": {"critic": {"critic": own}}})
    assert full["rewards"]["critic"]["critic"] == {"id": f"{here}/mine.py:Mine", "judge": f"{here}/placed.py:phi"}
    assert places.code_of(full) == [f"{here}/mine.py", f"{here}/placed.py"]


def test_a_run_that_is_moved_with_what_it_is_of_finds_it(here: Path) -> None:
    run_of(here)
    there = here.rename(here.parent / "there")
    config = Run.open(there / "runs" / "one").config
    assert (config["env"]["id"], config["model"]["id"]) == (f"{there}/placed.py:Bell", f"{there}/models/small")
    assert config["trainer"]["data"] == f"{here}/played.jsonl"  # which is nowhere
    (there / "runs" / "one" / "policy").mkdir()
    settings = settings_for({"protocol": "plain"}, str(there / "runs" / "one"), seed=0)
    assert settings.env.id == f"{there}/placed.py:Bell"


def test_a_run_that_is_moved_alone_keeps_its_paths(here: Path) -> None:
    run = run_of(here)
    moved = run.directory.rename(here.parent / "alone")
    assert Run.open(moved).config["model"]["id"] == f"{here}/models/small"


def test_the_same_path_said_in_another_way_is_no_change(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "placed.py").rename(here / "placed_again.py")
    given = {"env": {"id": "./placed_again.py"}, "protocol": "plain", "output": str(here / "one")}
    config = places.absolute(resolve(given).model_dump(mode="json"))
    has = TrainSettings.model_validate(config)
    monkeypatch.chdir(here / "models")
    for said in ("../placed_again.py", f"{here}/placed_again.py"):
        assert changed(has, merged({"env": {"id": said}}), run=here / "one") == has


def test_a_model_that_was_moved_with_its_run_is_compared(here: Path) -> None:
    run_of(here)
    there = here.rename(here.parent / "there")
    notes: list[str] = []
    fingerprint.check(Run.open(there / "runs" / "one"), str(there / "models" / "small"), notes.append)
    assert notes == []
    fingerprint.check(Run.open(there / "runs" / "one"), "nano", notes.append)
    assert len(notes) == 1
