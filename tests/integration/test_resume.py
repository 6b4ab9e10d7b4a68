"""A run that was interrupted anywhere ends with the very weights of one that was not."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agentgym import cli, sealed
from agentgym.errors import ConfigError, UserError
from agentgym.launch import resume, train
from agentgym.learn import checkpoint
from agentgym.run import Run
from tests.faults.kit import episodes, everywhere
from tests.integration.finished import SETTINGS
from tests.kit import BELL, NIGHTLY, Notes, byte_tokenizer, eventually, metrics, report, tiny_model


@pytest.fixture
def whole(finished: Path) -> Path:
    """The same without an interruption."""
    return finished


def weights(run: Path) -> str:
    return hashlib.sha256((run / "policy" / "model.safetensors").read_bytes()).hexdigest()


def history(run: Path) -> list[dict[str, Any]]:
    """The metrics, without what depends on the clock."""
    return [{k: value for k, value in line.items() if k != "time" and "seconds" not in k} for line in metrics(run)]


def outcome(run: Path) -> Any:
    found = report(run)
    updates = {name: each["updates"] for name, each in found["stages"].items()}
    return found["eval"], found["best_update"], updates, found["gain"]


def assert_same_run(run: Path, whole: Path) -> None:
    assert history(run) == history(whole)
    assert outcome(run) == outcome(whole)
    assert weights(run) == weights(whole)


def interrupted(run: Path, stage: str, at: int, **more: Any) -> Path:
    reporter = Notes(stage, at)
    with pytest.raises(KeyboardInterrupt):
        train({**SETTINGS, **more, "output": run}, reporter=reporter)
    assert reporter.notes[-1] == f"interrupted; go on with: agentgym train --resume {run}"
    assert checkpoint.latest(run / "checkpoints") is not None
    assert not (run / "report.json").exists()
    return run


def test_the_run_has_something_to_lose(whole: Path) -> None:
    updates = [line["update"] for line in history(whole) if line["stage"] == "train"]
    assert updates == [1, 2, 3, 4]
    assert any(line.get("grad_norm", 0) > 0 for line in history(whole) if line["stage"] == "train")
    assert outcome(whole)[2]["warm_start"] >= 4


@pytest.mark.parametrize(
    ("stage", "at"),
    [
        pytest.param("warm start", 4, marks=pytest.mark.slow),  # the validation tasks are next
        pytest.param("test, before training", 5, marks=pytest.mark.slow),
        pytest.param("training", 1, marks=pytest.mark.slow),
        ("training", 2),  # the validation tasks are next
        pytest.param("training", 4, marks=pytest.mark.slow),  # the last update
    ],
)
def test_interrupted_and_resumed(stage: str, at: int, whole: Path, tmp_path: Path) -> None:
    run = interrupted(tmp_path / "run", stage, at)
    reporter = Notes()
    assert resume(run, reporter=reporter) == run
    assert reporter.notes[0] == f"this runs the code that {run / 'config.json'} names: {BELL}"
    assert reporter.notes[1].startswith(f"resumed from {run / 'checkpoints'}")
    assert_same_run(run, whole)


def elsewhere(hosts: str, concurrency: int) -> dict[str, Any]:
    """Settings that say where environments run, and how many episodes at once."""
    return {"rollout": {**SETTINGS["rollout"], "hosts": hosts, "concurrency": concurrency}}


IN_CI = [("processes", 5), *((hosts, 128) for hosts in ("loop", "threads", "processes"))]


@pytest.mark.parametrize(
    ("hosts", "concurrency"),
    [
        pytest.param(hosts, concurrency, marks=pytest.mark.slow if (hosts, concurrency) in IN_CI else NIGHTLY)
        for hosts in ("loop", "threads", "processes")
        for concurrency in (1, 5, 128)
    ],
)
def test_where_environments_run_and_how_many_at_once_changes_no_bit(
    hosts: str, concurrency: int, whole: Path, tmp_path: Path
) -> None:
    """An order of arrival decides which episodes are computed together, and that decides nothing."""
    run = interrupted(tmp_path / "run", "training", 2, **elsewhere(hosts, concurrency))
    resume(run)
    assert_same_run(run, whole)
    assert episodes(run) == episodes(whole)
    assert (run / "ledger.jsonl").read_text() == (whole / "ledger.jsonl").read_text()


EACH: dict[str, dict[str, Any]] = {
    "grpo": {"groups": 3, "group_size": 6},
    "rloo": {"groups": 3, "group_size": 6},
    "ppo": {"episodes": 12, "kl_coefficient": 0.01},  # a critic, its optimizer, a reference
    "dpo": {"groups": 3, "group_size": 6, "replay": 2, "reference": "model"},  # past pairs
    "mixed": {"groups": 3, "group_size": 6, "demonstrations": 2},
    "cory": {"groups": 2, "group_size": 4, "swap_every": 1},  # a second policy that learns
}


@pytest.mark.parametrize(("trainer", "hosts"), everywhere(EACH, often=("cory", "loop")))
def test_whatever_a_trainer_keeps_comes_back(trainer: str, hosts: str, tmp_path: Path) -> None:
    chosen = {
        "trainer": {"id": trainer, **EACH[trainer]},
        "curriculum": "frontier",
        "warm_start": {**SETTINGS["warm_start"], "max_updates": 4},
    }
    whole = train({**SETTINGS, **chosen, "output": tmp_path / "whole"})
    run = interrupted(tmp_path / "run", "training", 3, **chosen, **elsewhere(hosts, 5))
    resume(run)
    assert_same_run(run, whole)
    assert (run / "ledger.jsonl").read_text() == (whole / "ledger.jsonl").read_text()
    assert any(entry.level for entry in Run.open(run).ledger())  # the curriculum reacted


@pytest.mark.slow
def test_a_run_that_sees_comes_back(tmp_path: Path) -> None:
    chosen = {"env": "glimpse", "model": "nano", "warm_start": {**SETTINGS["warm_start"], "max_updates": 4}}
    whole = train({**SETTINGS, **chosen, "output": tmp_path / "whole"})
    run = interrupted(tmp_path / "run", "training", 2, **chosen)
    resume(run)
    assert_same_run(run, whole)


@pytest.mark.slow
def test_environment_steps_are_counted_on(tmp_path: Path) -> None:
    """The limit holds for the run, not for what came after the interruption."""
    limit = {"max_environment_steps": 60, "updates": 9}
    whole = train({**SETTINGS, **limit, "output": tmp_path / "whole"})
    steps = [line["environment_steps"] for line in history(whole) if line["stage"] == "train"]
    assert len(steps) > 1
    assert sum(steps[:-1]) < 60 <= sum(steps)
    run = interrupted(tmp_path / "run", "training", 1, **limit)
    resume(run)
    assert_same_run(run, whole)


@pytest.mark.slow
def test_interrupted_twice_at_the_same_update(whole: Path, tmp_path: Path) -> None:
    run = interrupted(tmp_path / "run", "training", 1)
    with pytest.raises(KeyboardInterrupt):
        resume(run, reporter=Notes("training", 2))
    with pytest.raises(KeyboardInterrupt):
        resume(run, reporter=Notes("training", 3))
    resume(run)
    assert_same_run(run, whole)


def test_a_corrupt_checkpoint_is_passed_over_for_the_one_before(whole: Path, tmp_path: Path) -> None:
    run = interrupted(tmp_path / "run", "training", 3, checkpoint_seconds=0)
    newest = checkpoint.latest(run / "checkpoints")
    assert newest is not None
    file = newest / "policy" / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    older = checkpoint.latest(run / "checkpoints")
    assert older is not None
    assert older.name < newest.name
    reporter = Notes()
    resume(run, reporter=reporter)
    told, resumed, moved = reporter.notes[1:4]
    assert told.startswith(f"checkpoint {newest.name} is corrupt, the one before it is tried: {file} is not what was")
    assert resumed == f"resumed from {older}"
    assert str(run / "corrupt" / newest.name) in moved
    assert (run / "corrupt" / newest.name / "policy" / "model.safetensors").read_bytes() == bytes(content)
    assert_same_run(run, whole)


def test_without_any_complete_checkpoint_nothing_is_erased(tmp_path: Path) -> None:
    run = interrupted(tmp_path / "run", "training", 1)
    for manifest in (run / "checkpoints").glob("*/manifest.json"):
        manifest.unlink()
    files = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    reporter = Notes()
    with pytest.raises(UserError, match="no complete checkpoint to go on from, and to begin anew would erase what it"):
        resume(run, reporter=reporter)
    assert [note.partition(" is corrupt")[1] for note in reporter.notes[1:]] == [" is corrupt"] * len(
        list((run / "checkpoints").iterdir())
    )
    assert {file: file.read_bytes() for file in run.rglob("*") if file.is_file()} == files


@pytest.mark.slow
def test_killed_before_the_first_checkpoint_it_begins_anew(whole: Path, tmp_path: Path) -> None:
    run = interrupted(tmp_path / "run", "warm start", 1)
    shutil.rmtree(run / "checkpoints")  # as if it had been killed there and then
    (run / ".beginning").touch()
    assert history(run)
    reporter = Notes()
    resume(run, reporter=reporter)
    assert reporter.notes[1] == "there is no complete checkpoint: the run begins anew"
    assert_same_run(run, whole)


def test_what_is_half_written_is_not_resumed_from(whole: Path, tmp_path: Path) -> None:
    run = interrupted(tmp_path / "run", "training", 1)
    half = run / "checkpoints" / ".2-train-000009.partial"
    half.mkdir()
    (half / "state.json").write_text("{")
    (half / "manifest.json").write_text("{}")
    with (run / "metrics.jsonl").open("a") as stream:
        stream.write('{"stage": "tra')  # a line that a power cut left
    resume(run)
    assert not half.exists()
    assert_same_run(run, whole)


def test_a_finished_run_stays_as_it_is(whole: Path) -> None:
    before = (whole / "report.json").read_bytes(), weights(whole)
    assert resume(whole) == whole
    assert ((whole / "report.json").read_bytes(), weights(whole)) == before


def test_what_a_kill_left_of_older_checkpoints_goes(whole: Path, tmp_path: Path) -> None:
    """It came when the last was written and the oldest not yet deleted, and nothing more is written."""
    run = shutil.copytree(whole, tmp_path / "run", symlinks=True)
    kept = sorted(path.name for path in (run / "checkpoints").iterdir())
    shutil.copytree(run / "checkpoints" / kept[0], run / "checkpoints" / "0-older-000001")
    assert resume(run) == run
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == kept


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        *(pytest.param(s, marks=NIGHTLY) for s in (signal.SIGINT, signal.SIGHUP)),
    ],
)
def test_a_real_signal(sent: signal.Signals, whole: Path, tmp_path: Path) -> None:
    run, config = tmp_path / "run", tmp_path / "settings.json"
    config.write_text(json.dumps({**SETTINGS, "output": str(run)}))
    code = (
        "import json, sys, torch, agentgym.launch as launch, agentgym.cli as cli; torch.set_num_threads(1); "
        "given = json.load(open(sys.argv[1])); "
        "cli.cli.commands['train'].callback = lambda **_: launch.train(given); sys.argv = ['agentgym', 'train']; "
        "cli.main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(config)], env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE
    )
    metrics = run / "metrics.jsonl"
    began = eventually(lambda: process.poll() is not None or (metrics.exists() and "\n" in metrics.read_text()), 120)
    assert began, "nothing was learned yet"
    assert process.poll() is None, process.communicate()[1].decode()
    process.send_signal(sent)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors.decode()
    assert "Traceback" not in errors.decode()
    assert checkpoint.latest(run / "checkpoints") is not None
    resume(run)
    assert_same_run(run, whole)


# -- other settings, another model, a lost policy ------------------------------------------------------


def test_settings_that_may_change_are_taken_up_and_recorded(whole: Path, tmp_path: Path) -> None:
    run = interrupted(tmp_path / "run", "training", 2, updates=2)
    before = json.loads((run / "config.json").read_text())
    with pytest.raises(ConfigError, match="updates: found 4, the run has 2"):
        resume(run, {"updates": 4})
    assert json.loads((run / "config.json").read_text()) == before
    resume(run, {"updates": 4}, force=True)
    assert_same_run(run, whole)  # nothing here depends on how many updates there will be
    assert json.loads((run / "config.json").read_text()) == {**before, "updates": 4}
    (old,) = run.glob("config-until-*.json")
    assert old.name == "config-until-2-train-000002.json"
    assert json.loads(old.read_text()) == before
    with pytest.raises(ConfigError, match="is over, and with it its optimizer; leave out updates"):
        resume(run, {"updates": 9}, force=True)


def test_a_setting_that_does_not_fit_the_checkpoint_changes_nothing(tmp_path: Path) -> None:
    run = interrupted(tmp_path / "run", "training", 2)
    files = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    with pytest.raises(UserError, match=r"holds the modules \[\], the trainer has \['reference'\]"):
        resume(run, {"trainer": {"kl_coefficient": 0.1}}, force=True)
    assert {file: file.read_bytes() for file in run.rglob("*") if file.is_file()} == files


def test_force_config_goes_with_resume(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="--force-config has no effect without --resume RUN"):
        cli.cli.main(["train", "--env", BELL, "--force-config"], standalone_mode=False)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_changed_under_the_run_is_refused(tmp_path: Path) -> None:
    tokenizer = byte_tokenizer()
    tokenizer.save_pretrained(tmp_path / "model")
    tiny_model(vocab_size=len(tokenizer), initializer_range=0.02).save_pretrained(tmp_path / "model")
    changes = {"model": str(tmp_path / "model"), "protocol": "plain", "warm_start": {}, "updates": 2}
    run = interrupted(tmp_path / "run", "training", 1, **changes)
    (tmp_path / "model" / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"is not the model that .* began with: config\.json changed since"):
        resume(run)


def test_one_process_trains_a_run(whole: Path, tmp_path: Path) -> None:
    run = interrupted(tmp_path / "run", "training", 2)
    with Run.open(run).locked(), pytest.raises(UserError, match="is being trained by another process"):
        resume(run)


def spoil(policy: Path) -> None:
    file = policy / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def test_a_best_policy_that_is_lost_is_told_and_the_next_one_kept(tmp_path: Path) -> None:
    run = interrupted(tmp_path / "run", "training", 3)
    spoil(run / "policy")
    reporter = Notes()
    resume(run, reporter=reporter)
    (told,) = (note for note in reporter.notes if note.startswith("the best policy so far"))
    assert "model.safetensors is not what was written" in told
    assert report(run)["best_update"] == 4
    assert (run / "corrupt").is_dir()
    sealed.check((run / "policy").resolve())


def test_a_best_policy_that_is_lost_after_training_is_in_the_checkpoint(whole: Path, tmp_path: Path) -> None:
    run = interrupted(tmp_path / "run", "test, after training", 3)
    expected = weights(run)
    spoil(run / "policy")
    resume(run)
    assert weights(run) == expected == weights(whole)


def test_the_report_counts_the_ledger(whole: Path) -> None:
    counts = report(whole)["ledger"]
    assert sum(counts.values()) == 4 * 3  # updates, groups
    assert set(counts) <= {"trained", "rejected: equal rewards"}


def test_a_ledger_that_does_not_add_up_is_told(tmp_path: Path) -> None:
    run = interrupted(tmp_path / "run", "training", 2)
    text = (run / "ledger.jsonl").read_text()
    assert text.count('"ordinal":5,') == 1
    (run / "ledger.jsonl").write_text(text.replace('"ordinal":5,', '"ordinal":0,'))
    reporter = Notes()
    resume(run, reporter=reporter)
    assert "the ledger does not add up: task ordinal 0 is in the ledger twice, in updates 1 and 2" in reporter.notes
    assert "ordinal 0 is in the ledger twice" in report(run)["ledger"]["problem"]
