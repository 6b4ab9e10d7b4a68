"""A tree of files as data: what a snapshot of a sandbox is.

Contents are kept by digest, so that trees that share files share their bytes. Kept of each file are its kind, mode,
time of change, and whether it is root's or the agent's; links are never followed. Hard links become files of their own;
sockets and extended attributes are left out.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from agentgym.sandbox.inside.frames import digest_of

__all__ = ["Entry", "Files"]

_TIME = 1_700_000_000 * 10**9
"""When files were last changed that nobody has changed, in nanoseconds; any day is as good."""


class Entry(NamedTuple):
    """One file, directory, link or pipe."""

    path: str
    kind: str
    """"f" for a file, "d" for a directory, "l" for a link, "p" for a named pipe."""
    mode: int
    mtime: int
    """Nanoseconds."""
    is_root: bool
    """Whether it is root's; otherwise it is the agent's."""
    what: str
    """Digest of a file's content, target of a link, "" of others."""


@dataclasses.dataclass(frozen=True)
class Files:
    """Entries in the order of their paths, and the contents of the files among them by digest."""

    entries: tuple[Entry, ...]
    contents: Mapping[str, bytes]

    @classmethod
    def of(
        cls, contents: Mapping[str, bytes], *, folders: Iterable[str] = (), modes: Mapping[str, int] | None = None
    ) -> Files:
        """The agent's files of these absolute paths, with the directories on the way to them, all of one time."""
        entries: dict[str, Entry] = {}
        for path, kind in [*((path, "f") for path in contents), *((path, "d") for path in folders)]:
            for parent in _above(path):
                entries.setdefault(parent, Entry(parent, "d", 0o755, _TIME, False, ""))
            mode = (modes or {}).get(path, 0o644 if kind == "f" else 0o755)
            entries[path] = Entry(path, kind, mode, _TIME, False, digest_of(contents[path]) if kind == "f" else "")
        ordered = tuple(entries[path] for path in sorted(entries))
        return cls(ordered, {digest_of(data): data for data in contents.values()})

    @property
    def digest(self) -> str:
        """Of all that it says but times: two trees that a command could tell apart by nothing else have the same."""
        told = repr([(entry.path, entry.kind, entry.mode, entry.is_root, entry.what) for entry in self.entries])
        return hashlib.blake2b(told.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()

    @property
    def size(self) -> int:
        """Bytes of the contents."""
        return sum(map(len, self.contents.values()))

    def __contains__(self, path: str) -> bool:
        return path in self._by_path

    def get(self, path: str) -> Entry | None:
        """The entry of that path."""
        return self._by_path.get(path)

    def read(self, path: str) -> bytes:
        """The content of a regular file; links are not followed. Raises FileNotFoundError for anything else."""
        entry = self._by_path.get(path)
        if entry is None or entry.kind != "f":
            raise FileNotFoundError(f"there is no regular file {path}")
        return self.contents[entry.what]

    @functools.cached_property
    def _by_path(self) -> dict[str, Entry]:
        return {entry.path: entry for entry in self.entries}


def _above(path: str) -> Iterator[str]:
    """The directories that a path is in, but for the root."""
    while path := path.rpartition("/")[0]:
        yield path
