"""The beginning of a run: what is refused before anything is written, and which stages there are."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from agentgym.errors import ConfigError, UserError
from agentgym.launch import starting
from agentgym.launch.learning import Train
from agentgym.launch.measure import Measure
from agentgym.launch.resolving import resolve
from agentgym.launch.room import DiskEstimate
from agentgym.launch.training import Training
from agentgym.launch.warming import WarmStart
from agentgym.registry import plugins
from agentgym.run import Run
from agentgym.trainers.sft import SFT
from agentgym.watchdog import Watchdog
from tests.kit import BELL, Notes
from tests.unit.launch.kit import Tasks, workbench


class Shown(Tasks):
    """Has an expert, or none, and tells the tasks of a split only when that was fetched."""

    def __init__(self, *, expert: bool) -> None:
        self.knows, self.fetched = expert, {"train"}

    async def fetch(self, *splits: str) -> None:
        self.fetched |= set(splits)

    def tasks(self, split: str) -> range:
        assert split in self.fetched
        return super().tasks(split)


class Begun:
    """A run of hand-made parts up to where it would go through its stages."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, expert: bool = True, **given: Any) -> None:
        self.run, self.notes, self.log = folder / "begun", Notes(), list[str]()
        self.settings = resolve({"env": BELL, "output": self.run, **given})
        env: Any = Shown(expert=expert)
        self.parts = dataclasses.replace(workbench(folder, **given).parts, env=env)
        self.engine: Any = self.parts.engine
        self.drawn, self.beat = 0.0, lambda: None
        self.needed: list[tuple[Path, DiskEstimate]] = []
        begun = self

        @contextlib.asynccontextmanager
        async def assembled(settings: Any, *, beat: Callable[[], None] = lambda: None) -> AsyncIterator[Any]:
            begun.drawn, begun.beat = random.random(), beat
            begun.log.append("assembled")
            yield begun.parts

        class Halted(Training):
            def begin(self) -> None:
                begun.log.append("begin")
                super().begin()

            async def go(self) -> None:
                begun.log.append("go")
                begun.training = self
                with pytest.raises(UserError, match="is being trained by another process"), self.bench.run.locked():
                    pass

        async def closed(stage: Train) -> None:
            begun.log.append("train is closed")

        monkeypatch.setattr(starting, "assembled", assembled)
        monkeypatch.setattr(starting, "Training", Halted)
        monkeypatch.setattr(Train, "close", closed)
        monkeypatch.setattr(starting, "refuse_full_disk", lambda *given: self.needed.append(given))

    training: Training

    def __call__(self) -> Path:
        return asyncio.run(starting.start(self.settings, self.notes))

    def refused(self, error: type[UserError], told: str) -> None:
        """It says so, and has written nothing."""
        with pytest.raises(error, match=told):
            self()
        assert not self.run.exists()
        assert "begin" not in self.log

    @property
    def stages(self) -> list[str]:
        return [stage.name for stage in self.training.stages]


def test_a_run_begins_locked_in_its_own_directory_when_nothing_was_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = Begun(tmp_path, monkeypatch, updates=1, seed=7)
    assert begun() == begun.run
    assert begun.log == ["assembled", "train is closed", "begin", "go"]
    assert Run.open(begun.run).config["seed"] == 7
    assert begun.training.bench.run.directory == begun.run
    assert not (begun.run / "model.json").exists()
    random.seed(7)
    assert begun.drawn == random.random()  # also what is made before the run begins
    watchdog = begun.training.bench.watchdog
    assert begun.beat == watchdog.beat
    assert (watchdog.seconds, watchdog.dump) == (1800, begun.run / "watchdog.txt")
    assert begun.notes.notes[0].startswith("memory beside the weights: about ")


def test_a_directory_that_is_taken_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = Begun(tmp_path, monkeypatch)
    Run.create(begun.run, {})
    with pytest.raises(UserError, match="already holds a run"):
        begun()
    assert begun.log == []


def test_without_an_output_a_run_is_named_after_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    begun = Begun(tmp_path, monkeypatch, trainer="rloo", seed=3)
    begun.settings.output = None
    assert begun() == Path("runs/new_environment-rloo-3")


def test_the_model_that_a_run_begins_with_is_on_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    begun = Begun(tmp_path, monkeypatch, model=str(tmp_path / "model"))
    begun()
    assert (begun.run / "model.json").is_file()


def test_where_its_files_are_is_on_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = Begun(tmp_path, monkeypatch)
    begun()
    places = json.loads((begun.run / "places.json").read_text())
    assert places[BELL] == os.path.relpath(BELL, begun.run.resolve())


def test_warnings_of_the_parts_are_told_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = Begun(tmp_path, monkeypatch)
    begun.parts = dataclasses.replace(begun.parts, warning="it shows pictures")
    begun()
    assert begun.notes.notes[0] == "it shows pictures"


# -- what is refused -------------------------------------------------------------------------------------


def test_an_engine_that_cannot_follow_a_learner_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = Begun(tmp_path, monkeypatch)
    begun.engine.why_untrainable = "a server has the weights"
    begun.refused(UserError, "this engine is for evaluation: a server has the weights; to train, type: --engine vllm")


def test_keys_of_a_warm_start_that_there_is_not_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"until": 0.5, "check_every": 3}
    Begun(tmp_path / "one", monkeypatch, expert=False, warm_start=keys).refused(
        ConfigError, r"warm_start\.check_every has no effect: there is no warm start here"
    )
    Begun(tmp_path / "two", monkeypatch, warm_start={"enabled": False, "until": 0.5}).refused(
        ConfigError, r"warm_start\.until has no effect"
    )
    begun = Begun(tmp_path / "three", monkeypatch, warm_start={"enabled": False})
    begun()
    assert begun.stages == ["before", "train", "after"]
    Begun(tmp_path / "four", monkeypatch, warm_start=keys)()


def test_what_does_not_fit_in_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Begun(tmp_path, monkeypatch, trainer={"max_microbatch_tokens": 10**12}).refused(UserError, "training needs about")


def test_what_the_trainer_refuses_is_refused_before_the_warm_start_and_all_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = Begun(tmp_path, monkeypatch, updates=1, warm_start={"enabled": True})
    grpo: Any = plugins("trainers").get("grpo")

    def prepare(trainer: Any, equipment: Any) -> None:
        raise ConfigError("does not go together")

    with monkeypatch.context() as patch:
        patch.setattr(grpo, "prepare", prepare)
        begun.refused(ConfigError, "does not go together")

    def learners(trainer: Any) -> Any:
        raise ConfigError("what is further is too much")

    begun.log.clear()
    with monkeypatch.context() as patch:
        patch.setattr(grpo, "learners", learners)
        begun.refused(ConfigError, "what is further is too much")
    assert begun.log == ["assembled", "train is closed"]


def test_the_room_that_a_run_needs_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {
        "updates": 3,
        "trainer": {"groups": 2, "group_size": 5},
        "warm_start": {"enabled": True, "max_updates": 7, "batch_size": 4},
        "eval": {"every": 2, "episodes": 11, "validation_episodes": 13},
        "keep_checkpoints": 4,
        "archive": {"keep": 0.5},
    }
    episodes = 3 * 2 * 5 + 7 * 4 + 2 * 13 + 4 * 11  # of updates, of the warm start, of two looks, of tests
    begun = Begun(tmp_path / "one", monkeypatch, **given, rollout={"context_tokens": 100})
    begun()
    ((directory, needed),) = begun.needed
    assert (directory, needed.keep) == (begun.run, 4)
    assert needed.lines == (3 + 7) * 2**14
    assert needed.episodes == episodes * 50 * 6
    begun = Begun(tmp_path / "two", monkeypatch, **given)
    begun.engine.max_context = 10
    begun()
    assert begun.needed[0][1].episodes == episodes * 5 * 6


def test_time_bounds_the_updates_that_need_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {
        "updates": 10**6,
        "max_seconds": 1.0,
        "trainer": {"groups": 2, "group_size": 5},
        "warm_start": {"enabled": True, "max_updates": 7, "batch_size": 4},
        "eval": {"every": 6, "episodes": 11, "validation_episodes": 13},
    }
    begun = Begun(tmp_path, monkeypatch, **given, rollout={"context_tokens": 100})
    begun()
    needed = begun.needed[0][1]
    assert needed.lines == (20 + 7) * 2**14
    assert needed.episodes == (20 * 10 + 7 * 4 + 4 * 13 + 4 * 11) * 100 * 6


def test_a_disk_without_room_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = Begun(tmp_path, monkeypatch)

    def full(directory: Path, needed: DiskEstimate) -> None:
        raise UserError("no room")

    monkeypatch.setattr(starting, "refuse_full_disk", full)
    begun.refused(UserError, "no room")


# -- which stages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expert", "warm"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"trainer": "sft"}, True, False),
        ({"model": "some/model"}, True, False),
        ({"model": "some/model", "warm_start": {"enabled": True}}, True, True),
        ({"trainer": "sft", "warm_start": {"enabled": True}}, True, True),
        ({"warm_start": {"enabled": False}}, True, False),
    ],
)
def test_a_small_model_is_warmed_up_by_an_expert_and_others_when_it_is_said(
    given: dict[str, Any], expert: bool, warm: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = Begun(tmp_path, monkeypatch, expert=expert, **given)
    begun()
    assert begun.stages == ["warm_start"] * warm + ["before", "train", "after"]
    kinds = [type(stage) for stage in begun.training.stages]
    assert kinds == [WarmStart] * warm + [Measure, Train, Measure]


@pytest.mark.parametrize("given", [{"trainer": "sft"}, {"warm_start": {"enabled": True}}])
def test_where_there_is_nobody_to_imitate_it_is_refused(
    given: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = r'"tasks" has no expert\(\) to imitate; choose another --trainer, and no --warm_start.enabled'
    Begun(tmp_path, monkeypatch, expert=False, **given).refused(ConfigError, told)


def test_trainer_and_imitator_are_asked_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grpo: Any = plugins("trainers").get("grpo")

    def check(trainer: Any, tokenizer: Any) -> None:
        assert tokenizer is begun.parts.policy.tokenizer
        raise UserError(f"{type(trainer).__name__} cannot begin")

    for place, kind in enumerate((grpo, SFT)):
        begun = Begun(tmp_path / str(place), monkeypatch)
        with monkeypatch.context() as patch:
            patch.setattr(kind, "check", check)
            begun.refused(UserError, f"{kind.__name__} cannot begin")


def test_the_warm_start_has_its_own_settings_and_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = Begun(tmp_path, monkeypatch, warm_start={"max_updates": 7, "batch_size": 3}, updates=5)
    begun()
    warm, _, train, _ = begun.training.stages
    assert isinstance(warm, WarmStart)
    assert isinstance(train, Train)
    assert (warm.max_updates, warm.trainer.settings.batch_size) == (7, 3)
    assert (train.max_updates, type(train.trainer).__name__) == (5, "GRPO")


@pytest.mark.parametrize("seconds", [5.0, None])
def test_a_run_is_watched_for_as_long_as_the_settings_say(seconds: float | None, tmp_path: Path) -> None:
    watchdog = starting.watchdog_of(resolve({"env": BELL, "watchdog_seconds": seconds}), tmp_path)
    assert isinstance(watchdog, Watchdog)
    assert (watchdog.seconds, watchdog.dump) == (seconds, tmp_path / "watchdog.txt")
