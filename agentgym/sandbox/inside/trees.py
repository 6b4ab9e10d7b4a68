"""A writable directory as a list of what is in it, and a list made true again.

It is gone through by descriptors of directories, never following a link, while no command runs: so nothing outside of
it is ever read or removed, whatever was put there.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from typing import Any

KINDS = {stat.S_IFREG: "f", stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFIFO: "p"}
_MAX_DEPTH = 100


class Tree:
    """The directory ``path``, which is called ``name`` in the sandbox."""

    def __init__(self, name: str, path: str) -> None:
        self.name, self.path = name, path
        self._first = os.stat(path)

    def walk(self, max_bytes: int) -> Iterator[tuple[str, os.stat_result, str]]:
        """(path, status, digest or target) of all that is in it, itself first. Raises OSError for what is too large."""
        with _opened(self.path) as one:
            yield self.name, os.fstat(one), ""
            yield from self._walk(one, self.name, 0, max_bytes)

    def _walk(self, parent: int, path: str, depth: int, max_bytes: int) -> Iterator[tuple[str, os.stat_result, str]]:
        if depth > _MAX_DEPTH:
            raise OSError(errno.EFBIG, "", path)
        for name in sorted(_names(parent)):
            here, status = f"{path}/{name}", os.stat(name, dir_fd=parent, follow_symlinks=False)
            kind = KINDS.get(stat.S_IFMT(status.st_mode))
            if kind == "f" and status.st_size > max_bytes:
                raise OSError(errno.EFBIG, "", here)
            if kind is not None:
                yield here, status, _what(parent, name, kind)
            if kind == "d":
                with _opened(name, parent) as one:
                    yield from self._walk(one, here, depth + 1, max_bytes)

    def prune(self, wanted: dict[str, Any]) -> set[str]:
        """Remove what is not as in ``wanted``, entries by path; returns the paths of files that are."""
        kept: set[str] = set()
        with _opened(self.path) as one:
            self._prune(one, self.name, wanted, kept)
            os.fchmod(one, stat.S_IMODE(self._first.st_mode))
        return kept

    def _prune(self, parent: int, path: str, wanted: dict[str, Any], kept: set[str]) -> None:
        for name in _names(parent):
            here, status = f"{path}/{name}", os.stat(name, dir_fd=parent, follow_symlinks=False)
            kind, entry = KINDS.get(stat.S_IFMT(status.st_mode)), wanted.get(here)
            is_alone = kind == "d" or status.st_nlink == 1
            if entry is None or entry[1] != kind or not is_alone or _what(parent, name, kind) != entry[5]:
                remove(parent, name)
            elif kind == "d":
                with _opened(name, parent) as one:
                    self._prune(one, here, wanted, kept)
            elif kind == "f":
                kept.add(here)


def remove(parent: int, name: str) -> None:
    """Remove a file or a directory however deep: what is below is moved up, so that nobody has to go down."""
    if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=parent)
        return
    with _opened(name, parent) as one:
        while below := _names(one):
            for child in below:
                if stat.S_ISDIR(os.stat(child, dir_fd=one, follow_symlinks=False).st_mode):
                    _lift(one, child)
                else:
                    os.unlink(child, dir_fd=one)
    os.rmdir(name, dir_fd=parent)


def _lift(outer: int, child: str) -> None:
    """Move what is in a directory to where the directory is, and remove it."""
    with _opened(child, outer) as inner:
        unique = os.fstat(inner).st_ino
        for number, name in enumerate(_names(inner)):
            os.rename(name, f".{unique}.{number}.agentgym", src_dir_fd=inner, dst_dir_fd=outer)
    os.rmdir(child, dir_fd=outer)


def _names(one: int) -> list[str]:
    with os.scandir(one) as found:
        return [entry.name for entry in found]


@contextlib.contextmanager
def _opened(name: str, parent: int | None = None) -> Iterator[int]:
    one = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        yield one
    finally:
        os.close(one)


def _what(parent: int, name: str, kind: str | None) -> str:
    """Digest of a file's content, target of a link."""
    if kind == "l":
        return os.readlink(name, dir_fd=parent)
    if kind != "f":
        return ""
    digest = hashlib.blake2b(digest_size=16)
    one = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
    try:
        while piece := os.read(one, 1 << 20):
            digest.update(piece)
    finally:
        os.close(one)
    return digest.hexdigest()
