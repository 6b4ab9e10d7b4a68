"""``os._exit`` of an environment that shares its process with the run: an error of that environment, not the run's end.

What calls it outside of an environment, or in another process that was forked there, ends as it would.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
from collections.abc import Callable, Iterator
from typing import NoReturn

__all__ = ["contained"]

_process: contextvars.ContextVar[int | None] = contextvars.ContextVar("process_of_an_environment", default=None)
"""That an environment runs in; None outside of one."""


@contextlib.contextmanager
def contained() -> Iterator[None]:
    """Within the body, which runs an environment, ``os._exit`` raises SystemExit."""
    if not isinstance(os._exit, _Contained):
        os._exit = _Contained(os._exit)
    before = _process.get()
    _process.set(os.getpid())
    try:
        yield
    finally:
        _process.set(before)  # no reset, which fails where a coroutine is closed from elsewhere


class _Contained:
    """In place of ``os._exit``."""

    def __init__(self, end: Callable[[int], NoReturn]) -> None:
        self._end = end

    def __call__(self, status: int) -> NoReturn:
        if _process.get() == os.getpid():
            raise SystemExit(f"os._exit({status})")
        self._end(status)
