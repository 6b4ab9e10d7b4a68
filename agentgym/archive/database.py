"""A SQLite file that is ours: its tables, its settings, and its errors in our words."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from agentgym.errors import DataError, UserError

__all__ = ["Database"]

_SCHEMA = 2
"""Version of what is written; one of before is widened by whoever writes, another one is refused."""
_APPLICATION = 0x61676570
"""What SQLite's header says the file is for: "agep"."""
_PATIENCE = 60
"""Seconds to wait for another process that is writing."""
_INDEXED = (
    "episode_id",
    "group_id",
    "env",
    "task",
    "split",
    "stage",
    "update",
    "ordinal",
    "role",
    "stop_reason",
    "success",
)
_ADDED = {"level": "REAL", "strength": "REAL", "num_invalid": "INTEGER", "num_unread": "INTEGER", "error": "TEXT"}
"""Columns that layout 1 did not have: null in what was written then."""
_FIRST = (
    'number, episode_id, group_id, env, task, seed, split, stage, "update", ordinal, role, stop_reason, success, '
    "reward, num_turns, num_tokens, tokenizer, parent_id"
)
_TABLES = (
    """CREATE TABLE cards (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        episode_id TEXT NOT NULL, group_id TEXT NOT NULL, env TEXT NOT NULL, task TEXT NOT NULL, seed TEXT NOT NULL,
        split TEXT NOT NULL, stage TEXT NOT NULL, "update" INTEGER, ordinal INTEGER, role TEXT NOT NULL,
        stop_reason TEXT NOT NULL, success INTEGER NOT NULL, reward REAL NOT NULL, num_turns INTEGER NOT NULL,
        num_tokens INTEGER NOT NULL, tokenizer TEXT NOT NULL, parent_id TEXT
    )""",
    *(f"ALTER TABLE cards ADD COLUMN {name} {kind}" for name, kind in _ADDED.items()),
    "CREATE TABLE episodes (number INTEGER PRIMARY KEY, packed BLOB NOT NULL)",
    # One column each: its rows are then in order of their numbers, and a page needs no sorting.
    *(f'CREATE INDEX "of_{name}" ON cards ("{name}")' for name in _INDEXED),
    f"PRAGMA application_id = {_APPLICATION}",
    f"PRAGMA user_version = {_SCHEMA}",
)
_DISK = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_READONLY: errno.EROFS,
}


class Database:
    """The database ``file``, opened when it is first asked; unless it is only read, also made then.

    One thread at a time. Raises DataError for a file that is damaged or of something else, OSError where the disk
    refuses, UserError where another process does not let go of it.
    """

    def __init__(self, file: Path, *, read_only: bool) -> None:
        self.file, self.read_only = file, read_only
        self._connection: sqlite3.Connection | None = None

    def ask(self, question: str, values: Sequence[Any] = ()) -> list[Any]:
        """The rows that answer ``question``; none where another process is only about to make the tables."""
        with self._told():
            connection = self._connected()
            if self.read_only and _is_empty(connection):
                self.close()
                return []
            return connection.execute(question, values).fetchall()

    def piece(self, table: str, column: str, row: int, num: int) -> bytes:
        """The first ``num`` bytes of what is in a column of a row that there is; the others are not read."""
        with self._told(), self._connected().blobopen(table, column, row, readonly=True) as blob:
            return blob.read(num)

    def in_one(self, change: Callable[[sqlite3.Connection], object]) -> None:
        """``change``, all of it or nothing."""
        with self._told():
            _in_one(self._connected(), change)

    def close(self) -> None:
        """Let go of the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with self._told():
                connection.close()

    def damaged(self, why: str) -> DataError:
        """What is wrong with the file, and what to do."""
        return DataError(
            f"{self.file} cannot be read: {why}; put back what was written, or move it away together with "
            f"{self.file.name}-wal: a run goes on without its earlier episodes"
        )

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            if not self.read_only:
                self.file.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self._address(), uri=True, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _address(self) -> str:
        """SQLite's name of the file.

        A reader too has to write into the log's index beside it. Where it may not, there are no locks to be had, and
        nobody writes: SQLite is told so.
        """
        if not self.read_only:
            mode = "rwc"
        else:
            log = self.file.with_name(f"{self.file.name}-wal")
            may_write = os.access(self.file.parent, os.W_OK) and os.access(self.file, os.W_OK)
            mode = "rw" if may_write else "ro" if log.exists() and log.stat().st_size else "ro&immutable=1"
        return f"{self.file.absolute().as_uri()}?mode={mode}"

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Make the tables where there is nothing, and see that what there is is ours."""
        if _is_empty(connection):
            if self.read_only:
                return
            connection.execute("PRAGMA journal_mode = WAL")
            _in_one(connection, _make_tables)
        # What is committed outlives this process at once, and the machine from the next flush of the log on.
        connection.execute("PRAGMA synchronous = NORMAL")
        application, schema = _pragma(connection, "application_id"), _pragma(connection, "user_version")
        if application != _APPLICATION:
            raise DataError(f"{self.file} is a database, but not one of episodes; choose another directory")
        if schema == 1:
            _widen(connection, for_itself=self.read_only)
        elif schema != _SCHEMA:
            raise DataError(
                f"{self.file} has layout {schema}, this version of agentgym reads {_SCHEMA}; take the episodes out "
                "with the version that wrote them: agentgym export"
            )
        connection.execute(f"PRAGMA query_only = {int(self.read_only)}")

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte; above it are finer distinctions
            if code in _DISK:
                raise OSError(_DISK[code], f"cannot write {self.file}: {os.strerror(_DISK[code])}") from error
            if code == sqlite3.SQLITE_BUSY:
                raise UserError(f"{self.file} is being written by another process; wait for it, or stop it") from error
            raise self.damaged(str(error)) from error


def _in_one(connection: sqlite3.Connection, change: Callable[[sqlite3.Connection], object]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        change(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _make_tables(connection: sqlite3.Connection) -> None:
    if _is_empty(connection):  # another process may have been faster
        for statement in _TABLES:
            connection.execute(statement)


def _widen(connection: sqlite3.Connection, *, for_itself: bool) -> None:
    """Give layout 1 the columns that it lacks: the file, or ``for_itself`` what this connection sees of it."""
    if for_itself:
        nulls = ", ".join(f"NULL AS {name}" for name in _ADDED)
        connection.execute(f"CREATE TEMP VIEW cards AS SELECT {_FIRST}, {nulls} FROM main.cards")
    else:
        _in_one(connection, _add_columns)


def _add_columns(connection: sqlite3.Connection) -> None:
    if _pragma(connection, "user_version") == 1:  # another process may have been faster
        for name, kind in _ADDED.items():
            connection.execute(f"ALTER TABLE cards ADD COLUMN {name} {kind}")
        connection.execute(f"PRAGMA user_version = {_SCHEMA}")


def _is_empty(connection: sqlite3.Connection) -> bool:
    ((num,),) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    return not num and not _pragma(connection, "application_id")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    ((value,),) = connection.execute(f"PRAGMA {name}").fetchall()
    return int(value)
