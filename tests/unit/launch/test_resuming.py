"""What may change when a run goes on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from agentgym.errors import ConfigError, DataError, UserError
from agentgym.launch import fingerprint, resuming, standing
from agentgym.launch.measure import Measure
from agentgym.launch.resolving import resolve
from agentgym.launch.resuming import changed, go_on
from agentgym.launch.settings import TrainSettings
from agentgym.launch.stage import Stage, Workbench
from agentgym.launch.training import Training
from agentgym.learn import checkpoint
from agentgym.run import Run
from tests.kit import BELL, Notes
from tests.unit.launch.kit import a_policy, workbench

RUN = Path("runs/mine")
BASE: dict[str, Any] = {"env": "webshop", "trainer": {"id": "ppo", "episodes": 8}, "updates": 5, "output": str(RUN)}


def has(**changes: Any) -> TrainSettings:
    return TrainSettings.model_validate(resolve({**BASE, **changes}).model_dump(mode="json"))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"updates": 5},
        {"trainer": "ppo"},
        {"trainer": {"episodes": 8}, "env": {"id": "webshop"}},
        {"trainer": {"minibatches": 2}},  # its default
        {"model": {"width": 96}},  # its default
        {"output": "runs/../runs/mine"},
        BASE,
    ],
)
def test_what_the_run_has_anyway_is_no_change(given: dict[str, Any]) -> None:
    assert changed(has(), given, run=RUN) == has()


def test_without_force_every_difference_is_told() -> None:
    with pytest.raises(ConfigError) as told:
        changed(has(), {"seed": 3, "updates": 9, "trainer": {"episodes": 16}}, run=RUN)
    assert str(told.value).startswith("--resume goes on with the settings of runs/mine; leave out ")
    for line in ("seed: found 3, the run has 0", "updates: found 9, the run has 5", "trainer.episodes: found 16, the"):
        assert f"\n  {line}" in str(told.value)
    assert str(told.value).endswith("with --force-config these can change: updates")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"curriculum": "uniform"}, 'curriculum.id: found "uniform", the run has "frontier"'),
        ({"curriculum": {"replay": 0.1}}, "curriculum.replay: found 0.1, the run has 0.25"),
    ],
)
def test_another_curriculum_is_another_run(given: dict[str, Any], told: str) -> None:
    mine = has(curriculum={"id": "frontier", "replay": 0.25})
    assert changed(mine, {"curriculum": {"replay": 0.25}}, run=RUN) == mine
    with pytest.raises(ConfigError, match="what decides which run it is cannot change") as refused:
        changed(mine, given, run=RUN, force=True)
    assert told in str(refused.value)


def test_the_short_form_of_lora_is_known() -> None:
    with pytest.raises(ConfigError, match=r"\n  model.lora: found true, the run has false"):
        changed(has(model="Qwen/Qwen3-0.6B"), {"lora": True}, run=RUN, force=True)


def test_a_key_that_there_is_not_is_told_first() -> None:
    with pytest.raises(ConfigError, match=r'unknown key "trainer\.episode"\. Did you mean "episodes"'):
        changed(has(), {"trainer": {"episode": 9}}, run=RUN, force=True)
    with pytest.raises(ConfigError, match=r'unknown key "udpates"\. Did you mean "updates"'):
        changed(has(), {"udpates": 9}, run=RUN)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("updates", 9),
        ("max_seconds", 60.0),
        ("eval.every", 3),
        ("eval.episodes", 7),
        ("checkpoint_seconds", 5.0),
        ("keep_checkpoints", 4),
        ("threads", 2),
        ("rollout.concurrency", 4),
        ("trainer.learning_rate", 0.5),  # every trainer has it
        ("trainer.epochs", 5),
        ("trainer.max_microbatch_tokens", 99),
        ("trainer.clip_low", 0.1),  # ppo has it, a real number
        ("trainer.value_clip", 0.1),  # or none
        ("trainer.lam", 0.9),
    ],
)
def test_with_force_what_leaves_the_run_the_same_run_may_change(key: str, value: Any) -> None:
    settings = changed(has(), nested(key, value), run=RUN, force=True)
    dumped = settings.model_dump(mode="json")
    for part in key.split("."):
        dumped = dumped[part]
    assert dumped == value
    assert changed(settings, {}, run=RUN) == settings


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("env", "blocksworld", 'env.id: found "blocksworld", the run has "webshop"'),
        ("env.catalogue", "x", 'env.catalogue: found "x", the run has null'),
        ("trainer", "grpo", 'trainer.id: found "grpo", the run has "ppo"'),
        ("trainer.episodes", 9, "trainer.episodes: found 9, the run has 8"),
        ("trainer.critic_warmup", 9, "trainer.critic_warmup: found 9, the run has 0"),
        ("trainer.whiten", False, "trainer.whiten: found false, the run has true"),
        ("trainer.loss", "cispo", 'trainer.loss: found "cispo", the run has "clip"'),
        ("model", "Qwen/Qwen3-0.6B", 'model.id: found "Qwen/Qwen3-0.6B", the run has "nano"'),
        ("model.width", 64, "model.width: found 64, the run has 96"),
        ("protocol", "tools", 'protocol.id: found "tools", the run has "plain"'),
        ("seed", 1, "seed: found 1, the run has 0"),
        ("rewards.success", 1.0, "rewards.success.weight: found 1.0, the run has 2.0"),
        ("rollout.temperature", 0.5, "rollout.temperature: found 0.5, the run has 1.0"),
        ("warm_start.until", 0.5, "warm_start.until: found 0.5, the run has 0.15"),
        ("output", "elsewhere", 'output: found "elsewhere", the run has "runs/mine"'),
    ],
)
def test_with_force_what_makes_it_another_run_is_refused_by_name(key: str, value: Any, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        changed(has(), {**nested(key, value), "updates": 9}, run=RUN, force=True)
    assert str(error.value).startswith("what decides which run it is cannot change; leave out ")
    assert f"\n  {told}\n" in str(error.value)
    assert "updates" not in str(error.value)
    assert "begin a new run with another --output" in str(error.value)


@pytest.mark.parametrize("given", [{"updates": 9}, {"trainer": {"lam": 0.5}}, {"eval": {"every": 3}}])
def test_what_has_no_effect_any_more_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="the training of runs/mine is over, and with it its optimizer; leave out"):
        changed(has(), given, run=RUN, force=True, is_trained=True)
    assert changed(has(), {"threads": 3}, run=RUN, force=True, is_trained=True).threads == 3


def nested(key: str, value: Any) -> dict[str, Any]:
    """As ``parse_flags`` has it.

    >>> nested("a.b", 1)
    {'a': {'b': 1}}
    """
    owner, _, rest = key.partition(".")
    if rest:
        return {owner: nested(rest, value)}
    return {owner: {"id": value}} if owner in ("env", "trainer", "model", "protocol") else {owner: value}


def test_where_it_runs_may_change_and_what_is_named_alike_may_not() -> None:
    mine = has(model="some/model")
    given: dict[str, Any] = {"model": {"device": "cpu"}}
    assert changed(mine, given, run=RUN, force=True).model.options["device"] == "cpu"
    with pytest.raises(ConfigError, match=r"rollout.max_turns: found 3, the run has null"):
        changed(mine, {"rollout": {"max_turns": 3}}, run=RUN, force=True)


@pytest.mark.parametrize("key", ["every", "validation_episodes"])
def test_looks_have_no_effect_after_training_and_tests_have(key: str) -> None:
    with pytest.raises(ConfigError, match=rf"is over, and with it its optimizer; leave out eval\.{key}"):
        changed(has(), {"eval": {key: 3}}, run=RUN, force=True, is_trained=True)
    assert changed(has(), {"eval": {"episodes": 3}}, run=RUN, force=True, is_trained=True).eval.episodes == 3


# -- going on --------------------------------------------------------------------------------------------


class Resumed:
    """A run of hand-made parts that goes on, up to where it would go through its stages."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, **given: Any) -> None:
        self.bench = workbench(folder, **given)
        self.run, self.notes, self.log = self.bench.run.directory, Notes(), list[str]()
        self.drawn, self.policy_dir, self.beat = 0.0, Path(), lambda: None
        self.run_of = Run(self.run)
        resumed = self

        @contextlib.asynccontextmanager
        async def assembled(
            settings: Any, *, policy_dir: Path | None = None, beat: Callable[[], None] = lambda: None
        ) -> AsyncIterator[Any]:
            resumed.drawn, resumed.policy_dir, resumed.beat = random.random(), policy_dir or Path(), beat
            resumed.log.append("assembled")
            yield resumed.bench.parts

        class Halted(Training):
            def begin(self) -> None:
                resumed.log.append("begin")
                super().begin()

            def load(self, at: Path) -> None:
                resumed.log.append(f"load {at.name}")
                super().load(at)

            async def go(self) -> None:
                resumed.log.append("go")
                resumed.training = self
                with pytest.raises(UserError, match="is being trained by another process"), self.bench.run.locked():
                    pass

        async def stages(bench: Workbench) -> list[Stage]:
            return [Measure(bench, "before"), Measure(bench, "after")]

        monkeypatch.setattr(resuming, "assembled", assembled)
        monkeypatch.setattr(resuming, "Training", Halted)
        monkeypatch.setattr(resuming, "stages_of", stages)

    training: Training

    def save(self, stage: str, name: str, *, kept: str | None = None, **changes: Any) -> Path:
        """A checkpoint as ``Training`` makes it."""
        state: dict[str, Any] = {
            "stage": stage,
            "state": {"at": 0},
            "report": {},
            "kept": kept,
            "begun": 0,
            "pending": [],
        }
        state |= {"seconds": 3.0, "position": self.run_of.position(), **changes}
        return checkpoint.save(self.bench.run.checkpoints / name, self.bench.parts.policy, None, state)

    def __call__(self, *, force: bool = False, **given: Any) -> Path:
        return asyncio.run(go_on(self.run, given, force=force, reporter=self.notes))

    def config(self, name: str = "config.json") -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.run / name).read_text())
        return found


def test_a_run_goes_on_from_its_newest_checkpoint_locked_and_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed = Resumed(tmp_path, monkeypatch, seed=7)
    resumed.save("before", "0-before-000000")
    at = resumed.save("after", "1-after-000000")
    assert resumed() == resumed.run
    assert resumed.log == ["assembled", "load 1-after-000000", "go"]
    assert resumed.policy_dir == at / "policy"
    random.seed(7)
    assert resumed.drawn == random.random()
    assert resumed.beat == resumed.training.bench.watchdog.beat
    assert resumed.training.bench.watchdog.dump == resumed.run / "watchdog.txt"
    assert list(resumed.run.glob("config-until-*")) == []


def test_without_a_checkpoint_it_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resumed = Resumed(tmp_path, monkeypatch)
    resumed()
    assert resumed.log == ["assembled", "begin", "go"]
    assert resumed.policy_dir == Path()
    assert resumed.notes.notes[1:] == ["there is no complete checkpoint: the run begins anew"]


def test_it_is_said_first_which_code_the_configuration_has_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resumed = Resumed(tmp_path, monkeypatch)
    resumed()
    assert resumed.notes.notes[0] == f"this runs the code that {resumed.run}/config.json names: {BELL}"


@pytest.mark.parametrize("is_there", [True, False])
def test_what_was_trained_is_not_erased_where_no_checkpoint_can_be_used(
    is_there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed = Resumed(tmp_path, monkeypatch)
    (resumed.run / ".beginning").touch()
    at = resumed.save("before", "0-before-000000")
    resumed.run_of.has_checkpoint()
    resumed.run_of.log("test", 0, success=0.5)
    resumed.run_of.close()
    if is_there:
        (at / "state.json").write_text("{")
    else:
        shutil.rmtree(at)
    before = (resumed.run / "metrics.jsonl").read_bytes()
    with pytest.raises(UserError, match="has no complete checkpoint to go on from, and to begin anew would erase"):
        resumed()
    assert resumed.log == []
    assert (resumed.run / "metrics.jsonl").read_bytes() == before
    assert at.exists() == is_there


def test_what_was_written_before_the_first_checkpoint_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed = Resumed(tmp_path, monkeypatch)
    (resumed.run / ".beginning").touch()
    resumed.run_of.log("warm_start", 1, loss=0.5)
    resumed.run_of.close()
    resumed()
    assert (resumed.log, resumed.run_of.metrics()) == (["assembled", "begin", "go"], [])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is not JSON: Expecting value"),
        ("[" * 100_000, "is not JSON: maximum recursion depth"),
        ("[]", "is not a JSON object"),
        ('{"env": 3, "udpates": 1}', 'unknown key "udpates"'),
        ('{"seed": -1, "env": "webshop"}', "seed: Input should be greater than or equal to 0"),
        ('{"env": {"id": "webshop"}, "rewards": 3}', "rewards: "),
    ],
)
def test_a_damaged_configuration_is_told_by_its_name(
    content: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed = Resumed(tmp_path, monkeypatch)
    (resumed.run / "config.json").write_text(content)
    with pytest.raises(DataError) as raised:
        resumed()
    assert str(raised.value).startswith(f"{resumed.run}/config.json is not ")
    assert re.search(told, str(raised.value))


@pytest.mark.parametrize(
    "kept", ["../../precious", "/precious", "000003/../../../precious", ".", "..", "", 3, ["000003"], "000003\n"]
)
def test_a_best_policy_is_a_name_and_no_way_out(kept: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years")
    resumed = Resumed(tmp_path, monkeypatch)
    good = resumed.save("before", "0-before-000000")
    resumed.save("after", "1-after-000000", kept=kept)
    resumed()
    assert resumed.log == ["assembled", f"load {good.name}", "go"]
    assert [note for note in resumed.notes.notes if "1-after-000000/state.json: kept" in note]
    assert (precious / "thesis.txt").read_text() == "years"


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"begun": -1}, "begun"),
        ({"begun": "1"}, "begun"),
        ({"pending": {}}, "pending"),
        ({"seconds": float("nan")}, "seconds"),
        ({"position": {"metrics.jsonl": -5}}, r"position\.metrics\.jsonl"),
        ({"state": None}, "state"),
        ({"report": []}, "report"),
        ({"pending": [1, -1]}, r"pending\.1"),
    ],
)
def test_a_state_that_no_run_wrote_is_passed_over(
    changes: dict[str, Any], key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed = Resumed(tmp_path, monkeypatch)
    at = resumed.save("before", "0-before-000000", **changes)
    with pytest.raises(DataError, match=rf"{at}/state\.json: {key}: .*, found"):
        standing.check(at)
    with pytest.raises(UserError, match="no complete checkpoint"):
        resumed()
    assert "0-before-000000 is corrupt" in resumed.notes.notes[1]


def test_a_stage_that_there_is_not_and_a_state_that_does_not_fit_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed = Resumed(tmp_path, monkeypatch)
    at = resumed.save("play", "0-play-000000")
    with pytest.raises(DataError, match=r'state\.json: the stage is "play", this run has before, after, done'):
        resumed()
    shutil.rmtree(at)
    at = resumed.save("before", "0-before-000000", state={})
    with pytest.raises(DataError, match=rf"{at}/state\.json cannot be taken up: KeyError: 'at'; put back"):
        resumed()


@pytest.mark.parametrize("name", ["policies", "checkpoints", "tensorboard", "metrics.jsonl", ".config.json.partial"])
def test_a_run_does_not_reach_out_of_its_directory_by_a_link(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed = Resumed(tmp_path, monkeypatch)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    (resumed.run / name).symlink_to(tmp_path / "mine")
    with pytest.raises(
        DataError, match=rf"{re.escape(str(resumed.run / name))} is a link to {tmp_path}/mine; a run's own"
    ):
        resumed()
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years"
    assert resumed.log == []


def test_a_run_that_is_itself_reached_by_a_link_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resumed = Resumed(tmp_path, monkeypatch)
    resumed.bench.kept.keep(a_policy(), 3)
    resumed.save("before", "0-before-000000", kept="000003")
    (tmp_path / "link").symlink_to(resumed.run)
    resumed.run = tmp_path / "link"
    (resumed.run / "notes").symlink_to(tmp_path)  # not a part of a run
    resumed()
    assert resumed.log[-1] == "go"


def test_what_is_newer_half_written_or_needed_by_nobody_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resumed = Resumed(tmp_path, monkeypatch)
    resumed.bench.kept.keep(a_policy(), 3)
    at = resumed.save("before", "0-before-000000", kept="000003")
    broken = resumed.save("after", "1-after-000000", kept="000003")
    (broken / "state.json").write_text("{")
    (resumed.bench.run.policies / "000009").mkdir()
    (resumed.bench.run.checkpoints / ".2.partial").mkdir()
    anew: list[Run] = []
    monkeypatch.setattr(Run, "draw_tensorboard_anew", lambda run: anew.append(run))
    resumed()
    assert resumed.log == ["assembled", "load 0-before-000000", "go"]
    assert sorted(resumed.bench.run.checkpoints.iterdir()) == [at]
    assert [path.name for path in resumed.bench.run.policies.iterdir()] == ["000003"]
    moved = resumed.run / "corrupt" / broken.name
    assert f"what is left of the corrupt checkpoint is in {moved}; delete it when" in resumed.notes.notes[-1]
    assert [run.directory for run in anew] == [resumed.run]


def test_new_settings_are_recorded_and_the_oldest_stay_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed = Resumed(tmp_path, monkeypatch, updates=5)
    resumed.save("before", "0-before-000000")
    with pytest.raises(ConfigError, match="leave out updates"):
        resumed(updates=9)
    assert resumed.log == []
    for updates in (9, 11):
        resumed(force=True, updates=updates)
        assert resumed.config()["updates"] == updates
        assert resumed.config("config-until-0-before-000000.json")["updates"] == 5
        assert resumed.training.bench.settings.updates == updates


@pytest.mark.parametrize(("stage", "name"), [("after", "1-after-000000"), ("done", "2-done-000000")])
def test_after_training_there_is_nothing_to_train_on(
    stage: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed = Resumed(tmp_path, monkeypatch, updates=5)
    resumed.save(stage, name)
    with pytest.raises(ConfigError, match="is over, and with it its optimizer"):
        resumed(force=True, updates=9)


def test_a_model_that_is_another_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    resumed = Resumed(tmp_path, monkeypatch, model=str(tmp_path / "model"))
    resumed.run_of.write_json("model.json", fingerprint.of_model(str(tmp_path / "model")))
    resumed()
    (tmp_path / "model" / "config.json").write_text("{ }")
    with pytest.raises(UserError, match=r"config\.json changed since"):
        resumed()


def test_a_run_that_another_process_trains_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resumed = Resumed(tmp_path, monkeypatch)
    with resumed.run_of.locked(), pytest.raises(UserError, match="is being trained by another process"):
        resumed()
    assert resumed.log == []
