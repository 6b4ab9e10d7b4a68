"""Silence ends a process, with a dump; and how late an event loop is."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import os
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agentgym.watchdog import EXIT_CODE, LastResort, LoopLag, Watchdog, frozen_heap
from tests.kit import until
from tests.unit.rollout.kit import timeless


@dataclasses.dataclass
class World:
    """A clock that a test turns, and what is done to the process."""

    now: float = 128.0
    looked: int = 0
    kills: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    ended: list[int] = dataclasses.field(default_factory=list)

    def monotonic(self) -> float:
        self.looked += 1
        return self.now

    def kill(self, process: int, number: int) -> None:
        self.kills.append((process, number))

    async def looks(self) -> None:
        """Until the watchdog looked at the clock as it is now."""
        seen = self.looked
        await until(lambda: self.looked >= seen + 2 or bool(self.kills))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr("agentgym.watchdog.time", SimpleNamespace(monotonic=made.monotonic))
    monkeypatch.setattr("agentgym.watchdog.os", SimpleNamespace(kill=made.kill, getpid=os.getpid))
    return made


SECONDS = 2**-5
"""Whose sums are exact."""


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "watchdog"]


def watchdog(world: World, dump: Path, grace: float = 60.0) -> Watchdog:
    return Watchdog(SECONDS, dump, grace=grace, end=world.ended.append)


def test_it_bites_once_more_than_the_seconds_have_passed_since_the_last_beat(world: World, tmp_path: Path) -> None:
    async def main() -> None:
        dog = watchdog(world, tmp_path / "dump")
        world.now += 1000  # before it watches nobody is waited for
        with dog.watching():
            for _ in range(2):
                world.now += SECONDS
                await world.looks()
                assert world.kills == []
                dog.beat()
            world.now += SECONDS + 2**-20
            await until(lambda: bool(world.kills))
        assert threads() == []

    asyncio.run(main())
    assert world.kills == [(os.getpid(), signal.SIGTERM)]
    assert world.ended == [], "it ended by itself"
    assert (tmp_path / "dump").read_text().startswith("no progress for 0.03125 s. \n")


def test_what_ended_is_not_watched_any_more(world: World, tmp_path: Path) -> None:
    async def main() -> None:
        with watchdog(world, tmp_path / "dump").watching():
            await world.looks()
        assert threads() == []

    asyncio.run(main())
    assert (world.kills, (tmp_path / "dump").exists()) == ([], False)


def test_what_does_not_end_in_its_grace_is_ended_by_force(world: World, tmp_path: Path) -> None:
    async def main() -> None:
        with watchdog(world, tmp_path / "dump", grace=0.0).watching(lambda: "7 under way"):
            world.now += 1
            await until(lambda: bool(world.ended))

    asyncio.run(main())
    assert world.ended == [70]
    assert (tmp_path / "dump").read_text().startswith("no progress for 0.03125 s. 7 under way\n")


@pytest.mark.parametrize(("seconds", "between"), [(2**-5, 2**-7), (4.0, 1.0), (300.0, 1.0)])
def test_it_looks_four_times_and_every_second(
    seconds: float, between: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float | None] = []

    class Over(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout)
            return super().wait(0.001)

    monkeypatch.setattr("agentgym.watchdog.threading", SimpleNamespace(Event=Over, Thread=threading.Thread))
    monkeypatch.setattr("agentgym.watchdog.time", SimpleNamespace(monotonic=lambda: 0.0))

    async def main() -> None:
        with Watchdog(seconds, tmp_path / "dump").watching():
            await until(lambda: len(waited) > 2)

    asyncio.run(main())
    assert set(waited) == {between}


def test_it_has_half_a_minute_to_end_by_itself() -> None:
    assert Watchdog(None, Path("dump")).grace == 30.0


def test_without_seconds_nobody_watches(world: World, tmp_path: Path) -> None:
    async def main() -> None:
        with Watchdog(None, tmp_path / "dump").watching():
            assert threads() == []

    asyncio.run(main())


def test_the_lag_is_how_long_the_loop_was_held_up(monkeypatch: pytest.MonkeyPatch) -> None:
    held = 0.0

    def hold_up() -> None:
        nonlocal held
        held += 0.25

    async def main() -> LoopLag:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr("agentgym.watchdog.time", SimpleNamespace(perf_counter=lambda: loop.time() + held))
        async with LoopLag() as lag:
            loop.call_later(0.025, hold_up)
            await asyncio.sleep(0.055)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await asyncio.sleep(1)
        return lag

    lag = timeless(main())
    assert lag.seconds == pytest.approx([0.0, 0.0, 0.25, 0.0, 0.0], abs=1e-6)


@pytest.mark.parametrize(
    ("seconds", "share", "expected"),
    [
        ([], 0.99, 0.0),
        ([0.5], 0.0, 0.5),
        ([0.5], 1.0, 0.5),
        ([0.4, 0.1, 0.3, 0.2], 0.0, 0.1),
        ([0.4, 0.1, 0.3, 0.2], 0.5, 0.3),
        ([0.4, 0.1, 0.3, 0.2], 0.74, 0.3),
        ([0.4, 0.1, 0.3, 0.2], 1.0, 0.4),
        ([-0.1, -0.2], 1.0, 0.0),
    ],
)
def test_a_quantile_of_the_lag(seconds: list[float], share: float, expected: float) -> None:
    lag = LoopLag()
    lag.seconds = seconds
    assert lag.quantile(share) == expected


@pytest.mark.usefixtures("thawed")
def test_garbage_is_collected_before_the_heap_is_frozen() -> None:
    class Ring:
        def __init__(self) -> None:
            self.ring = self

    gc.disable()
    try:
        gone = weakref.ref(Ring())
        assert gone() is not None
        with frozen_heap():
            assert gone() is None
    finally:
        gc.enable()


@pytest.mark.usefixtures("thawed")
def test_a_heap_thaws_though_the_body_raises() -> None:
    with pytest.raises(KeyError), frozen_heap():
        raise KeyError
    assert gc.get_freeze_count() == 0


@pytest.mark.usefixtures("thawed")
def test_what_somebody_else_has_frozen_stays_so() -> None:
    gc.freeze()
    before = gc.get_freeze_count()
    with frozen_heap():
        assert gc.get_freeze_count() == before
    assert gc.get_freeze_count() == before


@pytest.mark.usefixtures("thawed")
def test_a_frozen_heap_is_not_walked_over_and_comes_back() -> None:
    before = gc.get_freeze_count()
    with frozen_heap():
        assert gc.get_freeze_count() > before + 10_000
        assert len(gc.get_objects(generation=2)) < 1_000
    assert gc.get_freeze_count() == 0


STUCK = """
import asyncio, signal, sys, time
from pathlib import Path
from agentgym.watchdog import Watchdog

how = sys.argv[2]
if how == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))

async def waits_for_ever():
    await asyncio.Event().wait()

async def main():
    grace = 60 if how == "waiting" else 0.1
    with Watchdog(0.3, Path(sys.argv[1]), grace=grace).watching(lambda: "7 episodes under way"):
        waiting = asyncio.create_task(waits_for_ever())
        if how == "busy":
            while True:
                sum(range(1000))
        await waiting

try:
    asyncio.run(main())
except KeyboardInterrupt:
    sys.exit(130)
"""


def ended(tmp_path: Path, how: str) -> tuple[int, str, str]:
    dump = tmp_path / "watchdog.txt"
    done = subprocess.run(
        [sys.executable, "-c", STUCK, str(dump), how], capture_output=True, text=True, timeout=300, check=False
    )
    return done.returncode, dump.read_text(), done.stderr


def test_silence_ends_the_process_with_a_dump_of_threads_and_tasks(tmp_path: Path) -> None:
    code, dump, told = ended(tmp_path, "waiting")
    assert code == 130
    assert dump.startswith("no progress for 0.3 s. 7 episodes under way\n")
    assert "waits_for_ever" in dump
    assert "Thread 0x" in dump
    assert "error: no progress for 0.3 s; what every thread and task was doing is in" in told


def test_a_loop_that_is_stuck_is_seen_too(tmp_path: Path) -> None:
    code, dump, _ = ended(tmp_path, "busy")
    assert code == EXIT_CODE  # a loop that never comes back cannot be asked to end
    assert "in main" in dump


HELD = """
import asyncio, re, sys, threading, time
from pathlib import Path
from agentgym import watchdog

watchdog._SLACK = 0.5

async def main():
    with watchdog.Watchdog(0.5, Path(sys.argv[1])).watching():
        threading.Thread(target=re.match, args=("(a+)+$", "a" * 40 + "!")).start()
        await asyncio.sleep(100)

asyncio.run(main())
"""


def test_a_thread_that_keeps_the_interpreter_to_itself_is_ended_too(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELD, str(tmp_path / "dump")], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Timeout (0:00:01)!\n")
    assert "Thread 0x" in done.stderr


@pytest.mark.parametrize("raises", [False, True])
def test_a_last_resort_waits_as_long_as_the_body_takes(raises: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(
        "agentgym.watchdog.faulthandler",
        SimpleNamespace(
            dump_traceback_later=lambda seconds, **how: told.append((seconds, how)),
            cancel_dump_traceback_later=lambda: told.append("over"),
        ),
    )
    with contextlib.suppress(KeyError), LastResort(7.0):
        told.append("body")
        if raises:
            raise KeyError
    assert told == [(7.0, {"exit": True, "file": 2}), "body", "over"]


def test_a_last_resort_within_itself_waits_anew_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    moments = iter([10.0, 10.5, 11.5, 11.6])
    monkeypatch.setattr("agentgym.watchdog.time", SimpleNamespace(monotonic=lambda: next(moments)))
    monkeypatch.setattr(LastResort, "arm", lambda self: told.append("armed"))
    monkeypatch.setattr(LastResort, "disarm", lambda self: told.append("over"))
    resort = LastResort(7.0)
    with resort:
        for number in range(3):
            with resort:
                told.append(number)
    assert told == ["armed", 0, "armed", 1, 2, "over"]


def test_a_process_that_does_not_end_is_ended(tmp_path: Path) -> None:
    code, _, _ = ended(tmp_path, "stubborn")
    assert code == EXIT_CODE


def test_a_dump_that_cannot_be_written_is_told_and_the_process_is_ended(
    world: World, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def main() -> None:
        with watchdog(world, tmp_path / "none" / "dump", grace=0.0).watching(lambda: "7 under way"):
            world.now += 1
            await until(lambda: bool(world.ended))

    asyncio.run(main())
    told = capfd.readouterr().err
    assert "no progress for 0.03125 s. 7 under way\n" in told
    assert "what every thread and task was doing stands above: [Errno 2] No such file" in told
