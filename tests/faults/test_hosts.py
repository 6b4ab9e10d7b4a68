"""Environments that crash, hang and print for ever; nurseries and parents that are killed: nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from agentgym.errors import EnvError
from agentgym.hosts import Host, Hosts, Where
from agentgym.types import Action
from tests.unit.hosts.kit import ODD, becomes, hosted, opened, processes_marked

ROOT = Path(__file__).parents[2]
HANGS = ("sleep", "busy", "block", "ignore")


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Marks every process that a test starts; fails when one is left, and when a descriptor or a thread is."""
    mark = f"agentgym-test-{uuid.uuid4().hex}"
    monkeypatch.setenv("AGENTGYM_TEST_MARK", mark)
    gc.collect()  # what earlier tests left to it must not be gone in the middle of this one
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    yield mark
    assert becomes(lambda: not processes_marked(mark)), processes_marked(mark)
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert threading.active_count() == threads


async def begun(hosts: Hosts) -> tuple[Host, int]:
    """A host within an episode, and its process."""
    host = await hosts.open()
    _, info = await host.reset(9, {"task": 4})
    return host, info["pid"]


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ("leave 3", r"left with exit code 3 \(.*\); it printed last:\ngoodbye, said with code 3$"),
        ("leave 0", r"left with exit code 0 \("),
        (f"signal {signal.SIGKILL:d}", r"was killed by signal 9 \(SIGKILL, perhaps for want of memory\) \("),
        (f"signal {signal.SIGABRT:d}", r"was killed by signal 6 \(SIGABRT\) \([^)]*\); it printed last:\nFatal Python"),
        ("segfault", r"was killed by signal 11 \(SIGSEGV\) .*\n(?s:.*)Segmentation fault(?s:.*) in segfault"),
        ("close_all", r"closed its socket \("),
    ],
)
def test_a_death_is_told_with_its_circumstances_and_spares_the_others(mark: str, trouble: str, said: str) -> None:
    async def go() -> None:
        async with opened("processes", "Trouble") as hosts:
            (host, _), (other, _) = await begun(hosts), await begun(hosts)
            with pytest.raises(EnvError, match=said) as error:
                await host.step(Action(trouble))
            assert str(error.value).startswith(f"the process of {host.name} ")
            assert f"(task 4, seed 9, last action '{trouble}')" in str(error.value)
            with pytest.raises(EnvError, match=said):
                await host.reset(10, None)
            assert (await other.step(Action("babble 0"))).observation == "done"
            await host.close()

    asyncio.run(go())


def test_a_death_is_noticed_within_100_ms(mark: str) -> None:
    async def noticed_after(hosts: Hosts) -> float:
        host, pid = await begun(hosts)
        step = asyncio.create_task(host.step(Action("sleep")))
        await asyncio.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        begin = time.monotonic()
        with pytest.raises(EnvError, match="signal 9"):
            await step
        return time.monotonic() - begin

    async def go() -> list[float]:
        async with opened("processes", "Trouble") as hosts:
            return [await noticed_after(hosts) for _ in range(9)]

    assert statistics.median(asyncio.run(go())) < 0.1


def test_a_death_between_calls_is_told_by_the_next(mark: str) -> None:
    async def go() -> None:
        async with opened("processes", "Trouble") as hosts:
            host, pid = await begun(hosts)
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(EnvError, match=r"signal 9 .*\(task 4, seed 9\)|signal 9 .*last action 'babble 0'"):
                await host.step(Action("babble 0"))

    asyncio.run(go())


def test_a_hundred_hangs_of_four_kinds_leave_no_process(mark: str) -> None:
    async def hang(hosts: Hosts, how: str) -> float:
        host, pid = await begun(hosts)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await host.step(Action(how))
        host.kill()
        begin = time.monotonic()
        while Path(f"/proc/{pid}").exists():
            await asyncio.sleep(0.005)
        return time.monotonic() - begin

    async def go() -> list[float]:
        async with opened("processes", "Trouble") as hosts:
            gone_after = []
            for _ in range(25):
                gone_after += await asyncio.gather(*(hang(hosts, how) for how in HANGS))
            assert len(processes_marked(mark)) == 1  # the nursery
            return gone_after

    gone_after = asyncio.run(go())
    assert len(gone_after) == 100
    assert max(gone_after) < 1


@pytest.mark.parametrize("how", HANGS)
def test_closing_while_it_hangs_takes_no_longer_than_allowed(
    mark: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentgym.hosts.processes.host.CLOSE_SECONDS", 0.1)

    async def go() -> float:
        async with opened("processes", "Trouble") as hosts:
            host, _ = await begun(hosts)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await host.step(Action(how))
            begin = time.monotonic()
            with pytest.warns(RuntimeWarning, match="did not close: it hangs"):
                await host.close()
            return time.monotonic() - begin

    assert asyncio.run(go()) < 1.5


@pytest.mark.parametrize("trouble", ["spawn", "spawn_apart", "fork"])
def test_descendants_go_too(mark: str, trouble: str) -> None:
    async def go() -> None:
        async with opened("processes", "Trouble") as hosts:
            (host, _), (other, pid) = await begun(hosts), await begun(hosts)
            await host.step(Action(trouble))
            assert becomes(lambda: len(processes_marked(mark)) == 4)
            await host.close()
            apart = 1 if trouble == "spawn_apart" else 0  # in no group: it goes with the nursery
            assert becomes(lambda: len(processes_marked(mark)) == 2 + apart)
            await other.step(Action(trouble))
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(EnvError, match="signal 9"):
                await other.step(Action("sleep"))
            assert becomes(lambda: len(processes_marked(mark)) == 1 + 2 * apart)

    asyncio.run(go())


def test_hosts_that_are_not_closed_go_with_the_pool(mark: str) -> None:
    async def go() -> None:
        steps = []
        async with opened("processes", "Trouble") as hosts:
            for how in HANGS:
                host, _ = await begun(hosts)
                steps.append(asyncio.create_task(host.step(Action(how))))
            await asyncio.sleep(0.05)
        for error in await asyncio.gather(*steps, return_exceptions=True):
            assert isinstance(error, EnvError)

    asyncio.run(go())


def test_a_killed_nursery_takes_its_children_along_and_is_started_again(mark: str) -> None:
    async def go() -> None:
        async with opened("processes", "Trouble") as hosts:
            (host, pid), (other, _) = await begun(hosts), await begun(hosts)
            step = asyncio.create_task(host.step(Action("sleep")))
            await asyncio.sleep(0.01)
            os.kill(nursery_of(hosts), signal.SIGKILL)
            with pytest.raises(EnvError, match=r"died with the one that it was forked from .*'sleep'"):
                await step
            with pytest.raises(EnvError, match="died with the one that it was forked from"):
                await other.step(Action("sleep"))
            assert becomes(lambda: not Path(f"/proc/{pid}").exists())
            again, _ = await begun(hosts)
            assert (await again.step(Action("babble 0"))).observation == "done"
            await again.close()

    asyncio.run(go())


def nursery_of(hosts: Hosts) -> int:
    pid: int = hosts._nurse._process.pid  # type: ignore[attr-defined]
    return pid


def test_nurseries_that_are_killed_while_many_open(mark: str) -> None:
    """Every opening either succeeds or says why, and those after succeed."""

    async def go() -> None:
        async with opened("processes", "Trouble") as hosts:
            first = await hosts.open()
            opening = [asyncio.create_task(hosts.open()) for _ in range(20)]
            await asyncio.sleep(0.02)
            os.kill(nursery_of(hosts), signal.SIGKILL)
            for result in await asyncio.gather(*opening, return_exceptions=True):
                if isinstance(result, Host):
                    result.kill()
                else:
                    assert isinstance(result, EnvError)
            await first.close()
            last, _ = await begun(hosts)
            await last.close()

    asyncio.run(go())


PARENT = f"""
import asyncio, os, sys, time
from agentgym.hosts import make_hosts
from agentgym.registry import EnvFactory
from agentgym.types import Action

async def main():
    hosts = make_hosts("processes", EnvFactory("{ODD}:Trouble"))
    try:
        steps = []
        for how in ("sleep", "busy", "ignore", "block"):
            host = await hosts.open()
            await host.reset(0, None)
            steps.append(asyncio.create_task(host.step(Action(how))))
        await asyncio.sleep(0.1)
        print("hanging", flush=True)
        if "fork" in sys.argv:
            sleeper = os.fork()
            if not sleeper:
                time.sleep(1000)
            print(sleeper, flush=True)
        await asyncio.gather(*steps)
    finally:
        await hosts.close()

asyncio.run(main())
"""


@contextlib.contextmanager
def parent(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A program whose four environments hang, in a process group of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "hanging\n"
            yield process
        finally:
            process.kill()


def test_when_the_parent_is_killed_nothing_is_left(mark: str) -> None:
    with parent() as process:
        assert len(processes_marked(mark)) == 6  # parent, nursery and four environments
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert becomes(lambda: not processes_marked(mark), 2)


def test_a_fork_of_the_parent_does_not_keep_the_nursery(mark: str) -> None:
    """It holds copies of the parent's sockets, so that their end is not seen."""
    with parent("fork") as process:
        assert process.stdout is not None
        sleeper = int(process.stdout.readline())
        process.kill()
        process.wait()
        assert becomes(lambda: processes_marked(mark) == {sleeper}, 2)
        os.kill(sleeper, signal.SIGKILL)


def test_an_interrupt_from_the_terminal_ends_all_in_order(mark: str) -> None:
    with parent() as process:
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode in (1, -signal.SIGINT)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert errors.count("Traceback") <= 2  # the task's and the interrupt's own, none of the nursery's
    assert "nursery" not in errors


def test_output_without_end_is_bounded_and_can_be_killed(mark: str) -> None:
    async def go() -> None:
        async with opened("processes", "Trouble") as hosts:
            host, _ = await begun(hosts)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await host.step(Action("babble 1000000"))
            host.kill()
            assert becomes(lambda: len(processes_marked(mark)) == 1)
            again, _ = await begun(hosts)
            await again.close()

    asyncio.run(go())


def test_sixty_four_closed_hosts_leave_nothing(mark: str) -> None:
    async def go() -> None:
        async with opened("processes", "Trouble") as hosts:
            opened_hosts = await asyncio.gather(*(begun(hosts) for _ in range(64)))
            assert len({pid for _, pid in opened_hosts}) == 64
            await asyncio.gather(*(host.close() for host, _ in opened_hosts))
            assert len(processes_marked(mark)) == 1

    asyncio.run(go())


def test_a_host_closed_by_its_block_leaves_nothing(mark: str) -> None:
    async def go() -> None:
        for where in get_args(Where):
            async with hosted(where, "Plain") as host:
                await host.reset(0, None)

    asyncio.run(go())
