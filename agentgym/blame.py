"""Where in somebody's own file an error comes from: not in this package, in Python or in what is installed."""

from __future__ import annotations

import contextlib
import inspect
import sysconfig
import traceback
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["blamed", "home", "innermost", "own_frames", "place", "told_frames"]

_FRAMES = 5


def innermost(error: BaseException) -> BaseException:
    """The one exception of a group of one: task groups wrap what was raised."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def own_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The frames in somebody's own files that led to ``error``, the last one last.

    Of a file that is no Python, there is the line that is none.
    """
    inner = innermost(error)
    found = traceback.extract_tb(inner.__traceback__) or traceback.extract_tb(error.__traceback__)
    frames = [frame for frame in found if _is_own(frame.filename)]
    if isinstance(inner, SyntaxError) and inner.filename and inner.lineno and _is_own(inner.filename):
        line = (inner.text or "").strip()
        frames.append(traceback.FrameSummary(inner.filename, inner.lineno, "<module>", lookup_line=False, line=line))
    return frames


def place(error: BaseException) -> str:
    """``file:line`` of the last such frame; where there is none, of the frame that raised; "" where there is none.

    The file is told from here, where it lies below.
    """
    frames = own_frames(error) or traceback.extract_tb(innermost(error).__traceback__)[-1:]
    return _told(frames[-1]) if frames else ""


def blamed(error: BaseException) -> str:
    """What somebody's own file raised, and where, line by line; "" where none of their code had to do with it."""
    if not (frames := own_frames(error)):
        return ""
    inner = innermost(error)
    said = inner.msg if isinstance(inner, SyntaxError) else str(inner)
    return f"{type(inner).__name__}: {said}\n{told_frames(frames[-_FRAMES:])}"


def told_frames(frames: Iterable[traceback.FrameSummary]) -> str:
    """``file:line``, function and code of each, on a line of its own."""
    return "\n".join(f"  {_told(frame)}, in {frame.name}: {frame.line}" for frame in frames)


def home(function: Any) -> str:
    """``file:line`` at which somebody's own file defines ``function``; "" for all others."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None or not _is_own(code.co_filename):
        return ""
    return _told(traceback.FrameSummary(code.co_filename, code.co_firstlineno, code.co_name, lookup_line=False))


def _told(frame: traceback.FrameSummary) -> str:
    """``file:line``."""
    file = Path(frame.filename)
    with contextlib.suppress(ValueError, OSError):  # it is elsewhere, or there is no here
        file = file.relative_to(Path.cwd())
    return f"{file}:{frame.lineno}"


@cache
def _not_own() -> tuple[str, ...]:
    package = Path(__file__).resolve().parent
    linked = [path.resolve() for path in package.iterdir() if path.is_symlink()]
    installed = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "scripts")]
    return tuple(f"{path}/" for path in (package, *linked, *installed))


@cache
def _is_own(filename: str) -> bool:
    if filename.startswith("<"):  # made by dataclasses, or frozen
        return False
    path = str(Path(filename).resolve())
    return not (path.startswith(_not_own()) or "/site-packages/" in path or "/dist-packages/" in path)
