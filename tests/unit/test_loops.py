"""Where an event loop begins: also in a program whose own is running, and with Ctrl-C."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Generator
from typing import Any

import pytest

from agentgym.loops import Blocking, driven, interruptible, must_wait, plain, run, settled, to_the_end
from tests.kit import until

NAME = contextvars.ContextVar("NAME", default="nobody")


async def doubled(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


def in_a_loop(function: Callable[[], Any]) -> Any:
    """What ``function`` returns where an event loop is running."""

    async def main() -> Any:
        return function()

    return asyncio.run(main())


def at_once(function: Callable[[], Any]) -> Any:
    return function()


everywhere = pytest.mark.parametrize("where", [at_once, in_a_loop])


@everywhere
def test_run_returns_and_raises_what_its_coroutine_does(where: Callable[..., Any]) -> None:
    async def fails() -> None:
        raise KeyError("lost")

    assert where(lambda: run(doubled(2))) == 4
    with pytest.raises(KeyError, match="lost"):
        where(lambda: run(fails()))


@everywhere
def test_run_may_be_entered_again_from_inside(where: Callable[..., Any]) -> None:
    async def outer() -> int:
        return run(doubled(run(doubled(1))))

    assert where(lambda: run(outer())) == 4


@everywhere
def test_context_variables_are_seen_inside(where: Callable[..., Any]) -> None:
    async def who() -> str:
        return NAME.get()

    def named() -> str:
        NAME.set("somebody")
        return run(who())

    assert contextvars.copy_context().run(where, named) == "somebody"
    assert NAME.get() == "nobody"


def test_the_thread_beside_a_loop_ends_with_its_work() -> None:
    async def where() -> threading.Thread:
        return threading.current_thread()

    thread = in_a_loop(lambda: run(where()))
    thread.join(120)
    assert thread is not threading.main_thread()
    assert not thread.is_alive()


def test_plain_takes_the_name_without_its_end() -> None:
    async def double_async(number: int) -> int:
        """Twice as much."""
        return await doubled(number)

    double = plain(double_async)
    assert (double(3), double.__name__, double.__doc__) == (6, "double", "Twice as much.")


@pytest.mark.parametrize(("result", "waits"), [((1, 2), False), (3, False), (None, False)])
def test_what_is_there_is_not_awaited(result: object, waits: bool) -> None:
    assert must_wait(result) is waits
    assert asyncio.run(settled(result)) is result


def test_what_may_be_awaited_is() -> None:
    class Later:
        def __await__(self) -> Any:
            yield from asyncio.sleep(0).__await__()
            return 5

    assert must_wait(Later())
    assert asyncio.run(settled(Later())) == 5
    assert asyncio.run(settled(doubled(1))) == 2


def test_blocking_calls_share_one_loop() -> None:
    async def here() -> Any:
        return asyncio.get_running_loop()

    result = Blocking()
    loops = [result(here()) for _ in range(2)]
    assert loops == [result.loop, result.loop]
    assert result((1, "at once")) == (1, "at once")
    result.close()


def test_blocking_calls_of_what_is_plain_need_no_loop() -> None:
    assert in_a_loop(lambda: Blocking()((1, 2))) == (1, 2)


def test_what_goes_to_the_end_returns_and_raises_what_it_does() -> None:
    async def fails() -> None:
        raise ValueError("second")

    async def main() -> None:
        assert await to_the_end(doubled(1)) == 2
        with pytest.raises(ValueError, match="second"):
            await to_the_end(fails())

    asyncio.run(main())


def test_what_goes_to_the_end_does_so_though_nobody_waits_any_more_or_holds_it() -> None:
    done: list[str] = []
    waits: list[weakref.ref[asyncio.Future[str]]] = []

    async def work() -> None:
        waiting = asyncio.get_running_loop().create_future()
        waits.append(weakref.ref(waiting))
        try:
            done.append(await waiting)
        except BaseException as error:
            done.append(type(error).__name__)
            raise

    async def main() -> None:
        asking = asyncio.ensure_future(to_the_end(work()))
        await until(lambda: bool(waits))
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        del asking
        gc.collect()
        waiting = waits[0]()
        assert waiting is not None
        assert done == []
        waiting.set_result("done")
        await until(lambda: bool(done))

        assert waits[0]() is not None
        del waiting
        await asyncio.sleep(0)
        gc.collect()
        assert waits[0]() is None, "nothing holds it when it is done"

    asyncio.run(main())
    assert done == ["done"]


def told(*asked: Any) -> Generator[Any, Any, list[Any]]:
    """What came back for each of ``asked``."""
    found = []
    for each in asked:
        found.append((yield each))
    return found


def test_work_that_waits_for_nothing_is_done_at_once() -> None:
    assert driven(told()) == []
    assert driven(told(1, (2, 3), None)) == [1, (2, 3), None]


def test_work_that_must_wait_is_awaited_from_there_on() -> None:
    async def main() -> None:
        later = driven(told(1, doubled(2), 3, doubled(4)))
        assert must_wait(later)
        assert await settled(later) == [1, 4, 3, 8]

    asyncio.run(main())


def test_what_driven_work_raises_comes_through() -> None:
    def fails(first: Any) -> Generator[Any, Any, None]:
        yield first
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        driven(fails(1))
    with pytest.raises(KeyError, match="lost"):
        asyncio.run(settled(driven(fails(doubled(1)))))


def test_the_loop_of_blocking_calls_ends_with_them() -> None:
    result = Blocking()
    loop = result.loop
    result.close()
    assert loop.is_closed()


# -- Ctrl-C ----------------------------------------------------------------------------------------------

WAITS = """
import asyncio, time
from agentgym.loops import interruptible, run

async def waits():
    try:
        print("waits", flush=True)
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.1)
        print("cleaned up", flush=True)

async def outer():
    try:
        run(waits())
    except KeyboardInterrupt:
        print("raised", flush=True)
    print("goes on", flush=True)

async def handles():
    pressed = asyncio.Event()
    with interruptible(pressed.set if WAKES else lambda: loop.call_soon_threadsafe(pressed.set)):
        loop = asyncio.get_running_loop()
        print("waits", flush=True)
        await pressed.wait()
    print("handled", flush=True)
"""


def pressed(code: str) -> list[str]:
    """What a program prints that is interrupted once it waits."""
    process = subprocess.Popen([sys.executable, "-c", WAITS + code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "waits\n"
    process.send_signal(signal.SIGINT)
    shown, _ = process.communicate(timeout=120)
    return [f"{process.returncode}", *shown.split("\n")[:-1]]


def test_ctrl_c_in_a_running_loop_is_raised_when_the_work_has_come_to_its_end() -> None:
    assert pressed("asyncio.run(outer())") == ["0", "cleaned up", "raised", "goes on"]


def test_ctrl_c_while_the_thread_is_started_too() -> None:
    code = "import os, signal, threading\nstart = threading.Thread.start\n"
    code += "def starts(thread):\n    start(thread)\n    input()\n"
    code += "threading.Thread.start = starts\nasyncio.run(outer())\n"
    process = subprocess.Popen(
        [sys.executable, "-c", WAITS + code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "waits\n"
    process.send_signal(signal.SIGINT)
    shown, _ = process.communicate("\n", timeout=120)
    assert shown.split("\n")[:-1] == ["cleaned up", "raised", "goes on"]


def test_ctrl_c_without_one_too() -> None:
    code = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += "try:\n    run(waits())\nexcept KeyboardInterrupt:\n    print('raised')\n"
    assert pressed(code) == ["0", "cleaned up", "raised"]


@pytest.mark.parametrize(
    "code",
    ["WAKES = False\nrun(handles())", "WAKES = True\nasync def main(): run(handles())\nasyncio.run(main())"],
    ids=["here", "beside a loop"],
)
def test_ctrl_c_does_what_it_is_told_to(code: str) -> None:
    assert pressed(code) == ["0", "handled"]


def test_ctrl_c_is_what_it_was_after_the_body() -> None:
    code = "async def again():\n    with interruptible(lambda: None): pass\n    await waits()\n"
    code += "async def main():\n    try: run(again())\n    except KeyboardInterrupt: print('raised', flush=True)\n"
    assert pressed(code + "asyncio.run(main())") == ["0", "cleaned up", "raised"]


def test_a_handler_is_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interruptible(lambda: None):
        assert signal.getsignal(signal.SIGINT) is not before
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    in_a_loop(lambda: run(doubled(1)))
    assert signal.getsignal(signal.SIGINT) is before


def test_a_thread_of_somebody_s_has_no_ctrl_c() -> None:
    before, found = signal.getsignal(signal.SIGINT), []

    def elsewhere() -> None:
        with interruptible(lambda: None):
            found.append(signal.getsignal(signal.SIGINT))
        found.append(run(doubled(1)))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found == [before, 2]
