from __future__ import annotations

import errno
import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]

from agentgym.errors import DataError, UserError
from agentgym.ledger import Entry
from agentgym.run import Run, refuse_taken
from tests.unit.test_store import trajectory


def test_a_directory_holds_one_run(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "deep" / "run", {"seed": 3})
    assert Run.open(run.directory).config == {"seed": 3}
    with pytest.raises(UserError, match=f"agentgym train --resume {run.directory}"):
        Run.create(run.directory, {"seed": 4})
    assert run.config == {"seed": 3}


def test_what_is_no_run_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is not a run directory: it has no config\.json"):
        Run.open(tmp_path)


def test_a_path_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"/file is not a writable directory; choose another --output"):
        Run.create(tmp_path / "file" / "run", {})


def test_a_file_is_the_old_one_or_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.create(tmp_path, {})
    run.write_json("report.json", {"wall_seconds": 1})

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        run.write_json("report.json", {"wall_seconds": 2})
    assert json.loads((tmp_path / "report.json").read_text()) == {"wall_seconds": 1}


def test_metrics_are_kept_in_order_and_forgotten_from_a_position_on(tmp_path: Path) -> None:
    run = Run.create(tmp_path, {})
    assert run.metrics() == []
    run.forget_after({})
    assert run.position() == {"metrics.jsonl": 0, "ledger.jsonl": 0, "episodes.sqlite": 0}
    for update in range(3):
        run.log("train", update, loss=update / 2)
    position = run.position()
    assert position["metrics.jsonl"] == (tmp_path / "metrics.jsonl").stat().st_size
    for update in range(3, 5):
        run.log("train", update, loss=update / 2)
    run.close()
    with (tmp_path / "metrics.jsonl").open("a") as stream:
        stream.write('{"stage": "tr')  # what a crash leaves
    run.forget_after(position)
    assert [(line["stage"], line["update"], line["loss"]) for line in run.metrics()] == [
        ("train", 0, 0.0),
        ("train", 1, 0.5),
        ("train", 2, 1.0),
    ]
    run.log("train", 3, loss=9.0)
    run.close()
    assert [line["update"] for line in run.metrics()] == [0, 1, 2, 3]
    assert list((tmp_path / "tensorboard").iterdir()) != []


def entries(*ordinals: int) -> list[Entry]:
    return [Entry(ordinal=n, task=n, update=1, fate="trained") for n in ordinals]


def test_the_ledger_is_cut_back_with_the_metrics(tmp_path: Path) -> None:
    run = Run.create(tmp_path, {})
    run.account(entries(0, 1))
    position = run.position()
    run.account(entries(2, 3))
    assert run.ledger() == entries(0, 1, 2, 3)
    run.forget_after(position)
    assert run.ledger() == entries(0, 1)


@pytest.mark.parametrize("name", ["metrics.jsonl", "ledger.jsonl"])
def test_what_the_checkpoint_counts_on_must_be_there(name: str, tmp_path: Path) -> None:
    run = Run.create(tmp_path, {})
    for file in ("metrics.jsonl", "ledger.jsonl"):
        (tmp_path / file).write_text("0123456789\n" * 2)
    run.episodes.append([trajectory(0)])
    position = run.position()
    run.close()
    (tmp_path / "episodes.sqlite").unlink()  # this may go
    (tmp_path / name).write_text("0123456789\n")
    with pytest.raises(DataError, match=rf"{name} has 11 bytes, but had 22 when the checkpoint was made; put it back"):
        run.forget_after(position)
    (tmp_path / name).write_text("0123456789\n" * 3)
    run.forget_after(position)
    assert (tmp_path / name).read_text() == "0123456789\n" * 2


def shown(run: Run) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard makes of its directory: (step, value) of each tag."""
    run.close()
    board = EventAccumulator(str(run.directory / "tensorboard"), size_guidance={"scalars": 0})
    board.Reload()
    return {
        tag: [(event.step, round(event.value, 3)) for event in board.Scalars(tag)] for tag in board.Tags()["scalars"]
    }


def test_tensorboard_shows_what_was_done_again_once(tmp_path: Path) -> None:
    run = Run.create(tmp_path, {})
    for update in range(1, 7):
        run.log("warm_start", update, loss=update)
    for update in (1, 2):
        run.log("train", update, loss=update)
    position = run.position()
    for update in (3, 4):
        run.log("train", update, loss=99, forgotten=1)
    run.close()
    again = Run.open(tmp_path)
    again.forget_after(position)
    again.draw_tensorboard_anew()
    for update in (3, 4, 5):
        again.log("train", update, loss=update)
    assert shown(again) == {
        "warm_start/loss": [(n, n) for n in range(1, 7)],  # though training counts from 1 again
        "train/loss": [(n, n) for n in range(1, 6)],
    }


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("not JSON", "line 2 is not JSON: Expecting value"),
        ("\xff\0", "line 2 is not JSON: "),
        ("[" * 100_000, "line 2 is not JSON: "),
        ("5", "line 2 is 5, expected a JSON object"),
        ('{"stage": 3, "update": 1}', 'line 2 has no "stage" and "update"'),
        ('{"stage": "train"}', 'line 2 has no "stage" and "update"'),
        ('{"stage": "train", "update": 1, "loss": "low"}', "line 2: \"loss\" is 'low', expected a number"),
    ],
)
def test_a_damaged_line_of_the_metrics_is_named(line: str, told: str, tmp_path: Path) -> None:
    run = Run.create(tmp_path, {})
    run.log("train", 1, loss=0.5)
    run.close()
    with (tmp_path / "metrics.jsonl").open("ab") as stream:
        stream.write(line.encode("latin-1") + b"\n")
    with pytest.raises(DataError, match=rf"{tmp_path}/metrics\.jsonl, {re.escape(told)}"):
        run.metrics()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "line 2 is not JSON: "),
        ("null", "line 2 is None, expected a JSON object"),
        ("{}", "line 2: ordinal: Field required"),
        ('{"ordinal": -1, "task": 0, "update": 1, "fate": "trained"}', "line 2: ordinal: Input should be greater"),
        ('{"ordinal": 1, "task": 0, "update": 1, "fate": "lost"}', "line 2: fate: Input should be 'trained'"),
    ],
)
def test_a_damaged_line_of_the_ledger_is_named(line: str, told: str, tmp_path: Path) -> None:
    run = Run.create(tmp_path, {})
    run.account(entries(0))
    with (tmp_path / "ledger.jsonl").open("a") as stream:
        stream.write(line + "\n")
    with pytest.raises(DataError, match=rf"{tmp_path}/ledger\.jsonl, {re.escape(told)}"):
        run.ledger()


def test_a_last_line_that_is_being_written_is_left_out(tmp_path: Path) -> None:
    run = Run.create(tmp_path, {})
    run.account(entries(0))
    run.log("train", 1, loss=0.5)
    run.close()
    for name in ("metrics.jsonl", "ledger.jsonl"):
        with (tmp_path / name).open("a") as stream:
            stream.write('{"stage": "tr')
    assert ([line["loss"] for line in run.metrics()], run.ledger()) == ([0.5], entries(0))


@pytest.mark.parametrize(
    ("places", "told"),
    [
        ("{", r"places\.json is not JSON"),
        ("[]", r"places\.json is not a JSON object"),
        ('{"/gone": 3}', r'places\.json: "/gone" is 3, expected where it is from'),
        ('{"/gone": "/etc"}', "places\\.json: \"/gone\" is '/etc', expected where it is from"),
    ],
)
def test_damaged_places_are_told(places: str, told: str, tmp_path: Path) -> None:
    run = Run.create(tmp_path, {"env": "/gone"})
    (tmp_path / "places.json").write_text(places)
    with pytest.raises(DataError, match=told):
        _ = run.config


def test_a_second_start_changes_nothing_of_the_first(tmp_path: Path) -> None:
    """Both were told that the directory is free; then one is faster."""
    one, other = Run(tmp_path / "run"), Run(tmp_path / "run")
    with one.claimed():
        with pytest.raises(UserError, match="is being trained by another process"), other.claimed():
            pass
        one.begin({"seed": 1})
        with pytest.raises(UserError, match="already holds a run"), other.claimed():
            pass
    with pytest.raises(UserError, match="already holds a run"), other.claimed():
        pass
    assert one.config == {"seed": 1}


def test_a_run_that_came_between_the_look_and_the_lock_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, locked = Run(tmp_path / "run"), Run.locked

    def late(self: Run) -> Any:
        monkeypatch.setattr(Run, "locked", locked)
        Run.create(tmp_path / "run", {"seed": 1})
        return locked(self)

    monkeypatch.setattr(Run, "locked", late)
    with pytest.raises(UserError, match="already holds a run"), run.claimed():
        pass
    assert run.config == {"seed": 1}


@pytest.mark.parametrize("name", ["metrics.jsonl", "episodes.sqlite", "policy", "checkpoints", "report.md"])
def test_what_a_run_would_overwrite_is_not_a_place_for_one(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.txt").write_text("years")
    with pytest.raises(UserError, match=rf"{tmp_path} has {name} already, which a run would overwrite; choose another"):
        Run.create(tmp_path, {})
    assert (tmp_path / name / "thesis.txt").read_text() == "years"
    assert not (tmp_path / "config.json").exists()


@pytest.mark.parametrize("name", [".lock", "metrics.jsonl", ".config.json.partial", "media", "episodes.sqlite-wal"])
def test_a_new_run_writes_through_no_link(name: str, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "precious").write_text("years")
    (tmp_path / "run" / name).symlink_to(tmp_path / "precious")
    with pytest.raises(UserError, match=r"is a link to|would overwrite"):
        Run.create(tmp_path / "run", {})
    assert (tmp_path / "precious").read_text() == "years"


@pytest.mark.parametrize(
    ("name", "make", "told"),
    [
        ("ledger.jsonl", "mkdir", "ledger.jsonl is not a plain file, as that of a run is; put back what was written"),
        ("metrics.jsonl", "mkdir", "metrics.jsonl is not a plain file"),
        ("episodes.sqlite", "fifo", "episodes.sqlite is not a plain file"),
        ("watchdog.txt", "fifo", "watchdog.txt is not a plain file"),
        ("config-until-beginning.json", "mkdir", "config-until-beginning.json is not a plain file"),
        ("checkpoints", "touch", "checkpoints is not a directory"),
        ("policies", "touch", "policies is not a directory"),
        ("media", "touch", "media is not a directory"),
        ("media/ab", "touch", "media/ab is not a directory"),
        ("media/ab", "link", "media/ab is a link to /etc; a run's own files lie in its directory"),
    ],
)
def test_a_run_goes_on_with_what_a_run_makes_alone(name: str, make: str, told: str, tmp_path: Path) -> None:
    run = Run.create(tmp_path, {})
    with run.locked():
        pass
    (tmp_path / name).parent.mkdir(exist_ok=True)
    makers: dict[str, Any] = {
        "mkdir": Path.mkdir,
        "touch": Path.touch,
        "fifo": os.mkfifo,
        "link": lambda path: path.symlink_to("/etc"),
    }
    makers[make](tmp_path / name)
    with pytest.raises(DataError, match=rf"{tmp_path}/{told}"), run.locked():
        pass


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_left_in_the_way_of_a_file_goes(make: Any, tmp_path: Path) -> None:
    make(tmp_path / ".report.json.partial")
    Run(tmp_path).write_json("report.json", {"a": 1})
    assert (tmp_path / "report.json").read_text() == '{\n  "a": 1\n}\n'


def test_to_begin_anew_would_erase_the_best_policies(tmp_path: Path) -> None:
    run = Run.create(tmp_path, {})
    (run.policies / "000003").mkdir(parents=True)
    run.refuse_erasing()  # nothing was learned yet
    run.has_checkpoint()
    with pytest.raises(UserError, match="has no complete checkpoint to go on from, and to begin anew would erase"):
        run.refuse_erasing()


@pytest.mark.parametrize("target", ["policies/..", "..", "/etc", "policies/a/../../..", "policies"])
def test_the_link_to_the_best_policy_leads_to_one_of_the_runs(target: str, tmp_path: Path) -> None:
    run = Run.create(tmp_path, {})
    run.policy.symlink_to("policies/000003")
    with run.locked():
        pass
    run.policy.unlink()
    run.policy.symlink_to(target)
    with pytest.raises(DataError, match=rf"policy is a link to {re.escape(target)}; a run's own files"), run.locked():
        pass


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_run_in_a_place_that_is_only_read_does_not_go_on(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, opened = Run.create(tmp_path, {}), os.open

    def refuse(path: Any, *more: Any) -> int:
        if str(path).endswith(".lock"):
            raise OSError(number, os.strerror(number))
        return opened(path, *more)

    monkeypatch.setattr(os, "open", refuse)
    told = rf"cannot write the run directory {tmp_path}: {os.strerror(number)}; a run can go on only where it can write"
    with pytest.raises(UserError, match=told), run.locked():
        pass


def test_one_process_at_a_time(tmp_path: Path) -> None:
    run = Run.create(tmp_path, {})
    with run.locked(), pytest.raises(UserError, match="is being trained by another process"), Run(tmp_path).locked():
        pass
    with run.locked():
        pass


def test_what_cannot_be_written_is_told_before_a_run_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: False)
        with pytest.raises(UserError, match=rf"{tmp_path} is not a writable directory; choose another --output"):
            Run.create(tmp_path / "deep" / "run", {})
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", raising(OSError(28, "No space left on device")))
        with pytest.raises(UserError, match=r"cannot write the run directory .*/run: No space left on device; choose"):
            Run.create(tmp_path / "run", {}, places={"a": "b"})
    assert not (tmp_path / "run" / "config.json").exists()
    refuse_taken(tmp_path / "run")
    refuse_taken(tmp_path / "not" / "there")
    assert not (tmp_path / "not").exists()
    (tmp_path / "run" / "config.json").touch()
    with pytest.raises(UserError, match="already holds a run"):
        refuse_taken(tmp_path / "run")


def raising(error: Exception) -> Callable[..., None]:
    def fails(*_: object) -> None:
        raise error

    return fails


def test_a_relative_path_is_taken_from_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    refuse_taken(Path("deep/run"))
    with pytest.raises(UserError, match="file is not a writable directory"):
        refuse_taken(Path("file/run"))


def test_a_json_file_is_on_the_disk_before_it_takes_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, seen = Run.create(tmp_path, {}), list[str]()
    replace = os.replace

    def synced(descriptor: int) -> None:
        file = Path(f"/proc/self/fd/{descriptor}").readlink()
        seen.append(f"{file.name} has {json.loads(file.read_text())}")

    def replaced(old: Path, new: Path) -> None:
        seen.append(f"{old.name} to {new.name}")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    run.write_json("report.json", {"a": 1})
    assert seen == [".report.json.partial has {'a': 1}", ".report.json.partial to report.json"]
    assert (tmp_path / "report.json").read_text() == '{\n  "a": 1\n}\n'


def test_a_position_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, synced = Run.create(tmp_path, {}), list[str]()
    run.account(entries(0))
    (tmp_path / "metrics.jsonl").write_text("{}\n")
    run.episodes.append([trajectory(0), trajectory(1)])
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
    )
    assert run.position() == {
        "metrics.jsonl": 3,
        "ledger.jsonl": (tmp_path / "ledger.jsonl").stat().st_size,
        "episodes.sqlite": 2,
    }
    assert sorted(synced) == ["episodes.sqlite-wal", "ledger.jsonl", "metrics.jsonl"]
    run.close()


def test_episodes_are_cut_back_with_the_rest_and_nothing_is_where_one_file_is_short(tmp_path: Path) -> None:
    run = Run.create(tmp_path, {})
    run.account(entries(0))
    (tmp_path / "metrics.jsonl").write_text("{}\n")
    run.episodes.append([trajectory(0)])
    position = run.position()
    run.episodes.append([trajectory(1)])
    run.account(entries(1))
    (tmp_path / "metrics.jsonl").write_text("")
    with pytest.raises(DataError, match=r"metrics\.jsonl has 0 bytes, but had 3"):
        run.forget_after(position)
    assert (run.ledger(), run.episodes.count()) == (entries(0, 1), 2)
    (tmp_path / "metrics.jsonl").write_text("{}\n")
    run.forget_after(position)
    assert (run.ledger(), run.episodes.count()) == (entries(0), 1)
    run.forget_after({})
    assert (run.ledger(), run.metrics(), run.episodes.count()) == ([], [], 0)
    run.close()


def test_a_line_of_metrics_says_when_and_tensorboard_shows_its_numbers_alone(tmp_path: Path) -> None:
    run = Run.create(tmp_path, {})
    run.log("train", 3, loss=0.5, reward=1.0)
    (line,) = run.metrics()
    assert list(line) == ["stage", "update", "time", "loss", "reward"]
    assert round(line["time"], 3) == line["time"] == pytest.approx(time.time(), abs=600)
    assert shown(run) == {"train/loss": [(3, 0.5)], "train/reward": [(3, 1.0)]}


def test_tensorboard_is_empty_again_where_nothing_is_left_of_the_metrics(tmp_path: Path) -> None:
    run = Run.create(tmp_path, {})
    run.log("train", 1, loss=1)
    run.close()
    run.forget_after({})
    run.draw_tensorboard_anew()
    assert list((tmp_path / "tensorboard").iterdir()) == []


def test_closing_lets_go_of_everything_and_it_can_be_gone_on_with(tmp_path: Path) -> None:
    run = Run.create(tmp_path, {})
    for number in (1, 2):
        run.log("train", number, loss=number)
        run.episodes.append([trajectory(number)])
        run.close()
        held = [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if is_link(name)]
        assert [name for name in held if str(tmp_path) in name] == []
    assert (len(run.metrics()), run.episodes.count()) == (2, 2)
    run.close()


def is_link(descriptor: str) -> bool:
    return Path(f"/proc/self/fd/{descriptor}").is_symlink()


def test_tensorboards_writer_is_closed_and_another_one_made_when_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    class Writer:
        def __init__(self, directory: str, **options: object) -> None:
            seen.append(f"made in {Path(directory).name} with {options}")

        def add_scalar(self, tag: str, value: float, step: int, _: float) -> None:
            seen.append(f"{tag} {step} is {value}")

        def close(self) -> None:
            seen.append("closed")

    monkeypatch.setattr("torch.utils.tensorboard.SummaryWriter", Writer)
    run = Run.create(tmp_path, {})
    run.log("train", 1, loss=0.5)
    run.log("train", 2, loss=0.25)
    run.close()
    run.close()
    run.draw_tensorboard_anew()
    assert seen == [
        "made in tensorboard with {}",
        "train/loss 1 is 0.5",
        "train/loss 2 is 0.25",
        "closed",
        "made in tensorboard with {'purge_step': 0}",  # a viewer that runs forgets what it read
        "train/loss 1 is 0.5",
        "train/loss 2 is 0.25",
    ]
