"""A run from stage to stage: what is saved when, and where one that goes on stands."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agentgym.errors import UserError
from agentgym.launch.learning import Train
from agentgym.launch.stage import Clock, Stage, Workbench
from agentgym.launch.training import Training, seed_all
from agentgym.learn import checkpoint
from agentgym.ledger import Entry
from tests.kit import episode, report
from tests.unit.launch.kit import Pupil, mark, marked, notes_of, workbench


class Steps(Stage):
    """Takes ``num`` steps, and writes down what happens to it."""

    def __init__(self, bench: Workbench, name: str, num: int, log: list[str]) -> None:
        super().__init__(bench)
        self.name, self.num, self.log = name, num, log
        self.trouble: dict[int, BaseException] = {}
        self.whole = True

    @property
    def is_whole(self) -> bool:
        return self.whole

    def open(self) -> None:
        self.log.append(f"open {self.name}")

    async def run(self, pause: Callable[[], None]) -> None:
        while self.at < self.num:
            if self.at in self.trouble:
                raise self.trouble[self.at]
            self.at += 1
            self.log.append(f"{self.name} {self.at}")
            pause()

    async def close(self) -> None:
        self.log.append(f"close {self.name}")


def training(bench: Workbench, *nums: int) -> tuple[Training, list[str], list[Steps]]:
    log: list[str] = []
    stages = [Steps(bench, name, num, log) for name, num in zip(("one", "two", "three"), nums, strict=False)]
    return Training(bench, stages), log, stages


def saved(bench: Workbench) -> list[str]:
    return [path.name for path in checkpoint.finished(bench.run.checkpoints)]


def bench_of(folder: Path, **given: Any) -> Workbench:
    """With what the report at the end asks for."""
    bench = workbench(folder, **{"keep_checkpoints": 9, "checkpoint_seconds": 1e6, **given})
    measured = {"success": 0.5, "ci95": [0.25, 0.75], "reward": 0.5, "episodes": 4, "tasks": 4}
    bench.report["eval"] = {name: {**measured, "greedy": measured} for name in ("before", "after")}
    bench.report["stages"]["train"], bench.report["best_update"] = {"updates": 1, "seconds": 1.0}, 0
    return bench


def test_stages_are_opened_run_and_closed_one_after_the_other_and_each_end_is_saved(tmp_path: Path) -> None:
    bench = bench_of(tmp_path)
    run, log, _ = training(bench, 2, 1)
    run.begin()
    asyncio.run(run.go())
    assert log == ["open one", "one 1", "one 2", "close one", "open two", "two 1", "close two"]
    assert saved(bench) == ["1-two-000000", "2-done-000000"]
    assert run.stage is None
    assert (bench.run.directory / "report.json").is_file()
    assert bench.report["ledger"] == {}


@pytest.mark.parametrize(("seconds", "expected"), [(0.0, 3), (1e6, 1)])
def test_between_two_steps_it_is_saved_when_it_is_time(seconds: float, expected: int, tmp_path: Path) -> None:
    bench = bench_of(tmp_path, checkpoint_seconds=seconds)
    run, _, _ = training(bench, 2)
    run.begin()
    asyncio.run(run.go())
    assert len(saved(bench)) == expected


def test_a_checkpoint_is_due_so_long_after_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1e9]
    monkeypatch.setattr("agentgym.launch.training.time.monotonic", lambda: now[0])
    bench = bench_of(tmp_path, checkpoint_seconds=10.0)
    run, _, (stage,) = training(bench, 9)
    run.begin()
    seconds = iter(
        [5.0, 5.0, 5.0, 4.0, 1.0, 9.0, 0.5, 0.5, 0.0]
    )  # step 2 is 10 after the beginning, 5 after 2, 8 after 5
    steps = stage.run

    async def slowly(pause: Callable[[], None]) -> None:
        def step() -> None:
            now[0] += next(seconds)
            pause()

        await steps(step)

    stage.run = slowly  # type: ignore[method-assign]
    asyncio.run(run.go())
    assert saved(bench) == ["0-one-000002", "0-one-000005", "0-one-000008", "1-done-000000"]


def test_so_many_checkpoints_are_kept_as_the_settings_say(tmp_path: Path) -> None:
    bench = bench_of(tmp_path, checkpoint_seconds=0.0, keep_checkpoints=2)
    run, _, _ = training(bench, 5)
    run.begin()
    asyncio.run(run.go())
    assert saved(bench) == ["0-one-000005", "1-done-000000"]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, asyncio.CancelledError])
@pytest.mark.parametrize("whole", [True, False])
def test_an_interruption_is_saved_where_the_stage_is_whole(
    whole: bool, kind: type[BaseException], tmp_path: Path
) -> None:
    bench = bench_of(tmp_path)
    run, log, (stage,) = training(bench, 3)
    stage.trouble, stage.whole = {1: kind()}, whole
    run.begin()
    with pytest.raises(kind):
        asyncio.run(run.go())
    assert saved(bench) == (["0-one-000001"] if whole else [])
    assert notes_of(bench)[-1] == f"interrupted; go on with: agentgym train --resume {bench.run.directory}"
    assert "close one" not in log  # by whoever opened the training
    asyncio.run(run.aclose())
    assert log[-1] == "close one"


def test_another_error_saves_nothing(tmp_path: Path) -> None:
    bench = bench_of(tmp_path)
    run, _, (stage,) = training(bench, 3)
    stage.trouble = {1: ValueError("broken")}
    run.begin()
    with pytest.raises(ValueError, match="broken"):
        asyncio.run(run.go())
    assert saved(bench) == []


@pytest.mark.parametrize(("number", "kind"), [(28, UserError), (2, OSError)])
def test_a_full_disk_is_told_with_what_to_do(number: int, kind: type[Exception], tmp_path: Path) -> None:
    bench = bench_of(tmp_path)
    run, _, (stage,) = training(bench, 3)
    stage.trouble = {1: OSError(number, "trouble")}
    run.begin()
    with pytest.raises(kind, match="make room, then type" if kind is UserError else "trouble"):
        asyncio.run(run.go())


def test_where_a_checkpoint_cannot_be_written_training_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = bench_of(tmp_path)
    run, _, _ = training(bench, 1)
    run.begin()

    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "no space")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", full)
        run.save()
    assert "training goes on, but --resume would begin anew until there is room again" in notes_of(bench)[-1]
    run.save()
    monkeypatch.setattr(checkpoint, "save", full)
    run.save()
    assert "--resume would go back to 0-one-000000 until" in notes_of(bench)[-1]


def test_a_run_stands_where_its_checkpoint_was_made(tmp_path: Path) -> None:
    """Whatever was logged, accounted for and kept after it is forgotten."""
    bench = bench_of(tmp_path)
    clock: Any = bench.clock
    run, _, stages = training(bench, 3, 3)
    run.begin()
    run.index, stages[1].at = 1, 2
    bench.report["best_update"] = 6
    bench.tally.begun, bench.tally.pending = 3, [2]
    clock.seconds = 40.0
    bench.kept.keep(bench.parts.policy, 6)
    entries = [Entry(ordinal=n, task=n, update=n + 1, fate="trained") for n in range(3)]
    bench.run.account(entries[:2])
    bench.run.episodes.append([episode(0.0)])
    run.save()
    bench.run.account(entries[2:])
    bench.run.episodes.append([episode(0.0, episode_id="later")])
    bench.kept.keep(bench.parts.policy, 9)
    (at,) = checkpoint.finished(bench.run.checkpoints)
    assert at.name == "1-two-000002"
    state = checkpoint.read_state(at)
    assert (state["stage"], state["state"], state["kept"], state["seconds"]) == ("two", {"at": 2}, "000006", 40.0)

    clock.seconds, bench.report["best_update"] = 90.0, 9
    bench.tally.begun, bench.tally.pending = 8, []
    again, log, later = training(bench, 3, 3)
    again.load(at)
    assert (again.index, later[1].at, log) == (1, 2, ["open two"])
    assert (bench.report["best_update"], clock.seconds, bench.kept.name) == (6, 40.0, "000006")
    assert (bench.tally.begun, bench.tally.pending) == (3, [2])
    assert [entry.ordinal for entry in bench.run.ledger()] == [0, 1]
    assert [each.episode_id for each in bench.run.episodes.episodes()] == ["e0"]
    assert notes_of(bench) == [f"resumed from {at}"]


def test_going_on_is_done_in_an_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage is open before it is given its state, and alarms see what is left when the rest is forgotten."""
    bench = bench_of(tmp_path)
    run, _, _ = training(bench, 3)
    run.begin()
    run.save()
    again, log, (stage,) = training(bench, 3)

    def noted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **more: Any) -> Any:
            log.append(name)
            return real(*given, **more)

        return call

    monkeypatch.setattr(checkpoint, "load", noted("checkpoint", checkpoint.load))
    monkeypatch.setattr(stage, "load_state", noted("state", stage.load_state))
    monkeypatch.setattr(bench.run, "forget_after", noted("forget", bench.run.forget_after))
    monkeypatch.setattr(bench.monitor, "replay", noted("replay", bench.monitor.replay))
    monkeypatch.setattr(bench.kept, "go_back", noted("best", bench.kept.go_back))
    again.load(checkpoint.finished(bench.run.checkpoints)[0])
    assert log == ["open one", "checkpoint", "state", "forget", "replay", "best"]


def test_a_policy_that_no_checkpoint_goes_back_to_any_more_goes(tmp_path: Path) -> None:
    bench = bench_of(tmp_path, keep_checkpoints=1)
    run, _, (stage,) = training(bench, 9)
    run.begin()
    there = []
    for update in (3, 5):
        bench.kept.keep(bench.parts.policy, update)
        there.append(sorted(path.name for path in bench.run.policies.iterdir()))
        stage.at = update
        run.save()
    assert there == [["000003"], ["000003", "000005"]]
    assert [path.name for path in bench.run.policies.iterdir()] == ["000005"]


@pytest.mark.usefixtures("thawed")
def test_a_run_is_watched_with_a_still_heap_and_its_images_in_place(tmp_path: Path) -> None:
    bench = bench_of(tmp_path)
    log: list[str] = []

    class Watching:
        @contextlib.contextmanager
        def watching(self, status: Callable[[], str]) -> Iterator[None]:
            log.append(status())
            yield
            log.append("not watched")

    watchdog: Any = Watching()
    bench = dataclasses.replace(bench, watchdog=watchdog)
    run, _, (stage,) = training(bench, 1)
    steps = stage.run

    async def seen(pause: Callable[[], None]) -> None:
        log.append("frozen" if gc.get_freeze_count() > frozen else "not frozen")
        await steps(pause)

    stage.run, frozen = seen, gc.get_freeze_count()  # type: ignore[method-assign]
    run.begin()
    asyncio.run(run.go())
    assert log == ["Stage one, update 0, 3 episodes under way, policy version 0.", "frozen", "not watched"]
    assert bench.parts.policy.tokenizer.store.directory == bench.run.directory / "media"


@pytest.mark.parametrize("trouble", [None, ValueError("broken")])
def test_whatever_ends_a_run_its_files_are_closed(
    trouble: Exception | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = bench_of(tmp_path)
    closed: list[int] = []
    monkeypatch.setattr(bench.run, "close", lambda: closed.append(1))
    run, _, (stage,) = training(bench, 2)
    stage.trouble = {1: trouble} if trouble else {}
    run.begin()
    with pytest.raises(ValueError, match="broken") if trouble else contextlib.nullcontext():
        asyncio.run(run.go())
    assert closed == [1]


def test_at_the_end_everything_is_reported(tmp_path: Path) -> None:
    bench = bench_of(tmp_path)
    clock: Any = bench.clock
    clock.seconds = 12.34
    run, _, _ = training(bench, 1)
    run.begin()
    asyncio.run(run.go())
    found = report(bench.run.directory)
    assert (found["wall_seconds"], found["num_parameters"]) == (12.3, bench.parts.policy.num_parameters)
    assert (found["alarms"], found["ledger"]) == ([], {})
    for name in ("report.md", "curves.png"):
        assert (bench.run.directory / name).stat().st_size > 0


def test_a_ledger_that_does_not_add_up_is_told(tmp_path: Path) -> None:
    bench = bench_of(tmp_path)
    run, _, _ = training(bench, 1)
    run.begin()
    bench.tally.begun = 1
    run.save()
    run.load(checkpoint.finished(bench.run.checkpoints)[0])
    assert any(note.startswith("the ledger does not add up: task ordinal 0") for note in notes_of(bench))


def test_what_learns_is_in_the_checkpoint_and_comes_back(tmp_path: Path) -> None:
    bench = bench_of(tmp_path, updates=4)
    trainer = Pupil()
    run = Training(bench, [Train(bench, trainer)])
    run.begin()
    (stage,) = run.stages
    assert isinstance(stage, Train)
    stage.loop.learner.num_updates, trainer.memory, stage.best = 7, 2.5, 0.75
    run.save()
    stage.loop.learner.num_updates, trainer.memory, stage.best = 9, 9.0, 0.0
    run.load(checkpoint.finished(bench.run.checkpoints)[0])
    assert (stage.loop.learner.num_updates, trainer.memory, stage.best) == (7, 2.5, 0.75)


@pytest.mark.parametrize("learning", [True, False])
def test_a_lost_best_policy_is_replaced(learning: bool, tmp_path: Path) -> None:
    """By the one that is loaded, or by the one that the next look finds."""
    bench = bench_of(tmp_path, updates=4)
    stage: Stage = Train(bench, Pupil()) if learning else Steps(bench, "one", 3, [])
    run = Training(bench, [stage])
    run.begin()
    bench.report["best_update"] = 2
    bench.kept.keep(bench.parts.policy, 2)
    run.save()
    (bench.run.policies / "000002" / "config.json").write_text("{}")
    mark(bench.parts.policy.module, 5.0)
    run.load(checkpoint.finished(bench.run.checkpoints)[0])
    if isinstance(stage, Train):
        assert (bench.kept.name, stage.best, stage.checked) == (None, -1.0, -1)
        return
    assert bench.kept.name == "000002"
    mark(bench.parts.policy.module, 6.0)
    bench.kept.restore(bench.parts.policy)
    assert marked(bench.parts.policy.module) == 5.0


def test_a_beginning_forgets_what_was_there(tmp_path: Path) -> None:
    bench = bench_of(tmp_path)
    bench.run.account([Entry(ordinal=0, task=0, update=1, fate="trained")])
    bench.run.episodes.append([episode(0.0)])
    bench.kept.keep(bench.parts.policy, 2)
    run, log, _ = training(bench, 1)
    random.seed(5)
    run.begin()
    assert (bench.run.ledger(), list(bench.run.episodes.episodes()), bench.kept.name) == ([], [], None)
    assert log == ["open one"]
    drawn = random.random()
    random.seed(0)  # that of the settings
    assert random.random() == drawn


def test_every_generator_is_seeded() -> None:
    drawn = []
    for seed in (3, 3, 4):
        seed_all(seed)
        drawn.append((random.random(), float(np.random.rand()), float(torch.rand(()))))
    assert drawn[0] == drawn[1]
    assert all(one != other for one, other in zip(drawn[0], drawn[2], strict=True))
    seed_all(2**40)  # NumPy takes 32 bits


def test_a_clock_leaves_interruptions_out() -> None:
    clock = Clock()
    assert 0 <= clock.elapsed < 50
    clock.go_on_from(100.0)
    assert 100 <= clock.elapsed < 150
