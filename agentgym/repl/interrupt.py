"""What Ctrl-C does while a game is played: it ends the turn that is being played, never the game.

Two things can be under way. Code that must not be left in the middle, an engine's above all, is only told, by
cancelling the turn's task: it ends where it next waits. An environment that blocks would not hear that, so that in its
code, and there only, KeyboardInterrupt is raised. Nothing is raised or cancelled twice in a turn: what puts things back
afterwards is left in peace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

__all__ = ["Interrupt"]

T = TypeVar("T")


class Interrupt:
    """One Ctrl-C key; calling it is pressing it, in the main thread at any moment or as a callback of the loop."""

    def __init__(self) -> None:
        self._turn: asyncio.Task[Any] | None = None
        self._open: asyncio.Task[Any] | None = None
        """The task whose code may be interrupted."""

    def __call__(self) -> None:
        if self._open is not None and asyncio.current_task() is self._open:
            self._open = None
            raise KeyboardInterrupt
        if self._turn is not None and not self._turn.cancelling():
            self._turn.cancel()
            self._turn.get_loop().call_soon_threadsafe(lambda: None)  # wakes it

    @contextmanager
    def open(self) -> Iterator[None]:
        """Code that may block, and be left anywhere."""
        self._open = asyncio.current_task()
        try:
            yield
        finally:
            self._open = None

    async def turn(self, work: Coroutine[Any, Any, T]) -> T:
        """Do ``work``, which may have a turn of its own. Raises KeyboardInterrupt when it was interrupted."""
        around, turn = self._turn, asyncio.create_task(_contained(work))
        self._turn = turn
        try:
            await asyncio.wait({turn})
        except asyncio.CancelledError:  # all of the game is
            turn.cancel()
            await asyncio.wait({turn})
            raise
        finally:
            self._turn = around
        if turn.cancelled():
            raise KeyboardInterrupt
        result: T = turn.result()
        return result


async def _contained(work: Coroutine[Any, Any, T]) -> T:
    try:
        return await work
    except KeyboardInterrupt:  # out of a task it would take the event loop with it
        raise asyncio.CancelledError from None
