"""Between plain code and ``async``: where an event loop begins, and what to do with a result that may be awaited.

Everything inside is ``async`` and runs in one event loop. ``run`` is its edge: the command line and the plain
functions of Python's interface enter there, also from a program (a notebook) whose own loop is running.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import functools
import inspect
import signal
import threading
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Iterator
from types import FrameType
from typing import Any, Generic, ParamSpec, TypeVar

__all__ = [
    "Blocking",
    "driven",
    "interruptible",
    "is_ctrl_c",
    "must_wait",
    "plain",
    "run",
    "settled",
    "then",
    "to_the_end",
    "together",
]

P = ParamSpec("P")
T = TypeVar("T")


def must_wait(result: object) -> bool:
    """Whether ``result``, of a method that may be plain or ``async``, is still to come."""
    return not isinstance(result, tuple) and inspect.isawaitable(result)  # the usual case first: it takes no time


def then(result: Any, change: Callable[[Any], Any]) -> Any:
    """``change(result)``, to be awaited where the result is."""
    return _later(result, change) if must_wait(result) else change(result)


async def _later(result: Awaitable[Any], change: Callable[[Any], Any]) -> Any:
    return change(await result)


async def settled(result: Any) -> Any:
    """What a method returned, whether it is plain or ``async``."""
    return await result if must_wait(result) else result


def driven(work: Generator[Any, Any, T]) -> T | Coroutine[Any, Any, T]:
    """What ``work`` returns. It yields what may have to be awaited, and gets back what that comes to.

    A coroutine from the first thing on that must be: so that one function serves plain and ``async`` environments.
    """
    result = None
    try:
        while not must_wait(result := work.send(result)):
            pass
    except StopIteration as done:
        finished: T = done.value
        return finished
    return _driven(work, result)


async def _driven(work: Generator[Any, Any, T], result: Any) -> T:
    try:
        while True:
            result = work.send(await settled(result))
    except StopIteration as done:
        finished: T = done.value
        return finished


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Await ``work``, which goes on when the awaiting task is cancelled."""
    task = asyncio.create_task(work)
    _going_on.add(task)
    task.add_done_callback(_going_on.discard)
    return await asyncio.shield(task)


_going_on: set[asyncio.Task[Any]] = set()
"""An event loop alone keeps no task alive."""


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What all of ``work`` returns; where one raises, the others are not gone on with."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)


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


@contextlib.contextmanager
def interruptible(handle: Callable[[], object]) -> Iterator[None]:
    """Within the body, Ctrl-C calls ``handle`` and does nothing else.

    In the main thread it is called at once, between two instructions of whatever runs, and may raise there; in a
    thread of ``run``, where Ctrl-C does not come, as a callback of the event loop. Other threads have no Ctrl-C.
    """
    beside = _beside_loop.get()
    if _in_main_thread():
        with _on_ctrl_c(lambda *_: handle()):
            yield
    elif beside is not None:
        beside.handle = handle
        try:
            yield
        finally:
            beside.handle = None
    else:
        yield


def is_ctrl_c(error: KeyboardInterrupt) -> bool:
    """Whether Ctrl-C raised it, rather than some code that was running: it came out of what handles the signal.

    Without a handler in Python that cannot be told; then it is taken for one, where Ctrl-C may come.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        return _in_main_thread()
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return any((frame.f_globals.get("__name__"), frame.f_code.co_name) in _HANDLERS for frame in frames)


_HANDLERS = {("asyncio.runners", "_on_sigint"), (__name__, "press"), (__name__, "<lambda>")}


def _beside(main: Coroutine[Any, Any, T]) -> T:
    life = _Beside(main)
    context = contextvars.copy_context()
    context.run(_beside_loop.set, life)
    thread = threading.Thread(target=context.run, args=(life.live,), name="agentgym", daemon=True)
    waits = pressed = False

    def press(*_: object) -> None:
        nonlocal pressed
        pressed = True
        if waits:  # not in the middle of starting the thread: it would go on, and nobody would wait for it
            raise KeyboardInterrupt

    # The loop that runs here may have a handler of its own, which only cancels what it will get to after this.
    with _on_ctrl_c(press) if _in_main_thread() else contextlib.nullcontext():
        thread.start()
        while True:
            try:
                waits = True
                if pressed:
                    raise KeyboardInterrupt
                return life.outcome.result()
            except KeyboardInterrupt:
                pressed = False
                if not life.outcome.done() and life.interrupt():
                    continue
                thread.join()
                raise


class _Beside(Generic[T]):
    """An event loop in a thread, beside the one that waits for it."""

    def __init__(self, main: Coroutine[Any, Any, T]) -> None:
        self.outcome: concurrent.futures.Future[T] = concurrent.futures.Future()
        self.handle: Callable[[], object] | None = None
        """What Ctrl-C does in place of cancelling ``main``."""
        self._main = main
        self._begun: concurrent.futures.Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]]
        self._begun = concurrent.futures.Future()

    def live(self) -> None:
        """What the thread does."""
        try:
            self.outcome.set_result(asyncio.run(self._watched()))
        except BaseException as error:
            self.outcome.set_exception(error)

    def interrupt(self) -> bool:
        """Tell the loop of a Ctrl-C; returns whether it goes on."""
        loop, task = self._begun.result()
        handle = self.handle
        with contextlib.suppress(RuntimeError):  # it has just come to its end
            loop.call_soon_threadsafe(handle or task.cancel)
        return handle is not None

    async def _watched(self) -> T:
        task = asyncio.current_task()
        assert task is not None
        self._begun.set_result((asyncio.get_running_loop(), task))
        return await self._main


_beside_loop: contextvars.ContextVar[_Beside[Any] | None] = contextvars.ContextVar("beside_loop", default=None)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextlib.contextmanager
def _on_ctrl_c(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


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
