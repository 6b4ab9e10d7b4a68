"""Episodes in a file that is asked while it is written.

SQLite in WAL mode: one writer and any number of readers, of other processes too, and what a killed process had not
committed is not there. What is asked for lies in narrow indexed rows, the packed episodes in a table of their own, so
that nothing but the episodes themselves is read of them. Numbers only grow and are never given again: whoever asks for
what comes after the last number seen follows a run that is being written, also one that was cut back and goes on.
"""

from __future__ import annotations

import concurrent.futures
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

from agentgym import sealed
from agentgym.archive.criteria import Criteria
from agentgym.archive.database import Database
from agentgym.archive.packing import pack, record_in, unpack
from agentgym.archive.reader import Reader
from agentgym.errors import DataError
from agentgym.media import MEDIA, MediaStore
from agentgym.types import StopReason, TaskId, Trajectory

__all__ = ["FILE", "Archive", "Card"]

T = TypeVar("T")

FILE = "episodes.sqlite"

_LONG = 1 << 22
"""Bytes of a packed episode from which on it is read as far as somebody reads it, and no further at first."""

_PAGE = 256
"""Episodes that are looked up at once while iterating: an open question would keep the log from being used again."""


class Card(NamedTuple):
    """What is known of an episode without unpacking it."""

    number: int
    """Its place in the archive, from 1, in the order of writing. In a JSONL file: where its line begins, in bytes."""
    episode_id: str
    group_id: str
    env: str
    task: TaskId | None
    seed: int
    split: str
    stage: str
    update: int | None
    ordinal: int | None
    role: str
    stop_reason: StopReason
    success: bool
    reward: float
    """The environment's own, as in metrics and reports; what was added to it is in the turns' ``breakdown``."""
    num_turns: int
    num_tokens: int
    tokenizer: str
    parent_id: str | None
    level: float | None = None
    strength: float | None = None
    """Of the augmentations. This and what follows is None in an archive of before it was written."""
    num_invalid: int | None = None
    """Turns whose action had no effect, as the environment said."""
    num_unread: int | None = None
    """Turns whose reply could not be parsed."""
    error: str | None = None
    """Why it is void."""

    @classmethod
    def of(cls, episode: Trajectory, number: int = 0) -> Card:
        """The card of ``episode``."""
        own = ("number", "num_turns", "reward", "num_invalid", "num_unread")
        same = {name: getattr(episode, name) for name in cls._fields if name not in own}
        unread = sum(turn.error is not None and turn.action is None for turn in episode.turns)
        return cls(
            number=number,
            num_turns=len(episode.turns),
            reward=episode.environment_reward,
            num_invalid=sum(turn.error is not None for turn in episode.turns) - unread,
            num_unread=unread,
            **same,
        )

    def answers(self, **asked: Any) -> bool:
        """Whether it is one of those asked for, as ``Archive`` is asked."""
        return all(getattr(self, name) == value for name, value in known(asked).items())


_ASKED = frozenset(
    {"episode_id", "group_id", "env", "task", "split", "stage", "update", "ordinal", "role", "stop_reason", "success"}
)
_COLUMNS = ", ".join(f'"{name}"' for name in Card._fields)


class Archive:
    """Episodes in ``directory``, which is made when the first comes. A context manager.

    Questions (``query``, ``count``, ``episodes``) name what is asked for: split, stage, update, task, success,
    stop_reason, group_id, env, role, ordinal, episode_id; None, or left out: any. Raises DataError for a file that is
    damaged or of something else, and OSError where the disk refuses.
    """

    def __init__(self, directory: Path, *, read_only: bool = False) -> None:
        self.file, self.media = directory / FILE, MediaStore(directory / MEDIA)
        self._database = Database(self.file, read_only=read_only)
        self._writer: concurrent.futures.ThreadPoolExecutor | None = None
        self._writing: concurrent.futures.Future[None] | None = None

    @classmethod
    def open(cls, directory: Path) -> Archive:
        """One that exists, to be read, perhaps while it is written. Raises DataError where there is none."""
        if not (directory / FILE).is_file():
            raise DataError(f"there are no episodes in {directory}: it has no {FILE}")
        return cls(directory, read_only=True)

    # -- writing -------------------------------------------------------------------------------------

    def append(self, episodes: Iterable[Trajectory]) -> None:
        """Add ``episodes``, all of them or, where that fails, none.

        They are written in a thread; an error is raised by the next call, and by every one after it.
        """
        batch = list(episodes)
        self.flush()
        if batch:
            self._writer = self._writer or concurrent.futures.ThreadPoolExecutor(1, "archive")
            self._writing = self._writer.submit(self._write, batch)

    def flush(self) -> None:
        """Wait until what was appended is written: readers see it, and it is there if this process is killed."""
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def position(self) -> int:
        """Number of the last episode, which is on the disk now: ``forget_after`` goes back to it. 0 without any."""
        self.flush()
        if not self.file.exists():
            return 0
        log = self.file.with_name(f"{FILE}-wal")
        if log.exists():  # what has left it is on the disk already
            sealed.sync(log)
            self._database.ask("PRAGMA wal_checkpoint(PASSIVE)")  # the rest leaves it, unless somebody reads it
        ((last,),) = self._database.ask("SELECT coalesce(max(number), 0) FROM cards")
        return int(last)

    def forget_after(self, position: int) -> None:
        """Delete what came after ``position``: it will be played again."""
        self.flush()
        if position or self.file.exists():
            self._database.in_one(lambda connection: _delete_after(connection, position))

    def close(self) -> None:
        """Write what is still to be written, and let go of the file; whatever is asked next opens it again."""
        try:
            self.flush()
        finally:
            writer, self._writer = self._writer, None
            if writer is not None:
                writer.shutdown()
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, batch: Sequence[Trajectory]) -> None:
        packed = [pack(episode) for episode in batch]
        self._database.in_one(lambda connection: _insert(connection, batch, packed))

    # -- reading -------------------------------------------------------------------------------------

    def query(self, *, after: int = 0, limit: int | None = None, **asked: Any) -> list[Card]:
        """Cards of those asked for with numbers above ``after``, in order, ``limit`` at most.

        The next page comes after the last number of this one, whatever is written in between.
        """
        where, values = _where(asked)
        question = f"SELECT {_COLUMNS} FROM cards WHERE number > ?{where} ORDER BY number LIMIT ?"
        return [_card(row) for row in self._ask(question, [after, *values, -1 if limit is None else limit])]

    def count(self, **asked: Any) -> int:
        """How many there are of those asked for."""
        where, values = _where(asked)
        return sum(num for (num,) in self._ask(f"SELECT count(*) FROM cards WHERE number > 0{where}", values))

    def browse(self, criteria: Criteria, *, offset: int = 0, limit: int | None = None) -> list[Card]:
        """Cards of those that meet ``criteria``, in its order, from the one at ``offset`` on, ``limit`` at most."""
        where, values = criteria.where()
        question = f"SELECT {_COLUMNS} FROM cards WHERE {where} {criteria.in_order()} LIMIT ? OFFSET ?"
        return [_card(row) for row in self._ask(question, [*values, -1 if limit is None else limit, offset])]

    def tally(self, criteria: Criteria) -> int:
        """How many meet ``criteria``."""
        where, values = criteria.where()
        return sum(num for (num,) in self._ask(f"SELECT count(*) FROM cards WHERE {where}", values))

    def values(self, name: str) -> dict[Any, int]:
        """What is in a column of the cards, the most frequent first, and how often. Raises TypeError for another."""
        known({name: None})
        rows = self._ask(f'SELECT "{name}", count(*) FROM cards GROUP BY 1 ORDER BY 2 DESC', ())
        return {value: num for value, num in rows if value is not None}

    def groups(
        self, criteria: Criteria, *, offset: int = 0, limit: int | None = None
    ) -> tuple[int, list[tuple[int, int, int]]]:
        """How many groups have episodes that meet ``criteria``; of those from ``offset`` on the first and the last
        number of an episode, and how many there are."""
        where, values = criteria.where()
        question = (
            "SELECT count(*) OVER (), min(number), max(number), count(*) FROM cards "
            f"WHERE group_id <> '' AND {where} GROUP BY stage, \"update\", group_id ORDER BY 2 LIMIT ? OFFSET ?"
        )
        rows = self._ask(question, [*values, -1 if limit is None else limit, offset])
        return (rows[0][0] if rows else 0), [(first, last, num) for _, first, last, num in rows]

    def card(self, number: int) -> Card:
        """The card of episode ``number``. Raises DataError where there is none."""
        for row in self._ask(f"SELECT {_COLUMNS} FROM cards WHERE number = ?", [number]):
            return _card(row)
        raise self._missing(number)

    def get(self, number: int) -> Trajectory:
        """Episode ``number``. Raises DataError where there is none."""
        return self._unpacked(number, unpack)

    def record(self, number: int) -> dict[str, Any]:
        """Episode ``number`` as JSON has it, without its tokens. Raises DataError where there is none."""
        return self._unpacked(number, record_in)

    def reader(self, number: int) -> Reader:
        """Episode ``number``, to be read turn by turn. Raises DataError where there is none."""
        for (size,) in self._ask("SELECT length(packed) FROM episodes WHERE number = ?", [number]):
            if size <= _LONG:
                return self._unpacked(number, Reader)
            first = self._database.piece("episodes", "packed", number, _LONG)
            return Reader(first, rest=lambda: self._unpacked(number, bytes))
        raise self._missing(number)

    def last(self) -> int:
        """Number of the last episode that readers see; 0 without any. It is not said whether the disk has it."""
        return sum(last or 0 for (last,) in self._ask("SELECT max(number) FROM cards", ()))

    def _unpacked(self, number: int, how: Callable[[bytes], T]) -> T:
        for (packed,) in self._ask("SELECT packed FROM episodes WHERE number = ?", [number]):
            try:
                return how(packed)
            except DataError as error:
                raise self._database.damaged(f"episode number {number} is {error}") from None
        raise self._missing(number)

    def _missing(self, number: int) -> DataError:
        return DataError(f"{self.file} has no episode number {number}")

    def episodes(self, *, after: int = 0, limit: int | None = None, **asked: Any) -> Iterator[Trajectory]:
        """The episodes that ``query`` has the cards of, one after the other: not all are in memory."""
        left = -1 if limit is None else limit
        while cards := self.query(after=after, limit=min(_PAGE, left) if left >= 0 else _PAGE, **asked):
            yield from (self.get(card.number) for card in cards)
            after, left = cards[-1].number, left - len(cards) if left >= 0 else left

    def _ask(self, question: str, values: Sequence[Any]) -> list[Any]:
        self.flush()
        return self._database.ask(question, values) if self.file.exists() else []


# -- rows ------------------------------------------------------------------------------------------------


def known(asked: dict[str, Any]) -> dict[str, Any]:
    """What is asked for, without what may be anything. Raises TypeError for what cannot be asked for."""
    for name in asked.keys() - _ASKED:
        raise TypeError(f"episodes cannot be asked for by {name}, but by {', '.join(sorted(_ASKED))}")
    return {name: value for name, value in asked.items() if value is not None}


def _where(asked: dict[str, Any]) -> tuple[str, list[Any]]:
    """Further conditions and their values."""
    values = known(asked)
    if "task" in values:
        values["task"] = json.dumps(values["task"])
    return "".join(f' AND "{name}" = ?' for name in values), list(values.values())


def _row(card: Card) -> list[Any]:
    """A card as it is written, without its number: 7 and "7" are different tasks, and seeds may have any length."""
    return list(card._replace(task=json.dumps(card.task), seed=str(card.seed)))[1:]  # type: ignore[arg-type]


def _card(row: Sequence[Any]) -> Card:
    card = Card(*row)
    return card._replace(
        task=json.loads(str(card.task)),
        seed=int(card.seed),
        stop_reason=StopReason(card.stop_reason),
        success=bool(card.success),
    )


def _insert(connection: sqlite3.Connection, batch: Sequence[Trajectory], packed: Sequence[bytes]) -> None:
    columns = _COLUMNS.partition(", ")[2]
    places = ", ".join("?" * (len(Card._fields) - 1))
    for episode, content in zip(batch, packed, strict=True):
        row = _row(Card.of(episode))
        number = connection.execute(f"INSERT INTO cards ({columns}) VALUES ({places})", row).lastrowid
        connection.execute("INSERT INTO episodes VALUES (?, ?)", (number, content))


def _delete_after(connection: sqlite3.Connection, position: int) -> None:
    for table in ("cards", "episodes"):
        connection.execute(f"DELETE FROM {table} WHERE number > ?", (position,))
    # Whoever deleted the archive may: what comes now has numbers above the position all the same.
    connection.execute("INSERT INTO sqlite_sequence SELECT 'cards', 0 WHERE NOT EXISTS (SELECT * FROM sqlite_sequence)")
    connection.execute("UPDATE sqlite_sequence SET seq = max(seq, ?)", (position,))
