"""What is particular to environments in threads."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from agentgym.errors import EnvError
from agentgym.hosts.threads import ThreadHosts
from agentgym.types import Action
from tests.unit.hosts.kit import ODD, becomes, factory, opened
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
    asyncio.run(go())
    assert threading.active_count() == before
    assert [len(env.threads) for env in made] == [3, 3]
    assert {len(set(env.threads)) for env in made} == {1}
    assert threading.get_ident() not in made[0].threads + made[1].threads


def test_a_hanging_thread_is_left_behind_and_named() -> None:
    async def go() -> None:
        async with opened("threads", "Trouble") as hosts:
            host = await hosts.open()
            await host.reset(7, {"task": 2})
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await host.step(Action("sleep"))
            host.kill()
            with pytest.raises(EnvError, match="was given up"):
                await host.step(Action("sleep"))
            healthy = await hosts.open()
            await healthy.close()
            expected = r"^1 environments hang .*: odd(-Trouble)? in .* \(task 2, seed 7, last action 'sleep'\)"
            with pytest.warns(RuntimeWarning, match=expected):
                await hosts.close()

    asyncio.run(go())


def test_an_async_environment_is_told_to_stop_and_its_thread_ends() -> None:
    async def go() -> None:
        async with opened("threads", "AsyncHang") as hosts:
            host = await hosts.open()
            await host.reset(0, None)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await host.step(Action("x"))
            host.kill()

    before = threading.active_count()
    asyncio.run(go())
    assert becomes(lambda: threading.active_count() == before)


def test_an_environment_that_does_not_close_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentgym.hosts.threads.CLOSE_SECONDS", 0.05)

    async def go() -> None:
        hosts = ThreadHosts(factory("Unclosable", seconds=10_000))
        host = await hosts.open()
        with pytest.warns(RuntimeWarning, match="did not close: it hangs"):
            await host.close()
        with pytest.warns(RuntimeWarning, match="1 environments hang"):
            await hosts.close()

    asyncio.run(go())


LEAVES = f"""
import asyncio
from agentgym.hosts import make_hosts
from agentgym.registry import EnvFactory
from agentgym.types import Action

async def main():
    hosts = make_hosts("threads", EnvFactory("{ODD}:Trouble"))
    host = await hosts.open()
    await host.reset(0, None)
    try:
        async with asyncio.timeout(0.05):
            await host.step(Action("sleep"))
    except TimeoutError:
        host.kill()
        print("given up")

asyncio.run(main())
"""


def test_nothing_keeps_the_interpreter_from_leaving() -> None:
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", LEAVES],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout == "given up\n"
    assert done.stderr == ""
    assert time.monotonic() - begin < 30
