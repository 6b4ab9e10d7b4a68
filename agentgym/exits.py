"""``os._exit`` of an environment that shares its process with the run: an error of that environment, not the run's end.

What calls it outside of an environment, or in another process that was forked there, ends as it would. An environment
is what runs within ``contained``, and the code of a file that is ``owned``, in whatever thread.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import posix
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn

__all__ = ["contained", "own"]

_process: contextvars.ContextVar[int | None] = contextvars.ContextVar("process_of_an_environment", default=None)
"""That an environment runs in; None outside of one."""
_owned: dict[str, int] = {}
"""Files of environments, and the process that each was imported in."""


@contextlib.contextmanager
def contained() -> Iterator[None]:
    """Within the body, which imports or runs an environment, ``os._exit`` raises SystemExit."""
    if not isinstance(os._exit, _Contained):
        os._exit = posix._exit = _Contained(os._exit)
    before = _process.get()
    _process.set(os.getpid())
    try:
        yield
    finally:
        _process.set(before)  # no reset, which fails where a coroutine is closed from elsewhere


def own(file: str) -> None:
    """From now on ``os._exit`` in the code of ``file`` raises SystemExit in this process, also in threads."""
    _owned[file] = os.getpid()


class _Contained:
    """In place of ``os._exit``."""

    def __init__(self, end: Callable[[int], NoReturn]) -> None:
        self._end = end

    def __call__(self, status: int) -> NoReturn:
        caller = sys._getframe(1).f_code.co_filename
        if os.getpid() in (_process.get(), _owned.get(caller)):
            raise SystemExit(f"os._exit({status})")
        self._end(status)
