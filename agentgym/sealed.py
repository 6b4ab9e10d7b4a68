"""Directories that are either complete or not there.

One is written aside, every file is flushed to disk and hashed, the manifest comes last, and one rename puts it in its
place. Reading it begins with the manifest: what was changed, cut, added, linked or lost since is found before anything
is loaded. A manifest is no signature: whoever can write it can write the rest. So what it may name is bounded too:
plain files below the directory, of kinds that are data.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError

from agentgym.errors import DataError, UserError

__all__ = ["LAYOUT", "aside_of", "check", "discard", "disk_problem", "read_json", "remove", "seal", "sync"]

LAYOUT = 5
"""Version of what is written; another one is refused."""

_MANIFEST = "manifest.json"
_KINDS = {".json", ".safetensors", ".txt", ".jinja", ".model", ".md"}
_MAX_JSON = 2**28
"""Bytes of a JSON file that are read at most."""


class _Seal(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: int
    sha256: str


class _Manifest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    layout: int
    files: dict[str, _Seal]


def aside_of(directory: Path) -> Path:
    """Where ``directory`` is while it is written or deleted."""
    return directory.with_name(f".{directory.name}.partial")


def seal(directory: Path, fill: Callable[[Path], None]) -> Path:
    """Write ``directory`` with what ``fill`` puts into the one it is given; returns ``directory``.

    Whenever this stops, ``directory`` is complete or not there. Raises OSError when the disk refuses, also where a
    library says so in its own way; what was written until then is deleted.
    """
    aside = aside_of(directory)
    try:
        remove(aside)
        aside.mkdir(parents=True)
        fill(aside)
        _write_manifest(aside)
        os.rename(aside, directory)
        _sync_directory(directory.parent)
    except BaseException as error:
        shutil.rmtree(aside, ignore_errors=True)
        number = disk_problem(error)
        if number is None:
            raise
        raise OSError(number, f"cannot write {directory}: {os.strerror(number)}") from error
    return directory


def _write_manifest(directory: Path) -> None:
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    seals = {str(file.relative_to(directory).as_posix()): _synced(file) for file in files}
    manifest = _Manifest(layout=LAYOUT, files=seals)
    (directory / _MANIFEST).write_text(manifest.model_dump_json(indent=1))
    sync(directory / _MANIFEST)
    for path in [*(path for path in directory.rglob("*") if path.is_dir()), directory]:
        _sync_directory(path)


def disk_problem(error: BaseException) -> int | None:
    """Error number of a full or failing disk, or None where ``error`` is about something else.

    safetensors and tokenizers raise their own errors, which have the number in their text.
    """
    numbers = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EFBIG)
    told = re.search(r"os error (\d+)", str(error))
    number = error.errno if isinstance(error, OSError) else int(told[1]) if told else None
    return number if number in numbers else None


def check(directory: Path) -> None:
    """Raise DataError, naming the file, unless ``directory`` holds just what was sealed.

    Raises UserError for another layout.
    """
    manifest = _manifest(directory)
    for name in manifest.files:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name:
            raise DataError(f'{directory / _MANIFEST} names "{name}", which may lie outside of {directory}')
    found = _files(directory)
    for name in sorted(found - manifest.files.keys()):
        raise DataError(f"{directory / name} is not in the manifest")
    for name, expected in sorted(manifest.files.items()):
        _check_file(directory / name, expected, is_there=name in found)


def _check_file(file: Path, expected: _Seal, *, is_there: bool) -> None:
    if not is_there:
        raise DataError(f"{file} is missing")
    if file.suffix not in _KINDS:
        raise DataError(f"{file} is not of a kind that is read: {', '.join(sorted(_KINDS))}")
    size = file.stat().st_size
    if size != expected.size:
        raise DataError(f"{file} has {size} bytes, {expected.size} were written")
    if _hash(file) != expected.sha256:
        raise DataError(f"{file} is not what was written: its SHA-256 differs from the manifest's")


def _files(directory: Path) -> set[str]:
    """Names of all files but the manifest. Raises DataError for links and what is no file."""
    names = set()
    for parent, folders, files in os.walk(directory):
        for name in [*folders, *files]:
            path = Path(parent) / name
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                raise DataError(f"{path} is a symbolic link; a checkpoint has none")
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise DataError(f"{path} is neither a file nor a directory")
            if stat.S_ISREG(mode):
                names.add(path.relative_to(directory).as_posix())
    return names - {_MANIFEST}


def _manifest(directory: Path) -> _Manifest:
    file = directory / _MANIFEST
    if directory.is_symlink():
        raise DataError(f"{directory} is a symbolic link; a checkpoint has none")
    content = read_json(file)
    layout = content.get("layout", 1 if all(isinstance(value, str) for value in content.values()) else None)
    if isinstance(layout, int) and layout != LAYOUT and content:
        raise UserError(
            f"{directory} has layout {layout}, this version of agentgym reads {LAYOUT}; go on with the version that "
            f"wrote it, or begin a new run from its policy: agentgym train --model {directory / 'policy'} --output NEW"
        )
    try:
        return _Manifest.model_validate(content)
    except ValidationError as error:
        raise DataError(f"{file} is not a manifest: {error.errors()[0]['msg']}") from None


Json: TypeAlias = dict[str, Any]


def read_json(file: Path, *, follow: bool = False) -> Json:
    """The object in a JSON file, or with ``follow`` in the one that a link leads to. Raises DataError, naming it."""
    try:
        mode = file.stat() if follow else file.lstat()
        if not stat.S_ISREG(mode.st_mode) or mode.st_size > _MAX_JSON:
            raise DataError(f"{file} is not a plain file of at most {_MAX_JSON >> 20} MiB")
        raw = file.read_bytes()
        if raw.startswith(b"version https://git-lfs"):
            raise DataError(f"{file} is a pointer of git-lfs, not the file itself; type: git -C {file.parent} lfs pull")
        content = json.loads(raw)
    except FileNotFoundError:
        raise DataError(f"{file} is missing") from None
    except (OSError, ValueError, RecursionError) as error:
        raise error if isinstance(error, DataError) else DataError(f"{file} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise DataError(f"{file} is not a JSON object")
    return content


def discard(directory: Path) -> None:
    """Delete ``directory``, which from the first moment on is not there."""
    aside = aside_of(directory)
    remove(aside)
    os.rename(directory, aside)
    remove(aside)


def remove(path: Path) -> None:
    """Delete what is at ``path``, if anything is: of a link the link alone."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sync(file: Path) -> None:
    """Flush ``file`` to disk."""
    with file.open("rb") as stream:
        os.fsync(stream.fileno())


def _synced(file: Path) -> _Seal:
    sync(file)
    return _Seal(size=file.stat().st_size, sha256=_hash(file))


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # file systems of others (SMB, exFAT by FUSE) flush files, but no directories
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS):
            raise
    finally:
        os.close(descriptor)
