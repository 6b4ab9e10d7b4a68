"""Episodes as JSON lines, to take out of an archive and to bring in: one object a line, read back equal.

A line that was cut off by a crash is told apart from a malformed file: only the last line may be incomplete, and
then it is left out, and goes where more is appended.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from agentgym.archive import FILE, Archive, Card
from agentgym.errors import DataError, UserError
from agentgym.media import MEDIA, MediaStore
from agentgym.types import Trajectory

__all__ = ["Episodes", "append", "copy", "opened", "read", "writable"]


class Episodes(Protocol):
    """Where episodes are: an ``Archive`` or a JSONL file, asked in the same way."""

    file: Path
    media: MediaStore
    """The images that they show: in ``media/``, in the archive's directory or beside the file."""

    def append(self, episodes: Iterable[Trajectory]) -> None:
        """Add them to the end."""

    def query(self, **asked: Any) -> list[Card]:
        """The cards of those asked for."""

    def get(self, number: int) -> Trajectory:
        """The episode of a card's number."""

    def episodes(self, **asked: Any) -> Iterator[Trajectory]:
        """Those asked for, one after the other."""

    def close(self) -> None:
        """Write what is still to be written, and let go of the file."""


def opened(path: Path) -> Episodes:
    """The episodes of an archive's directory, as a run is one, or of a JSONL file.

    Raises DataError where there are none.
    """
    if path.is_file() and path.suffix != ".sqlite":
        return _Lines(path)
    if not path.exists():
        raise DataError(f"there is no {path}; expected episodes: a run, or what agentgym record --output {path} writes")
    if path.is_file() and path.name != FILE:
        raise DataError(
            f"{path} is not called {FILE}, as the file of an archive is; rename it, in a directory of its own"
        )
    return Archive.open(path.parent if path.is_file() else path)


def writable(path: Path) -> Episodes:
    """Where to put episodes: a JSONL file where the name ends like that, and else the directory of an archive.

    Raises UserError for what cannot be written.
    """
    if path.suffix == ".jsonl":
        made: Episodes = _Lines(path)
    elif path.is_file():
        raise UserError(f"{path} is a file; expected a directory for an archive, or a name that ends in .jsonl")
    else:
        made = Archive(path)
    place = path if isinstance(made, Archive) else path.parent
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; choose another place") from None
    if made.file.is_dir() or not all(os.access(each, os.W_OK) for each in (place, made.file) if each.exists()):
        raise UserError(f"cannot write {made.file}, which is a directory or may not be written; choose another place")
    return made


def copy(source: Episodes, target: Episodes, **asked: Any) -> int:
    """Append to ``target`` what ``source`` has of what is asked for, images too; returns how many.

    Raises UserError where they are the same file, which would have no end.
    """
    if target.file.exists() and target.file.samefile(source.file):
        raise UserError(f"{target.file} is what is read; choose another --output")
    num = 0
    for num, episode in enumerate(source.episodes(**asked), start=1):  # noqa: B007
        target.media.bring((digest for digest in episode.media if digest in source.media), source.media)
        target.append([episode])
    return num


def append(file: Path, trajectories: Iterable[Trajectory]) -> None:
    """Add trajectories to the end of ``file``."""
    if file.exists():
        _end_last_line(file)
    with file.open("a") as stream:
        stream.writelines(trajectory.model_dump_json() + "\n" for trajectory in trajectories)


def _end_last_line(file: Path) -> None:
    """Have ``file`` end with a whole line: an episode that was cut off goes, one that only lacks its end gets it."""
    with file.open("rb+") as stream:
        if not stream.seek(0, os.SEEK_END):
            return
        stream.seek(-1, os.SEEK_END)
        if stream.read(1) == b"\n":
            return
        stream.seek(0)
        *_, last = stream
        if _is_whole(last):
            stream.write(b"\n")
        else:
            stream.truncate(stream.tell() - len(last))


def _is_whole(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def read(file: Path) -> Iterator[Trajectory]:
    """The trajectories of ``file``, in order. Raises DataError, naming file and line."""
    return (trajectory for _, trajectory in _placed(file))


class _Lines:
    """A JSONL file. The number of an episode is the byte that its line begins at."""

    def __init__(self, file: Path) -> None:
        self.file, self.media = file, MediaStore(file.parent / MEDIA)

    def append(self, episodes: Iterable[Trajectory]) -> None:
        append(self.file, episodes)

    def query(self, **asked: Any) -> list[Card]:
        return [card for place, each in _placed(self.file) if (card := Card.of(each, place)).answers(**asked)]

    def get(self, number: int) -> Trajectory:
        with self.file.open("rb") as stream:
            stream.seek(number)
            return Trajectory.model_validate_json(stream.readline())

    def episodes(self, **asked: Any) -> Iterator[Trajectory]:
        return (episode for episode in read(self.file) if Card.of(episode).answers(**asked))

    def close(self) -> None:
        """Nothing is left open."""


def _placed(file: Path) -> Iterator[tuple[int, Trajectory]]:
    """The byte where each line begins, and its trajectory."""
    place = 0
    with file.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.endswith(b"\n") and not _is_whole(line):
                return
            try:
                yield place, Trajectory.model_validate_json(line)
            except ValidationError as error:
                problem = error.errors()[0]
                where = ".".join(map(str, problem["loc"]))
                raise DataError(f"{file}, line {number}: {where or 'record'}: {problem['msg']}") from None
            place += len(line)
