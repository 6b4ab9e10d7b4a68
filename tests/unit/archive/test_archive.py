"""Episodes in an archive: what is found, what a position means, and what is said of files that are none."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import PydanticSerializationError

from agentgym.archive import FILE, Archive, Card, Criteria, chosen
from agentgym.archive.archive import _ASKED
from agentgym.archive.database import Database
from agentgym.errors import DataError, UserError
from agentgym.types import StopReason, Trajectory
from tests.kit import episode
from tests.unit.test_store import trajectory


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with Archive(tmp_path / "made" / "here") as archive:
        yield archive


def numbered(num: int, **changes: Any) -> list[Trajectory]:
    return [trajectory(number).model_copy(update=changes) for number in range(num)]


def numbers(cards: list[Card]) -> list[int]:
    return [card.number for card in cards]


def test_what_was_never_written_is_empty_and_makes_no_file(archive: Archive) -> None:
    assert (archive.query(), archive.count(), list(archive.episodes()), archive.position()) == ([], 0, [], 0)
    archive.forget_after(0)
    archive.append([])
    archive.flush()
    assert not archive.file.parent.exists()


def test_episodes_come_back_equal_by_number_and_in_order(archive: Archive) -> None:
    archive.append(numbered(3))
    archive.append(iter([trajectory(9)]))
    assert archive.get(2) == trajectory(1)
    assert list(archive.episodes()) == [*numbered(3), trajectory(9)]
    assert archive.query()[3] == Card.of(trajectory(9), 4)
    with pytest.raises(DataError, match="has no episode number 5"):
        archive.get(5)


@pytest.mark.parametrize(
    ("name", "value", "other"),
    [
        ("episode_id", "e1-0", "e1"),
        ("group_id", "3-1", "3"),
        ("env", "shop", "bell"),
        ("task", 7, "7"),
        ("task", "7", 7),
        ("split", "train", "test"),
        ("stage", "after", "before"),
        ("update", 3, None),
        ("update", 0, 1),
        ("ordinal", 0, None),
        ("role", "expert", "policy"),
        ("stop_reason", StopReason.DEADLINE, StopReason.TERMINATED),
        ("success", True, False),
        ("success", False, True),
    ],
)
def test_each_thing_can_be_asked_for(name: str, value: Any, other: Any, archive: Archive) -> None:
    archive.append(trajectory(0).model_copy(update={name: each}) for each in (other, value, other, value))
    assert numbers(archive.query(**{name: value})) == [2, 4]
    assert archive.count(**{name: value}) == 2
    anything: dict[str, Any] = {name: None}
    assert numbers(archive.query(**anything)) == [1, 2, 3, 4]
    assert archive.query(**{name: value}) == [card for card in archive.query() if card.answers(**{name: value})]


def test_whatever_is_asked_for_has_an_index(archive: Archive) -> None:
    archive.append(numbered(1))
    archive.flush()
    for name in _ASKED:
        ((*_, plan),) = archive._database.ask(
            f'EXPLAIN QUERY PLAN SELECT * FROM cards WHERE "{name}" = 1 ORDER BY number'
        )
        assert "USING INDEX" in plan, (name, plan)


def test_a_cards_reward_is_the_environments_own() -> None:
    assert Card.of(episode(0.25, 0.5, shaped=2.0)).reward == 0.75


def test_what_cannot_be_asked_for_is_named(archive: Archive) -> None:
    with pytest.raises(TypeError, match="cannot be asked for by reward, but by env, episode_id"):
        archive.query(reward=1)


def test_pages_stay_the_same_while_more_is_written(archive: Archive) -> None:
    archive.append(trajectory(i).model_copy(update={"success": i % 2 == 0}) for i in range(10))
    first = archive.query(success=True, limit=3)
    archive.append(numbered(2, success=True))
    second = archive.query(success=True, after=first[-1].number, limit=3)
    assert (numbers(first), numbers(second)) == ([1, 3, 5], [7, 9, 11])
    assert archive.query(success=True, limit=0) == []


def test_iterating_goes_past_a_page_and_sees_what_is_written_meanwhile(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentgym.archive.archive._PAGE", 2)
    archive.append(numbered(5))
    assert [episode.task for episode in archive.episodes(after=1, limit=3)] == [1, 2, 3]
    found = archive.episodes()
    seen = [next(found).task]
    archive.append([trajectory(7)])
    assert [*seen, *(episode.task for episode in found)] == [0, 1, 2, 3, 4, 7]


def test_forgetting_goes_back_to_a_position_and_gives_no_number_again(archive: Archive) -> None:
    archive.append(numbered(3))
    position = archive.position()
    archive.append(numbered(2))
    archive.forget_after(position)
    assert archive.count() == 3
    archive.append([trajectory(8)])
    assert numbers(archive.query(after=position)) == [6]  # whoever followed up to 5 sees it
    assert archive.position() == 6  # not 4, how many there are
    archive.forget_after(0)
    assert archive.count() == 0
    with pytest.raises(DataError, match="has no episode number 1"):
        archive.get(1)


def test_positions_hold_where_somebody_deleted_the_archive(archive: Archive) -> None:
    archive.append(numbered(3))
    position = archive.position()
    archive.close()
    archive.file.unlink()
    archive.forget_after(position)
    archive.append([trajectory(4)])
    assert numbers(archive.query()) == [4]
    archive.forget_after(position)  # as after a kill before the next checkpoint
    assert archive.count() == 0


def test_a_position_is_on_the_disk(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr("agentgym.sealed.sync", lambda file: synced.append(file.name))
    archive.append(numbered(1))
    assert archive.position() == 1
    assert synced == [f"{FILE}-wal"]


def test_it_goes_on_after_it_was_closed(archive: Archive) -> None:
    archive.append(numbered(1))
    archive.close()
    archive.append(numbered(1))
    assert archive.count() == 2


def test_writing_is_left_to_a_thread(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    going, threads = threading.Event(), []
    write = Archive._write

    def held(self: Archive, batch: list[Trajectory]) -> None:
        threads.append(threading.current_thread())
        assert going.wait(60)
        write(self, batch)

    monkeypatch.setattr(Archive, "_write", held)
    archive.append(numbered(2))
    assert not archive.file.exists()
    going.set()
    assert archive.count() == 2
    assert threading.main_thread() not in threads


def test_a_reader_sees_what_another_one_writes(archive: Archive) -> None:
    archive.append(numbered(2))
    archive.flush()
    with Archive.open(archive.file.parent) as reader:
        assert reader.count() == 2
        archive.append(numbered(3))
        archive.flush()
        assert numbers(reader.query(after=2)) == [3, 4, 5]
        archive.forget_after(1)
        assert reader.count() == 1
        with pytest.raises(OSError, match="Read-only file system"):
            reader.forget_after(0)


def test_two_archives_are_written_at_once(tmp_path: Path) -> None:
    with Archive(tmp_path / "one") as one, Archive(tmp_path / "two") as two, Archive(tmp_path / "one") as again:
        for number in range(20):
            for each in (one, two, again):
                each.append([trajectory(number)])
        for each in (one, two, again):
            each.flush()
        assert (one.count(), two.count(), again.count()) == (40, 20, 40)
        assert sorted(card.task for card in one.query()) == sorted([*range(20), *range(20)])  # type: ignore[type-var]


def test_a_reader_leaves_nothing_behind(archive: Archive) -> None:
    archive.append(numbered(2))
    archive.close()
    with Archive.open(archive.file.parent) as reader:
        assert reader.count() == 2
    assert [path.name for path in archive.file.parent.iterdir()] == [FILE]


def test_a_directory_that_cannot_be_written_is_read(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.append(numbered(2))
    archive.close()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with Archive.open(archive.file.parent) as reader:
        assert list(reader.episodes()) == numbered(2)
        assert [path.name for path in archive.file.parent.iterdir()] == [FILE]


# -- what goes wrong -------------------------------------------------------------------------------------


def test_a_full_disk_is_told_by_every_call_and_leaves_whole_appends(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.append(numbered(2))
    position = archive.position()
    ((pages,),) = archive._database.ask("PRAGMA page_count")
    archive._database.ask(f"PRAGMA max_page_count = {pages}")
    archive.append(numbered(500))
    for _ in range(2):
        with pytest.raises(OSError, match=r"cannot write .*episodes.sqlite: No space left on device") as told:
            archive.position()
        assert told.value.errno == errno.ENOSPC
    with pytest.raises(OSError, match="No space left"):
        archive.append(numbered(1))
    with pytest.raises(OSError, match="No space left"):
        archive.close()
    with Archive.open(archive.file.parent) as reader:
        assert reader.count() == position == 2
    archive._writing = None


def test_files_that_are_no_archive_are_left_alone(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there are no episodes in .*: it has no episodes\.sqlite"):
        Archive.open(tmp_path)
    (tmp_path / FILE).write_text("not a database, whatever its name says\n" * 100)
    with pytest.raises(DataError, match=r"cannot be read: file is not a database; put back what was written, or move"):
        Archive.open(tmp_path).count()
    (tmp_path / FILE).unlink()
    sqlite3.connect(tmp_path / FILE).executescript("CREATE TABLE shopping (item)")
    for each in (Archive(tmp_path), Archive.open(tmp_path)):
        with pytest.raises(DataError, match="is a database, but not one of episodes; choose another directory"):
            each.count()


def test_another_layout_is_refused(archive: Archive) -> None:
    archive.append(numbered(1))
    archive.flush()
    archive._database.ask("PRAGMA user_version = 7")
    archive.close()
    with pytest.raises(DataError, match="has layout 7, this version of agentgym reads 2; take the episodes out"):
        Archive.open(archive.file.parent).count()


def as_layout_1(archive: Archive) -> None:
    """Have the file as it was before it had the columns of layout 2."""
    archive.flush()
    for name in ("level", "strength", "num_invalid", "num_unread", "error"):
        archive._database.ask(f"ALTER TABLE cards DROP COLUMN {name}")
    archive._database.ask("PRAGMA user_version = 1")
    archive.close()


def test_a_file_of_before_is_read_as_it_is(archive: Archive) -> None:
    archive.append(numbered(2, level=3.0))
    as_layout_1(archive)
    with Archive.open(archive.file.parent) as old:
        first, _ = old.query()
        assert (first.level, first.strength, first.num_invalid, first.error) == (None, None, None, None)
        assert old.get(1) == trajectory(0).model_copy(update={"level": 3.0})
        assert old._database.ask("PRAGMA user_version") == [(1,)]


def test_a_file_of_before_gets_the_new_columns_from_whoever_writes(archive: Archive) -> None:
    archive.append(numbered(1))
    as_layout_1(archive)
    archive.append(numbered(1, level=3.0, strength=0.5))
    assert [(card.level, card.strength, card.num_unread) for card in archive.query()] == [
        (None, None, None),
        (3, 0.5, 0),
    ]
    with Archive.open(archive.file.parent) as reading:
        assert numbers(reading.browse(Criteria(min_level=1))) == [2]


def test_a_card_counts_turns_without_effect_and_replies_that_could_not_be_read() -> None:
    played = episode(0.0, 0.0, 0.0)
    played.turns[0].error = "no such door"
    played.turns[1].error, played.turns[1].action = "no action", None
    card = Card.of(played)
    assert (card.num_invalid, card.num_unread) == (1, 1)


def test_a_damaged_episode_is_named_and_the_others_are_there(archive: Archive) -> None:
    archive.append(numbered(3))
    archive.flush()
    archive._database.ask(
        "UPDATE episodes SET packed = CAST(substr(packed, 1, 40) || x'00' || substr(packed, 42) AS BLOB) "
        "WHERE number = 2"
    )
    with pytest.raises(DataError, match=r"episode number 2 is not a packed episode: .*; put back what was written"):
        archive.get(2)
    assert archive.get(3) == trajectory(2)


def test_a_cut_off_file_is_told(archive: Archive) -> None:
    archive.append(numbered(300))
    archive.close()
    os.truncate(archive.file, archive.file.stat().st_size // 2)
    with pytest.raises(DataError, match="cannot be read: database disk image is malformed"):
        list(archive.episodes())


def test_a_file_that_somebody_else_is_writing_is_told(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentgym.archive.database._PATIENCE", 0)
    archive.append(numbered(1))
    archive.flush()
    with contextlib.closing(sqlite3.connect(archive.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with Archive(archive.file.parent) as blocked:
            with pytest.raises(UserError, match=r"sqlite is being written by another process; wait for it, or stop it"):
                blocked.forget_after(0)
            other.execute("ROLLBACK")
            assert blocked.count() == 1
            blocked.forget_after(0)
            assert blocked.count() == 0


def test_a_change_that_fails_in_its_middle_leaves_nothing_and_the_next_goes_through(tmp_path: Path) -> None:
    file = tmp_path / "made.sqlite"
    database = Database(file, read_only=False)

    def half(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO episodes VALUES (1, x'00')")
        raise KeyError("half")

    for _ in range(2):
        with pytest.raises(KeyError, match="half"):
            database.in_one(half)
    assert database.ask("SELECT count(*) FROM episodes") == [(0,)]
    database.in_one(lambda connection: connection.execute("INSERT INTO episodes VALUES (1, x'00')"))
    database.close()
    database.close()
    assert database.ask("SELECT number FROM episodes") == [(1,)]
    database.close()
    assert sorted(os.listdir(tmp_path)) == ["made.sqlite"]


@pytest.mark.parametrize(
    ("code", "kind", "told"),
    [
        (sqlite3.SQLITE_IOERR_WRITE, OSError, r"\[Errno 5\] cannot write .*made\.sqlite: Input/output error"),
        (sqlite3.SQLITE_READONLY_DBMOVED, OSError, r"\[Errno 30\] cannot write .*: Read-only file system"),
        (sqlite3.SQLITE_FULL, OSError, r"\[Errno 28\] cannot write .*: No space left on device"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, UserError, "is being written by another process"),
        (sqlite3.SQLITE_CORRUPT, DataError, r"made\.sqlite cannot be read: said so; put back what was written"),
    ],
)
def test_what_sqlite_says_is_told_in_our_words(tmp_path: Path, code: int, kind: type[Exception], told: str) -> None:
    def fails(_: object) -> None:
        error = sqlite3.OperationalError("said so")
        error.sqlite_errorcode = code
        raise error

    with contextlib.closing(Database(tmp_path / "made.sqlite", read_only=False)) as database:
        with pytest.raises(kind, match=told) as raised:
            database.in_one(fails)
        assert isinstance(raised.value.__cause__, sqlite3.OperationalError)


def test_one_that_cannot_be_packed_takes_its_whole_append_along_and_is_told_when_closing_too(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.append([trajectory(0), trajectory(1).model_copy(update={"task": object()})])
    for call in (archive.flush, archive.close, archive.close):
        with pytest.raises(PydanticSerializationError, match="Unable to serialize unknown type"):
            call()
    assert not archive.file.exists()
    assert not any(thread.name.startswith("archive") for thread in threading.enumerate())


def test_a_reader_that_comes_before_the_tables_sees_nothing_and_then_what_is_written(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()
    with Archive.open(tmp_path) as reader, Archive(tmp_path) as writer:
        assert (reader.count(), reader.query()) == (0, [])
        assert reader.file.stat().st_size == 0  # who reads writes nothing
        writer.append(numbered(2))
        writer.flush()
        assert reader.count() == 2


def test_an_empty_file_may_become_that_of_something_else(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()
    with Archive.open(tmp_path) as reader:
        assert reader.count() == 0
        with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as other:
            other.executescript("CREATE TABLE shopping (item)")
        with pytest.raises(DataError, match="is a database, but not one of episodes"):
            reader.count()


def test_what_is_written_is_flushed_with_the_log_and_read_beside_the_writer(archive: Archive) -> None:
    archive.append(numbered(1))
    archive.flush()
    database = Database(archive.file, read_only=False)
    ((mode,),), ((synchronous,),) = database.ask("PRAGMA journal_mode"), database.ask("PRAGMA synchronous")
    assert (mode, synchronous) == ("wal", 1)  # NORMAL
    database.close()


def test_a_log_that_was_left_is_read_where_nothing_may_be_written(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a killed process committed lies in the log beside the file, which an immutable file has none of."""
    archive.append(numbered(2))
    archive.flush()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert archive.file.with_name(f"{FILE}-wal").stat().st_size > 0
    with Archive.open(archive.file.parent) as reader:
        assert reader.count() == 2


# -- thinning --------------------------------------------------------------------------------------------


def test_a_share_is_kept_in_whole_groups_and_what_broke_always() -> None:
    played = [
        trajectory(0).model_copy(update={"episode_id": f"{group}-{member}", "group_id": f"{group}"})
        for group in range(2000)
        for member in range(2)
    ]
    kept = {share: [each.episode_id for each in played if chosen(each, share)] for share in (0, 0.1, 0.5, 1)}
    assert kept[0] == []
    assert len(kept[1]) == len(played)
    assert len(kept[0.1]) / 4000 == pytest.approx(0.1, abs=0.02)
    assert len(kept[0.5]) / 4000 == pytest.approx(0.5, abs=0.03)
    assert set(kept[0.1]) < set(kept[0.5])
    assert {name.partition("-")[0] + "-1" for name in kept[0.1]} < set(kept[0.1])
    broken = played[0].model_copy(update={"stop_reason": StopReason.ENV_ERROR})
    assert chosen(broken, 0.0)
