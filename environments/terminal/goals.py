"""What must be true at the end of a task: of files as data, which nobody can change any more.

Archives are read here, by Python's own readers, and what a policy packs is not trusted: names are only compared,
nothing is written anywhere, and what would unpack to more than a task's own files is no archive of them.
"""

from __future__ import annotations

import abc
import dataclasses
import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping

from agentgym.sandbox import Files

__all__ = ["Absent", "Folder", "Goal", "Moded", "Packed", "Stopped", "Text", "World"]

_MAX_PACKED = 1 << 20


@dataclasses.dataclass(frozen=True, slots=True)
class World:
    """The last state: the files by their paths, and the programs that still ran before they were stopped."""

    files: Files
    root: str
    running: frozenset[str] = frozenset()

    def text(self, path: str) -> str | None:
        """What a file says, without blanks at the ends of lines; None where there is no such file."""
        entry = self.files.get(f"{self.root}/{path}")
        if entry is None or entry.kind != "f":
            return None
        return _trimmed(self.files.contents[entry.what].decode("utf-8", "replace"))

    def data(self, path: str) -> bytes | None:
        """The content of a file; None where there is no such file."""
        entry = self.files.get(f"{self.root}/{path}")
        return self.files.contents[entry.what] if entry is not None and entry.kind == "f" else None


class Goal(abc.ABC):
    """One thing that must be true."""

    path: str

    @abc.abstractmethod
    def holds(self, world: World) -> bool:
        """Whether it is."""


@dataclasses.dataclass(frozen=True, slots=True)
class Text(Goal):
    """A file says this; blanks at the ends of lines and empty lines at the end do not count."""

    path: str
    text: str

    def holds(self, world: World) -> bool:
        return world.text(self.path) == _trimmed(self.text)


@dataclasses.dataclass(frozen=True, slots=True)
class Folder(Goal):
    """There is a directory."""

    path: str

    def holds(self, world: World) -> bool:
        entry = world.files.get(f"{world.root}/{self.path}")
        return entry is not None and entry.kind == "d"


@dataclasses.dataclass(frozen=True, slots=True)
class Absent(Goal):
    """There is nothing of that name."""

    path: str

    def holds(self, world: World) -> bool:
        return f"{world.root}/{self.path}" not in world.files


@dataclasses.dataclass(frozen=True, slots=True)
class Moded(Goal):
    """A file has this mode."""

    path: str
    mode: int

    def holds(self, world: World) -> bool:
        entry = world.files.get(f"{world.root}/{self.path}")
        return entry is not None and entry.kind == "f" and entry.mode == self.mode


@dataclasses.dataclass(frozen=True, slots=True)
class Packed(Goal):
    """An archive, by its name a tar file, compressed or not, or a zip file, holds these files and no others."""

    path: str
    files: tuple[tuple[str, bytes], ...]

    def holds(self, world: World) -> bool:
        data = world.data(self.path)
        if data is None:
            return False
        try:
            return dict(_unpacked(self.path, data)) == dict(self.files)
        except (tarfile.TarError, zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError):
            return False


@dataclasses.dataclass(frozen=True, slots=True)
class Stopped(Goal):
    """A program that ran at the beginning does not any more."""

    path: str

    def holds(self, world: World) -> bool:
        return self.path not in world.running


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines())


def _unpacked(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files in an archive. Raises ValueError for what is too large."""
    left = _MAX_PACKED
    for path, size, read in (_zipped if name.endswith(".zip") else _tarred)(data):
        left -= size
        if left < 0:
            raise ValueError("too large")
        yield path.removeprefix("./"), read


def _zipped(data: bytes) -> Iterator[tuple[str, int, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for one in archive.infolist():
            if not one.is_dir():
                if one.file_size > _MAX_PACKED:
                    raise ValueError("too large")
                with archive.open(one) as file:
                    read = file.read(_MAX_PACKED)
                yield one.filename, len(read), read


def _tarred(data: bytes) -> Iterator[tuple[str, int, bytes]]:
    # Not "r:*", which would read the whole of what is compressed to find its end.
    with tarfile.open(fileobj=io.BytesIO(data), mode="r|*") as archive:
        for one in archive:
            if one.isdir():
                continue
            if not one.isreg() or one.size > _MAX_PACKED:
                raise ValueError("no plain file, or too large")
            file = archive.extractfile(one)
            read = file.read(_MAX_PACKED) if file is not None else b""
            yield one.name, len(read), read


def untouched(world: World, first: Mapping[str, bytes], may_change: frozenset[str]) -> bool:
    """Whether all files that were there at the beginning still say what they said."""
    return all(world.data(path) == data for path, data in first.items() if path not in may_change)
