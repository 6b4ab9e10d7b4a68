"""Between plain code and ``async``: where an event loop begins, and what to do with a result that may be awaited.

Everything inside is ``async`` and runs in one event loop. ``run`` is its edge: the command line and the plain
functions of Python's interface enter there, also from a program (a notebook) whose own loop is running.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import functools
import inspect
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

__all__ = ["Blocking", "must_wait", "plain", "run", "settled"]

P = ParamSpec("P")
T = TypeVar("T")


def must_wait(result: object) -> bool:
    """Whether ``result``, of a method that may be plain or ``async``, is still to come."""
    return not isinstance(result, tuple) and inspect.isawaitable(result)  # the usual case first: it takes no time


async def settled(result: Any) -> Any:
    """What a method returned, whether it is plain or ``async``."""
    return await result if must_wait(result) else result


def run(main: Coroutine[Any, Any, T]) -> T:
    """What ``main`` returns, for a caller that cannot await: in a new event loop.

    Where one is running already, which cannot be entered twice, the new one runs in a thread, and the caller's waits.
    Ctrl-C cancels ``main`` and is raised when it has come to its end.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(main)
    return _beside(main)


def plain(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """``function`` for callers that cannot await, under its name without ``_async``."""

    @functools.wraps(function)
    def entered(*args: P.args, **kwargs: P.kwargs) -> T:
        return run(function(*args, **kwargs))

    entered.__name__ = entered.__qualname__ = function.__name__.removesuffix("_async")
    return entered


def _beside(main: Coroutine[Any, Any, T]) -> T:
    outcome: concurrent.futures.Future[T] = concurrent.futures.Future()
    begun: concurrent.futures.Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]] = concurrent.futures.Future()

    async def watched() -> T:
        task = asyncio.current_task()
        assert task is not None
        begun.set_result((asyncio.get_running_loop(), task))
        return await main

    def live() -> None:
        try:
            outcome.set_result(asyncio.run(watched()))
        except BaseException as error:
            outcome.set_exception(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(live,), name="agentgym", daemon=True)
    thread.start()
    try:
        return outcome.result()
    except KeyboardInterrupt:
        loop, task = begun.result()
        if not outcome.done():
            loop.call_soon_threadsafe(task.cancel)
        thread.join()
        raise


class Blocking:
    """Calls what may be ``async`` from where no event loop runs; one loop, which runs during the calls, serves all."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()

    def __call__(self, result: T | Awaitable[T]) -> T:
        """``result`` itself, or what it comes to."""
        done: T = self._runner.run(settled(result)) if must_wait(result) else result  # type: ignore[assignment]
        return done

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop, for whoever has to stop what runs in it."""
        return self._runner.get_loop()

    def close(self) -> None:
        """End the loop."""
        self._runner.close()
