"""A directory for a moment, which does not stay where its process is killed: whoever needs one next removes it.

Its owner holds a lock on it, which ends with the process; so none is taken from another that lives, in a container or
under another number.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["scratch"]

_PREFIX = "agentgym-scratch-"


@contextlib.contextmanager
def scratch(place: Path | None = None) -> Iterator[Path]:
    """A new directory in ``place``, by default that for temporary files, gone after the block.

    Those that the dead left there go first.
    """
    place = place or Path(tempfile.gettempdir())
    _sweep(place)
    directory, lock = _locked(place)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(lock)


def _locked(place: Path) -> tuple[Path, int]:
    while True:
        directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
        with contextlib.suppress(FileNotFoundError):  # swept before it was locked
            lock = os.open(directory, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if directory.exists():
                return directory, lock
            os.close(lock)


def _sweep(place: Path) -> None:
    for directory in place.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # it lives, has gone meanwhile, or is somebody else's
            lock = os.open(directory, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory)
            finally:
                os.close(lock)
