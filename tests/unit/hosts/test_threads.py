"""What is particular to environments in threads."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest

from agentgym.errors import EnvError
from agentgym.hosts.threads import ThreadHosts
from agentgym.types import Action
from tests.kit import ROOT, eventually, until
from tests.unit.hosts.kit import ODD, factory, finishes, opened
from tests.unit.hosts.odd import Plain


class Where(Plain):
    """Notes the threads that it is called in."""

    threads: list[int]

    def __init__(self) -> None:
        self.threads = [threading.get_ident()]

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, object]]:
        self.threads.append(threading.get_ident())
        return "", 0.0, False, False, {}

    def close(self) -> None:
        self.threads.append(threading.get_ident())


def test_everything_happens_in_one_thread_of_its_own() -> None:
    made: list[Where] = []

    def make() -> Where:
        made.append(Where())
        return made[-1]

    async def go() -> None:
        hosts = ThreadHosts(make)
        for host in [await hosts.open(), await hosts.open()]:
            await host.reset(0, None)
            await host.step(Action("x"))
            await host.close()
        await hosts.close()

    before = threading.active_count()
    finishes(go())
    assert threading.active_count() == before
    assert [len(env.threads) for env in made] == [3, 3]
    assert {len(set(env.threads)) for env in made} == {1}
    assert threading.get_ident() not in made[0].threads + made[1].threads


def names_of_threads() -> set[str]:
    """What the system calls the threads of this process, and those that ``Trouble`` renamed."""
    names = set()
    for file in Path("/proc/self/task").glob("*/comm"):
        with contextlib.suppress(OSError):  # it ends
            names.add(file.read_text().strip())
    return names


def test_a_hanging_thread_is_left_behind_and_named() -> None:
    async def go() -> None:
        async with opened("threads", "Trouble") as hosts:
            host = await hosts.open()
            await host.reset(7, {"task": 2})
            step = asyncio.create_task(host.step(Action("sleep")))
            await until(lambda: "sleep" in names_of_threads())
            step.cancel()
            host.kill()
            with pytest.raises(EnvError, match="was given up"):
                await host.step(Action("sleep"))
            healthy = await hosts.open()
            await healthy.close()
            expected = r"^1 environments hang .*: odd(-Trouble)? in .* \(task 2, seed 7, last action 'sleep'\)"
            with pytest.warns(RuntimeWarning, match=expected):
                await hosts.close()
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                await hosts.close()  # told once

    finishes(go())


class Waits(Plain):
    """Hangs in the first step, and notes what becomes of it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    async def step(self, action: str) -> Any:  # type: ignore[override]
        self.seen.append("hangs")
        try:
            await asyncio.Event().wait()
        finally:
            self.seen.append("told to stop")

    def close(self) -> None:
        self.seen.append("closed")


def test_an_async_environment_is_told_to_stop_closed_and_its_thread_ends() -> None:
    env = Waits()

    async def go() -> None:
        hosts = ThreadHosts(lambda: env)
        host = await hosts.open()
        await host.reset(0, None)
        step = asyncio.create_task(host.step(Action("x")))
        await until(lambda: env.seen == ["hangs"])
        host.kill()
        with pytest.raises(EnvError, match=r"Waits raised CancelledError.*\(seed 0, last action 'x'\)"):
            await step
        await until(lambda: env.seen == ["hangs", "told to stop", "closed"])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            await hosts.close()

    before = threading.active_count()
    finishes(go())
    assert eventually(lambda: threading.active_count() == before)


def test_an_environment_that_does_not_close_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentgym.hosts.threads.CLOSE_SECONDS", 0.05)

    async def go() -> None:
        hosts = ThreadHosts(factory("Unclosable", seconds=10_000))
        host = await hosts.open()
        with pytest.warns(RuntimeWarning, match="did not close: it hangs"):
            await host.close()
        with pytest.warns(RuntimeWarning, match="1 environments hang"):
            await hosts.close()

    finishes(go())


def test_one_that_cannot_be_made_leaves_no_thread() -> None:
    def make() -> Plain:
        raise ZeroDivisionError

    async def go() -> None:
        with pytest.raises(EnvError, match="raised ZeroDivisionError"):
            await ThreadHosts(make).open()

    before = threading.active_count()
    finishes(go())
    assert eventually(lambda: threading.active_count() == before)


def test_an_answer_that_nobody_waits_for_any_more_is_dropped() -> None:
    answers, complaints = threading.Event(), list[Any]()

    class Late(Plain):
        def step(self, action: str) -> Any:
            if action == "late":
                assert answers.wait(60)
            return action, 0.0, False, False, {}

    async def go() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        host = await ThreadHosts(Late).open()
        await host.reset(0, None)
        step = asyncio.create_task(host.step(Action("late")))
        await asyncio.sleep(0)
        step.cancel()
        await asyncio.wait([step])
        answers.set()
        assert (await host.step(Action("next"))).observation == "next"
        await host.close()

    finishes(go())
    assert complaints == []


LEAVES = f"""
import asyncio
from pathlib import Path
from agentgym.hosts import make_hosts
from agentgym.registry import EnvFactory
from agentgym.types import Action

async def main():
    hosts = make_hosts("threads", EnvFactory("{ODD}:Trouble"))
    host = await hosts.open()
    await host.reset(0, None)
    step = asyncio.create_task(host.step(Action("sleep")))
    while not any(name.read_text() == "sleep\\n" for name in Path("/proc/self/task").glob("*/comm")):
        await asyncio.sleep(0.005)
    step.cancel()
    host.kill()
    print("given up")

asyncio.run(main())
"""


def test_nothing_keeps_the_interpreter_from_leaving() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEAVES],
        capture_output=True,
        text=True,
        timeout=120,  # it would sleep for hours
        check=True,
        cwd=ROOT,
    )
    assert done.stdout == "given up\n"
    assert done.stderr == ""
