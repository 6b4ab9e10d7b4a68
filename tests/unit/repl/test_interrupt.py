"""What pressing Ctrl-C does, told without a key: to a turn that waits, to code that blocks, and between turns."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from agentgym.repl.interrupt import Interrupt


class Turn:
    """A turn that waits until it is interrupted or let go on, and then cleans up."""

    def __init__(self) -> None:
        self.waits, self.cleans, self.goes_on = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.log: list[str] = []

    async def play(self) -> str:
        self.waits.set()
        try:
            await self.goes_on.wait()
            return "played"
        finally:
            self.cleans.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self.log.append("cleaned up")


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def guarded(interrupt: Interrupt, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """A game of one turn; a KeyboardInterrupt out of its task would take the loop with it."""

    async def game() -> Any:
        try:
            return await interrupt.turn(work)
        except KeyboardInterrupt:
            return "interrupted"

    return asyncio.create_task(game())


def test_a_turn_gives_what_it_comes_to() -> None:
    async def go() -> None:
        interrupt, turn = Interrupt(), Turn()
        turn.goes_on.set()
        assert await interrupt.turn(turn.play()) == "played"

        async def breaks() -> None:
            raise LookupError("broken")

        with pytest.raises(LookupError, match="broken"):
            await interrupt.turn(breaks())

    run(go())


def test_a_turn_that_waits_is_cancelled_once_and_cleans_up_in_peace() -> None:
    async def go() -> None:
        interrupt, turn = Interrupt(), Turn()
        game = guarded(interrupt, turn.play())
        await turn.waits.wait()
        interrupt()
        await turn.cleans.wait()
        interrupt()
        interrupt()
        assert await game == "interrupted"
        assert turn.log == ["cleaned up"]

    run(go())


def test_pressing_between_turns_does_nothing() -> None:
    async def go() -> None:
        interrupt = Interrupt()
        interrupt()
        for goes_on in (True, False, True):
            turn = Turn()
            if goes_on:
                turn.goes_on.set()
            game = guarded(interrupt, turn.play())
            await turn.waits.wait()
            if not goes_on:
                interrupt()
            assert await game == ("played" if goes_on else "interrupted")
            interrupt()

    run(go())


def test_code_that_blocks_is_broken_off_where_it_is_and_only_once() -> None:
    log: list[str] = []

    async def go() -> None:
        interrupt = Interrupt()

        async def blocks() -> None:
            with interrupt.open():
                try:
                    interrupt()
                except KeyboardInterrupt:
                    log.append("broken off")
                    interrupt()  # while it is put right: only told, which takes effect where it next waits
                    log.append("put right")
                    raise

        assert await guarded(interrupt, blocks()) == "interrupted"

    run(go())
    assert log == ["broken off", "put right"]


def test_code_that_blocked_once_is_only_told_afterwards() -> None:
    async def go() -> None:
        interrupt, after = Interrupt(), []

        async def blocks() -> str:
            with interrupt.open():
                pass
            interrupt()
            after.append("still here")
            await asyncio.sleep(0)
            return "played"

        assert await guarded(interrupt, blocks()) == "interrupted"
        assert after == ["still here"]

    run(go())


def test_code_that_broke_is_not_open_any_longer() -> None:
    async def go() -> None:
        interrupt, after = Interrupt(), []

        async def breaks() -> None:
            with pytest.raises(LookupError), interrupt.open():
                raise LookupError
            interrupt()
            after.append("still here")

        assert await guarded(interrupt, breaks()) == "interrupted"
        assert after == ["still here"]

    run(go())


def test_pressed_elsewhere_code_that_may_block_is_told_and_not_broken_off() -> None:
    async def go() -> None:
        interrupt, turn = Interrupt(), Turn()

        async def waits() -> str:
            with interrupt.open():
                return await turn.play()

        game = guarded(interrupt, waits())
        await turn.waits.wait()
        asyncio.get_running_loop().call_soon(interrupt)  # a callback is no task
        assert await game == "interrupted"
        assert turn.log == ["cleaned up"]

    run(go())


def test_a_game_that_is_cancelled_ends_its_turn_first() -> None:
    async def go() -> None:
        interrupt, turn = Interrupt(), Turn()
        game = asyncio.create_task(interrupt.turn(turn.play()))
        await turn.waits.wait()
        game.cancel()
        with pytest.raises(asyncio.CancelledError):
            await game
        assert turn.log == ["cleaned up"]

    run(go())


def test_a_loop_that_sleeps_is_woken() -> None:
    async def go() -> None:
        interrupt, turn = Interrupt(), Turn()
        game = guarded(interrupt, turn.play())
        await turn.waits.wait()
        woken: list[object] = []
        loop = asyncio.get_running_loop()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop, "call_soon_threadsafe", lambda callback: woken.append(callback()))
            interrupt()
        assert woken == [None]
        assert await game == "interrupted"

    run(go())
