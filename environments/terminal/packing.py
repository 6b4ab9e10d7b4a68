"""Tasks of archives: pack, unpack, compress."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping

import numpy as np

from agentgym.environments.terminal.goals import Absent, Packed, Text
from agentgym.environments.terminal.task import Task
from agentgym.environments.terminal.words import COLORS, FRUITS, THINGS, some

__all__ = ["compressed", "packed", "tar_of", "unpacked"]

_PACK = {"tar": "tar -cf {to} {what}", "tar.gz": "tar -czf {to} {what}", "zip": "zip -qr {to} {what}"}


def packed(rng: np.random.Generator) -> Task:
    """Pack a directory."""
    (folder, name), (end,) = some(rng, COLORS, 2), some(rng, sorted(_PACK), 1)
    files = {f"{folder}/{path}": data for path, data in _files(rng).items()}
    to = f"{name}.{end}"
    return Task(
        topic=("packed", folder, to),
        text=f"pack the directory {folder} into the archive {to}",
        files=files,
        goals=(Packed(to, tuple(sorted(files.items()))),),
        solution=(_PACK[end].format(to=to, what=folder),),
    )


def unpacked(rng: np.random.Generator) -> Task:
    """Unpack an archive into a directory that has to be made."""
    folder, name = some(rng, COLORS, 2)
    files = _files(rng)
    return Task(
        topic=("unpacked", folder, name),
        text=f"unpack the archive {name}.tar.gz into the directory {folder}, which is not there yet",
        files={f"{name}.tar.gz": tar_of(files)},
        goals=tuple(Text(f"{folder}/{path}", data.decode()) for path, data in files.items()),
        solution=(f"mkdir {folder}", f"tar -xzf {name}.tar.gz -C {folder}"),
    )


def compressed(rng: np.random.Generator) -> Task:
    """Unpack a file that is compressed."""
    name, other = some(rng, THINGS, 2)
    text = "\n".join(some(rng, FRUITS, 4)) + "\n"
    return Task(
        topic=("compressed", name, other, text),
        text=f"decompress {name}.gz, so that {name} is there and {name}.gz is not",
        files={f"{name}.gz": gzip.compress(text.encode(), mtime=0), other: b"keep\n"},
        goals=(Text(name, text), Absent(f"{name}.gz")),
        solution=(f"gunzip {name}.gz",),
    )


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """A compressed tar file, the same bytes for the same files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, data in files.items():
            one = tarfile.TarInfo(path)
            one.size = len(data)
            archive.addfile(one, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), mtime=0)


def _files(rng: np.random.Generator) -> dict[str, bytes]:
    names = some(rng, THINGS, 3)
    return {f"{name}.txt": f"{some(rng, FRUITS, 1)[0]} {rng.integers(60)}\n".encode() for name in names}
