"""What is drawn, how it is split, and what counts as done: on files as data, without running anything."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

import pytest

from agentgym.env import SPLITS
from agentgym.environments.terminal.goals import Absent, Folder, Goal, Moded, Packed, Stopped, Text, World, untouched
from agentgym.environments.terminal.packing import tar_of
from agentgym.environments.terminal.tasks import LEVELS, split_of, task_of
from agentgym.sandbox import Entry, Files

FILES = {"a.txt": b"red  \nblue\n\n", "d/b.txt": b"x"}


def world(contents: dict[str, bytes] = FILES, running: frozenset[str] = frozenset(), **modes: int) -> World:
    named = {f"/work/{path.replace('_', '.')}": mode for path, mode in modes.items()}
    return World(Files.of({f"/work/{path}": data for path, data in contents.items()}, modes=named), "/work", running)


@pytest.mark.parametrize(
    ("goal", "holds"),
    [
        (Text("a.txt", "red\nblue"), True),
        (Text("a.txt", "red\n\nblue"), False),
        (Text("a.txt", " red\nblue"), False),
        (Text("b.txt", ""), False),
        (Text("d", ""), False),
        (Folder("d"), True),
        (Folder("a.txt"), False),
        (Folder("e"), False),
        (Absent("e"), True),
        (Absent("d"), False),
        (Moded("a.txt", 0o600), True),
        (Moded("d/b.txt", 0o600), False),
        (Moded("d", 0o755), False),
        (Stopped("p.sh"), False),
        (Stopped("q.sh"), True),
    ],
)
def test_a_goal_holds_or_not(goal: Goal, holds: bool) -> None:
    assert goal.holds(world(running=frozenset({"p.sh"}), a_txt=0o600)) == holds


def test_a_link_is_no_file() -> None:
    entries = (Entry("/work/a.txt", "l", 0o777, 0, False, "/etc/passwd"),)
    linked = World(Files(entries, {}), "/work")
    assert not Text("a.txt", "").holds(linked)
    assert not Moded("a.txt", 0o777).holds(linked)
    assert not Absent("a.txt").holds(linked)


def zip_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("d")
        for path, data in files.items():
            archive.writestr(path, data)
    return buffer.getvalue()


def link_tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        one = tarfile.TarInfo("d/b.txt")
        one.type, one.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(one)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "holds"),
    [
        ("x.tar.gz", tar_of({"d/b.txt": b"x"}), True),
        ("x.tar.gz", tar_of({"./d/b.txt": b"x"}), True),
        ("x.tar.gz", tar_of({"b.txt": b"x"}), False),
        ("x.tar.gz", tar_of({"d/b.txt": b"y"}), False),
        ("x.tar.gz", tar_of({"d/b.txt": b"x", "d/c.txt": b""}), False),
        ("x.tar.gz", b"no archive", False),
        ("x.tar.gz", tar_of({"d/b.txt": b"x"})[:50], False),
        ("x.tar", link_tar(), False),
        ("x.zip", zip_of({"d/b.txt": b"x"}), True),
        ("x.zip", tar_of({"d/b.txt": b"x"}), False),
        ("x.zip", zip_of({"d/b.txt": b"\0" * (1 << 21)}), False),  # what is too large is not unpacked
        ("x.tar.gz", tar_of({"d/b.txt": b"\0" * (1 << 21)}), False),
        ("x.tar.gz", gzip.compress(gzip.decompress(tar_of({"d/b.txt": b"x"})) + bytes(1 << 21)), False),
    ],
    ids=range(13),
)
def test_an_archive_holds_what_it_must_and_no_more(name: str, data: bytes, holds: bool) -> None:
    assert Packed(name, (("d/b.txt", b"x"),)).holds(world({name: data})) == holds


def test_what_nobody_asked_for_must_stay() -> None:
    first = {"a.txt": b"a", "b.txt": b"b"}
    assert untouched(world({"a.txt": b"a", "b.txt": b"x", "c.txt": b""}), first, frozenset({"b.txt"}))
    assert not untouched(world({"a.txt": b"x", "b.txt": b"b"}), first, frozenset({"b.txt"}))
    assert not untouched(world({"b.txt": b"b"}), first, frozenset({"b.txt"}))


@pytest.mark.parametrize("level", list(LEVELS))
def test_no_topic_is_in_two_splits(level: str) -> None:
    topics = {}
    for split, tasks in SPLITS.items():
        drawn = [task_of(task, split, level, 0) for task in tasks[:200]]
        assert {split_of(task.topic) for task in drawn} == {split}
        topics[split] = {task.topic for task in drawn}
        assert len({task.topic[0] for task in drawn}) == len(LEVELS[level])  # type: ignore[index]
    assert not topics["train"] & topics["test"]
    assert not topics["validation"] & topics["test"]


@pytest.mark.parametrize("level", list(LEVELS))
def test_nothing_is_done_at_the_beginning(level: str) -> None:
    for number in range(100):
        task = task_of(number, "train", level, 0)
        first = Files.of(
            {f"/work/{path}": data for path, data in task.files.items()},
            folders=[f"/work/{path}" for path in task.folders],
        )
        assert not all(goal.holds(World(first, "/work", frozenset(task.programs))) for goal in task.goals)


def test_a_number_is_one_task() -> None:
    assert task_of(7, "train", "t4", 0) == task_of(7, "train", "t4", 0)
    assert len({repr(task_of(number, "train", "t2", seed)) for number in range(20) for seed in range(2)}) > 35
