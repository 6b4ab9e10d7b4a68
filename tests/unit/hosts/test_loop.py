"""What is particular to environments in the event loop: how they are closed when they are given up."""

from __future__ import annotations

import asyncio
import signal
import warnings
from typing import Any

import pytest

import agentgym
from agentgym.errors import EnvError, UserError
from agentgym.hosts.loop import LoopHosts
from agentgym.types import Action, Observation
from tests.unit.hosts.kit import finishes
from tests.unit.hosts.odd import Plain


class Closes(Plain):
    """Counts how often it is closed, and waits with that for a word."""

    def __init__(self) -> None:
        super().__init__()
        self.closed, self.closing, self.may_close = 0, 0, asyncio.Event()

    async def close(self) -> None:  # type: ignore[override]
        self.closing += 1
        await self.may_close.wait()
        self.closed += 1


def test_one_that_is_killed_is_closed_and_the_end_waits_for_that() -> None:
    async def go() -> None:
        env = Closes()
        hosts = LoopHosts(lambda: env)
        host = await hosts.open()
        host.kill()
        assert env.closing == 0  # by the loop, soon
        end = asyncio.create_task(hosts.close())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert (env.closing, end.done()) == (1, False)
        env.may_close.set()
        await end
        assert env.closed == 1

    finishes(go())


def test_killing_closing_and_killing_again_close_once() -> None:
    async def go() -> None:
        env = Closes()
        env.may_close.set()
        hosts = LoopHosts(lambda: env)
        host = await hosts.open()
        host.kill()
        await host.close()
        host.kill()
        await host.close()
        await hosts.close()
        assert (env.closing, env.closed) == (1, 1)

    finishes(go())


def test_one_that_does_not_close_is_given_up_and_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentgym.hosts.loop.CLOSE_SECONDS", 0.0)

    async def go() -> None:
        env = Closes()
        host = await LoopHosts(lambda: env).open()
        with pytest.warns(RuntimeWarning, match="^Closes did not close: it hangs$"):
            await host.close()
        assert env.closed == 0

    finishes(go())


def test_without_a_running_loop_it_is_dropped_as_it_is() -> None:
    async def opened() -> tuple[Closes, Any]:
        env = Closes()
        return env, await LoopHosts(lambda: env).open()

    env, host = asyncio.run(opened())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        host.kill()
    assert env.closing == 0


class Fails(agentgym.Env):
    """Raises what it is told to."""

    def reset(self, **_: Any) -> tuple[str, dict[str, Any]]:
        return "", {}

    def step(self, action: str) -> Any:
        raise {"interrupt": KeyboardInterrupt, "leave": GeneratorExit, "key": KeyError, "user": UserError}[action](
            action
        )


def test_what_is_raised_is_chained_to_what_is_told() -> None:
    async def go() -> None:
        host = await LoopHosts(Fails).open()
        await host.reset(3, {"task": 1})
        with pytest.raises(
            EnvError, match=r"^Fails raised KeyError: 'key' \(task 1, seed 3, last action 'key'\)"
        ) as told:
            await host.step(Action("key"))
        assert isinstance(told.value.__cause__, KeyError)
        with pytest.raises(UserError, match=r"^user$"):
            await host.step(Action("user"))
        for kind, said in ((KeyboardInterrupt, "interrupt"), (GeneratorExit, "leave")):
            with pytest.raises(EnvError, match=f"^Fails raised {kind.__name__}: {said}"):
                await host.step(Action(said))

    finishes(go())


def test_what_cannot_be_made_is_told_with_the_name_that_it_was_asked_for_by() -> None:
    def make() -> agentgym.Env:
        raise ZeroDivisionError("no")

    async def go() -> None:
        with pytest.raises(
            EnvError, match=r"^the environment raised ZeroDivisionError: no \(before its first episode\)"
        ):
            await LoopHosts(make).open()
        make.id = "shop"  # type: ignore[attr-defined]
        with pytest.raises(EnvError, match=r"^shop raised ZeroDivisionError: no"):
            await LoopHosts(make).open()

    finishes(go())


def test_every_host_has_an_environment_of_its_own() -> None:
    async def go() -> None:
        made: list[Plain] = []

        def make() -> Plain:
            made.append(Plain())
            return made[-1]

        hosts = LoopHosts(make)
        await hosts.open()
        await hosts.open()
        assert len(made) == 2

    finishes(go())


def test_an_expert_that_says_no_text_is_told() -> None:
    class Odd(Plain):
        def expert(self) -> Any:
            return lambda seen: 7

    async def go() -> None:
        host = await LoopHosts(Odd).open()
        await host.reset(0, None)
        with pytest.raises(EnvError, match="an expert says text, found int 7"):
            await host.expert(Observation())

    finishes(go())


class Pressed(agentgym.Env):
    """Within its step a person presses Ctrl-C, or its task is cancelled."""

    def reset(self, **_: Any) -> tuple[str, dict[str, Any]]:
        return "", {}

    async def step(self, action: str) -> Any:  # type: ignore[override]
        if action == "twice":  # the first one only asks to end
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        elif action == "cancels itself":
            raise asyncio.CancelledError
        await asyncio.sleep(3600)


async def pressed(action: str) -> None:
    host = await LoopHosts(Pressed).open()
    await host.reset(0, None)
    await host.step(Action(action))


def test_a_persons_ctrl_c_and_a_cancellation_from_outside_are_the_runs() -> None:
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(pressed("twice"))

    async def cancelled() -> None:
        task = asyncio.create_task(pressed("waits"))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())


def test_a_cancellation_of_the_environments_own_is_its_error() -> None:
    with pytest.raises(EnvError, match=r"^Pressed raised CancelledError: "):
        asyncio.run(pressed("cancels itself"))
