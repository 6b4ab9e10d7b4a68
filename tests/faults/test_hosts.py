"""Environments that crash, hang and print for ever; nurseries and parents that are killed: nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from agentgym.errors import EnvError
from agentgym.hosts import Host, Hosts, Where
from agentgym.types import Action
from tests.kit import ROOT, eventually, until
from tests.unit.hosts.kit import ODD, begun, called, hanging, hosted, opened, processes_marked

HANGS = ("sleep", "busy", "block", "ignore")


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Marks every process that a test starts; fails when one is left, and when a descriptor or a thread is."""
    mark = f"agentgym-test-{uuid.uuid4().hex}"
    monkeypatch.setenv("AGENTGYM_TEST_MARK", mark)
    gc.collect()  # what earlier tests left to it must not be gone in the middle of this one
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    yield mark
    assert eventually(lambda: not processes_marked(mark)), processes_marked(mark)
    assert eventually(lambda: len(os.listdir("/proc/self/fd")) == descriptors)
    assert threading.active_count() == threads


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


def test_a_death_is_told_by_the_call_in_progress(mark: str) -> None:
    """The nursery's word comes before the silence of the socket is taken for one."""

    async def go() -> None:
        async with opened("processes", "Trouble") as hosts:
            for _ in range(3):
                host, pid = await begun(hosts)
                step = await hanging(host, pid, "sleep")
                os.kill(pid, signal.SIGKILL)
                with pytest.raises(EnvError, match=r"signal 9 .*\(task 4, seed 9, last action 'sleep'\)"):
                    await step

    asyncio.run(go())


def test_a_death_between_calls_is_told_by_the_next(mark: str) -> None:
    async def go() -> None:
        async with opened("processes", "Trouble") as hosts:
            host, pid = await begun(hosts)
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(EnvError, match=r"signal 9 .*\(task 4, seed 9\)|signal 9 .*last action 'babble 0'"):
                await host.step(Action("babble 0"))

    asyncio.run(go())


def test_a_hundred_hangs_of_four_kinds_leave_no_process(mark: str) -> None:
    """Each is killed while it hangs, whether somebody still waits for it or nobody."""

    async def hang(hosts: Hosts, how: str, *, is_awaited: bool) -> None:
        host, pid = await begun(hosts)
        step = await hanging(host, pid, how)
        if not is_awaited:
            step.cancel()
        host.kill()
        with pytest.raises(EnvError if is_awaited else asyncio.CancelledError):
            await step
        await until(lambda: not Path(f"/proc/{pid}").exists())

    async def go() -> None:
        async with opened("processes", "Trouble") as hosts:
            for number in range(25):
                await asyncio.gather(*(hang(hosts, how, is_awaited=number % 2 == 0) for how in HANGS))
            assert len(processes_marked(mark)) == 1  # the nursery

    asyncio.run(go())


@pytest.mark.parametrize("how", HANGS)
def test_closing_while_it_hangs_gives_it_up(mark: str, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentgym.hosts.processes.host.CLOSE_SECONDS", 0.1)

    async def go() -> None:
        async with opened("processes", "Trouble") as hosts:
            host, pid = await begun(hosts)
            step = await hanging(host, pid, how)
            with pytest.warns(RuntimeWarning, match="did not close: it hangs"):
                await host.close()
            with pytest.raises(EnvError, match="was given up"):
                await step
            assert not Path(f"/proc/{pid}").exists()  # it is reaped when close returns

    asyncio.run(go())


@pytest.mark.parametrize("trouble", ["spawn", "spawn_apart", "fork"])
def test_descendants_go_too(mark: str, trouble: str) -> None:
    async def go() -> None:
        async with opened("processes", "Trouble") as hosts:
            (host, _), (other, pid) = await begun(hosts), await begun(hosts)
            await host.step(Action(trouble))
            assert eventually(lambda: len(processes_marked(mark)) == 4)
            await host.close()
            apart = 1 if trouble == "spawn_apart" else 0  # in no group: it goes with the nursery
            assert eventually(lambda: len(processes_marked(mark)) == 2 + apart)
            await other.step(Action(trouble))
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(EnvError, match="signal 9"):
                await other.step(Action("sleep"))
            assert eventually(lambda: len(processes_marked(mark)) == 1 + 2 * apart)

    asyncio.run(go())


def test_hosts_that_are_not_closed_go_with_the_pool(mark: str) -> None:
    async def go() -> None:
        steps = []
        async with opened("processes", "Trouble") as hosts:
            for how in HANGS:
                steps.append(await hanging(*await begun(hosts), how))
        for error in await asyncio.gather(*steps, return_exceptions=True):
            assert isinstance(error, EnvError)

    asyncio.run(go())


def test_a_killed_nursery_takes_its_children_along_and_is_started_again(mark: str) -> None:
    async def go() -> None:
        async with opened("processes", "Trouble") as hosts:
            (host, pid), (other, _) = await begun(hosts), await begun(hosts)
            step = await hanging(host, pid, "sleep")
            os.kill(nursery_of(hosts), signal.SIGKILL)
            with pytest.raises(EnvError, match=r"died with the one that it was forked from .*'sleep'"):
                await step
            with pytest.raises(EnvError, match="died with the one that it was forked from"):
                await other.step(Action("sleep"))
            assert eventually(lambda: not Path(f"/proc/{pid}").exists())
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
            await asyncio.wait(opening, return_when=asyncio.FIRST_COMPLETED)
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
import asyncio, os, signal, sys, time
from agentgym.hosts import make_hosts
from agentgym.registry import EnvFactory
from agentgym.types import Action

signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored in a program that a shell runs beside another

async def main():
    hosts = make_hosts("processes", EnvFactory("{ODD}:Trouble"))
    try:
        steps = []
        for how in ("sleep", "busy", "ignore", "block"):
            host = await hosts.open()
            _, info = await host.reset(0, None)
            steps.append(asyncio.create_task(host.step(Action(how))))
            while open(f"/proc/{{info['pid']}}/comm").read().strip() != how:
                await asyncio.sleep(0.005)
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
    assert eventually(lambda: not processes_marked(mark))


def test_a_fork_of_the_parent_does_not_keep_the_nursery(mark: str) -> None:
    """It holds copies of the parent's sockets, so that their end is not seen."""
    with parent("fork") as process:
        assert process.stdout is not None
        sleeper = int(process.stdout.readline())
        process.kill()
        process.wait()
        assert eventually(lambda: processes_marked(mark) == {sleeper})
        os.kill(sleeper, signal.SIGKILL)


def test_an_interrupt_from_the_terminal_ends_all_in_order(mark: str) -> None:
    with parent() as process:
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode in (1, -signal.SIGINT)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert errors.count("Traceback") <= 2  # the task's and the interrupt's own, none of the nursery's
    assert "nursery" not in errors


def test_output_without_end_is_bounded_and_can_be_killed(mark: str) -> None:
    async def go() -> None:
        async with opened("processes", "Trouble") as hosts:
            host, pid = await begun(hosts)
            step = asyncio.create_task(host.step(Action("babble 1000000")))
            await until(lambda: called(pid) == "babble")
            host.kill()
            with pytest.raises(EnvError, match="was given up"):
                await step
            assert eventually(lambda: len(processes_marked(mark)) == 1)
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
