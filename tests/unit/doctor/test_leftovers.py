"""What counts as left behind, and where temporary files go meanwhile."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentgym import doctor
from agentgym.errors import EnvError
from tests.unit.doctor.kit import KeepsThreads, Result, Sound, Start, end_what_was_left, written_down


@pytest.fixture(autouse=True)
def _nothing_is_kept() -> Iterator[None]:
    yield
    end_what_was_left()


class Threads(Sound):
    """Begins a thread in some of its instances; a test ends them."""

    begins: frozenset[int] = frozenset()
    made: list[int]
    ends: threading.Event

    def __init__(self) -> None:
        self.made.append(len(self.made))
        if self.made[-1] in self.begins:
            threading.Thread(target=self.ends.wait, daemon=True).start()


def leaving(*begins: int) -> tuple[type[Threads], threading.Event]:
    """Each check asks one instance for its tasks, warms up with two, and plays two and two of two episodes."""
    ends = threading.Event()
    return type("Threads", (Threads,), {"begins": frozenset(begins), "made": [], "ends": ends}), ends


@pytest.mark.parametrize(
    ("begins", "is_found"),
    [((0,), False), ((1, 2), False), ((3,), False), ((3, 4), False), ((5, 6), False), ((3, 5), True), ((4, 6), True)],
)
def test_what_grows_in_both_of_two_batches_is_left_behind(begins: tuple[int, ...], is_found: bool) -> None:
    env, ends = leaving(*begins)
    try:
        if is_found:
            with pytest.raises(EnvError, match=r"^4 episodes on as many instances, all closed, left behind 2 threads$"):
                doctor.leaves_nothing_behind(env, -1.0, grace=0.0)
        else:
            assert doctor.leaves_nothing_behind(env, -1.0, grace=0.0).startswith("nothing after 4 episodes")
    finally:
        ends.set()
    assert len(env.made) == 7


def test_everything_that_is_left_is_told() -> None:
    class Both(KeepsThreads):
        def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
            tempfile.mkstemp()
            tempfile.mkdtemp()
            return super().reset(seed=seed)

    with pytest.raises(EnvError, match=r"left behind 4 threads and 8 temporary files and 4 open files$"):
        doctor.leaves_nothing_behind(Both, -1.0, grace=0.0)


def test_what_is_looked_for_is_told() -> None:
    assert doctor.leaves_nothing_behind(Sound, 600.0) == (
        "nothing after 20 episodes on as many instances: threads, temporary files, processes, open files"
    )


def test_every_other_episode_is_left_after_a_turn() -> None:
    env, log = written_down()
    doctor.leaves_nothing_behind(env, 600.0, 3)
    turns = {i: log.count(f"{i} steps") for i in range(2, 10)}
    assert list(turns.values()) == [4, 1, 4, 1, 4, 4, 1, 4]
    begun = [int(line.split()[-1]) for line in log if "begins" in line]
    assert begun == [0, 0, *[0, 333_333, 666_666] * 2]
    assert [line for line in log if "closes" in line] == [f"{i} closes" for i in range(1, 10)]


def test_what_ends_a_moment_after_it_was_told_to_is_waited_for() -> None:
    class EndsLater(Sound):
        """Its thread is told to end when somebody has looked whether it did."""

        told: list[threading.Event] = []  # noqa: RUF012

        def __init__(self) -> None:
            self.end = threading.Event()
            threading.Thread(target=self.end.wait, daemon=True).start()

        def close(self) -> None:
            self.told.append(self.end)

    def look(seconds: float) -> None:
        for end in EndsLater.told:
            end.set()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agentgym.doctor.leftovers.time.sleep", look)
        assert doctor.leaves_nothing_behind(EndsLater, -1.0, grace=60.0).startswith("nothing after 4 episodes")
    assert len(EndsLater.told) == 7
    EndsLater.told.clear()


def test_grace_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        assert len(slept) < 100
        clock[0] += 1.0

    monkeypatch.setattr("time.sleep", sleep)
    with pytest.raises(EnvError, match=r"left behind 4 threads$"):
        doctor.leaves_nothing_behind(KeepsThreads, -1.0, grace=2.0)
    assert len(slept) == 2 * 3  # after 0, 1 and 2 seconds, once a batch


def test_each_batch_has_a_third_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])

    class Slow(Sound):
        """An episode takes a second."""

        def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
            clock[0] += 1.0
            return super().reset(seed=seed)

    assert doctor.leaves_nothing_behind(Slow, 9.0, grace=0.0).startswith(
        "nothing after 8 episodes"
    )  # 3 s, and one more


class Temporary(Sound):
    """Tells where temporary files go."""

    seen: list[tuple[str, str | None]]

    def step(self, action: str) -> Result:
        self.seen.append((tempfile.gettempdir(), os.environ.get("TMPDIR")))
        return super().step(action)


@pytest.mark.parametrize("before", [None, "/somewhere"])
def test_temporary_files_go_to_a_folder_of_their_own_and_afterwards_where_they_went_before(
    before: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("TMPDIR", raising=False)
    if before:
        monkeypatch.setenv("TMPDIR", before)
    seen: list[tuple[str, str | None]] = []
    doctor.leaves_nothing_behind(type("Temporary", (Temporary,), {"seen": seen}), -1.0)
    assert (tempfile.tempdir, os.environ.get("TMPDIR")) == (str(tmp_path), before)
    warming, folder = dict.fromkeys(seen)
    assert warming == (str(tmp_path), before)
    assert folder[0] == folder[1] != str(tmp_path)
    assert not Path(folder[0]).exists()


def test_temporary_files_go_where_they_went_also_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)

    class Breaks(Sound):
        def step(self, action: str) -> Result:
            if "TMPDIR" in os.environ:
                raise LookupError("broken")
            return super().step(action)

    before = tempfile.tempdir
    with pytest.raises(LookupError, match="broken"):
        doctor.leaves_nothing_behind(Breaks, -1.0)
    assert (tempfile.tempdir, os.environ.get("TMPDIR")) == (before, None)
