"""What an image holds in the directories that may be written: a sandbox has these empty, and in memory."""

from __future__ import annotations

import functools
import io
import posixpath
import tarfile
from collections.abc import Iterator
from typing import Any

from agentgym.errors import UserError
from agentgym.extras import require
from agentgym.sandbox import Entry, Files
from agentgym.sandbox.daemon import daemon
from agentgym.sandbox.inside.frames import digest_of
from agentgym.sandbox.owner import labels

__all__ = ["contents_of", "entries_in"]

_KINDS = {
    tarfile.REGTYPE: "f",
    tarfile.AREGTYPE: "f",
    tarfile.DIRTYPE: "d",
    tarfile.SYMTYPE: "l",
    tarfile.FIFOTYPE: "p",
}


@functools.lru_cache(maxsize=16)  # an episode asks twice, and those of a group for the same
def contents_of(image: str, folders: tuple[str, ...], most: int) -> Files:
    """The files of these folders of an image, all the agent's. Raises UserError for more than ``most`` bytes in one."""
    entries = {entry.path: entry for entry in Files.of({}, folders=folders, modes={"/tmp": 0o1777}).entries}
    found = {folder: entries[folder] for folder in folders}
    contents: dict[str, bytes] = {}
    id = daemon().create({"Image": image, "Cmd": ["true"], "Labels": labels()})  # it never runs
    try:
        for folder in folders:
            for entry, data in entries_in(_archive(id, folder, most), posixpath.dirname(folder)):
                found[entry.path] = entry
                contents |= {entry.what: data} if entry.kind == "f" else {}
    finally:
        daemon().remove(id)
    return Files(tuple(found[path] for path in sorted(found)), contents)


def _archive(id: str, folder: str, most: int) -> bytes:
    """A tar archive of a folder, itself in it; nothing where there is none."""
    docker, received = require("docker", extra="docker"), bytearray()
    try:
        pieces, told = daemon().client.get_archive(id, folder)
    except docker.errors.NotFound:
        return b""
    if told["linkTarget"]:
        raise UserError(f"{folder} of the image leads to {told['linkTarget']}: a directory is what may be written")
    for piece in pieces:
        received += piece
        if len(received) > most:
            raise UserError(f"the image has more than {most} bytes in {folder}, which is kept in memory here")
    return bytes(received)


def entries_in(archive: bytes, parent: str) -> Iterator[tuple[Entry, bytes]]:
    """What is in an archive of a folder of ``parent``, and its content; hard links are files of their own."""
    if not archive:
        return
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            origin: Any = tar.getmember(member.linkname) if member.islnk() else member
            if (kind := _KINDS.get(origin.type)) is None:
                continue
            file = tar.extractfile(origin) if kind == "f" else None
            data = file.read() if file else b""
            what = digest_of(data) if kind == "f" else member.linkname if kind == "l" else ""
            path = posixpath.join(parent, member.name.rstrip("/"))
            yield Entry(path, kind, member.mode & 0o7777, int(member.mtime) * 10**9, False, what), data
