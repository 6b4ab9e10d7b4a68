"""The parent's line to a nursery that is made by hand: what it is told, and what is made of what it tells."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import warnings
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agentgym.errors import ConfigError, EnvError
from agentgym.hosts.processes.frames import Frames, Packet, framed
from agentgym.hosts.processes.nurse import Death, Nurse, NurseryLost
from agentgym.registry import EnvFactory
from tests.kit import until
from tests.unit.hosts.kit import finishes


class Nursery:
    """What a nurse starts in place of a process."""

    def __init__(self, command: list[str], *, pass_fds: list[int], **options: Any) -> None:
        self.command, self.options = command, options
        self.socket = socket.socket(fileno=os.dup(pass_fds[0]))
        self.socket.setblocking(False)
        self.frames, self.packets = Frames(), list[Packet]()
        self.gifts: list[int] = []
        self.seen: list[str] = []

    def kill(self) -> None:
        self.seen.append("killed")
        self.socket.close()

    def wait(self) -> None:
        self.seen.append("waited for")

    async def told(self) -> dict[str, Any]:
        """The next order."""
        while not self.packets:
            await asyncio.sleep(0)
            with contextlib.suppress(BlockingIOError):
                data, gifts, _, _ = socket.recv_fds(self.socket, 1 << 16, 4)
                self.gifts += gifts
                self.packets += self.frames.feed(data)
        return self.packets.pop(0).head

    def tell(self, **head: Any) -> None:
        self.socket.sendall(framed(Packet(head)))


@contextlib.asynccontextmanager
async def started(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Nurse, Nursery]]:
    """A nurse, and the nursery that she thinks she has started."""
    made: list[Nursery] = []

    def popen(command: list[str], **options: Any) -> Nursery:
        made.append(Nursery(command, **options))
        return made[0]

    with monkeypatch.context() as patch:
        patch.setattr("subprocess.Popen", popen)
        nurse = Nurse(EnvFactory("the-id", {"level": 2}), "/a/directory")
    try:
        yield nurse, made[0]
    finally:
        nurse.end()
        for gift in made[0].gifts:
            os.close(gift)


def test_it_is_started_out_of_the_terminals_reach_and_told_what_to_import(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        async with started(monkeypatch) as (nurse, nursery):
            assert (nursery.options["start_new_session"], nursery.options["cwd"]) == (True, "/a/directory")
            assert "-P" in nursery.command
            assert str(os.getpid()) in nursery.command
            start = asyncio.create_task(nurse.start())
            assert await nursery.told() == {"id": "the-id", "options": {"level": 2}, "augment": {}}
            nursery.tell(ready=[])
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                await start
            assert nurse.is_alive

    finishes(go())


def test_what_its_import_raises_is_raised_and_its_threads_are_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        async with started(monkeypatch) as (nurse, nursery):
            start = asyncio.create_task(nurse.start())
            await nursery.told()
            nursery.tell(failed=["ConfigError", "no such level", ""])
            with pytest.raises(ConfigError, match="no such level"):
                await start
            start = asyncio.create_task(nurse.start())
            await nursery.told()
            nursery.tell(ready=["pump", "clock"])
            with pytest.warns(RuntimeWarning, match=r"importing the-id starts threads \(pump, clock\)"):
                await start

    finishes(go())


def test_each_process_has_a_number_and_a_socket_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        async with started(monkeypatch) as (nurse, nursery):
            forked = [nurse.fork(lambda _: None) for _ in range(3)]
            assert [await nursery.told() for _ in range(3)] == [{"open": 0}, {"open": 1}, {"open": 2}]
            assert [number for number, _ in forked] == [0, 1, 2]
            for (_, ours), gift in zip(forked, nursery.gifts, strict=True):
                os.write(gift, b"here")
                assert ours.recv(10) == b"here"
                ours.close()

    finishes(go())


def test_the_death_of_one_is_told_to_its_own_host_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        async with started(monkeypatch) as (nurse, nursery):
            deaths: dict[int, list[Death]] = {0: [], 1: []}
            socks = [nurse.fork(deaths[number].append)[1] for number in range(2)]
            assert nurse.knows(1)
            for _ in range(2):
                nursery.tell(died=1, status=3, last="bye")
            await until(lambda: not nurse.knows(1))
            nursery.tell(died=0, status=-9, last="")
            await until(lambda: not nurse.knows(0))
            assert deaths == {
                1: [Death(3, "left with exit code 3", "bye")],
                0: [Death(-9, "was killed by signal 9 (SIGKILL, perhaps for want of memory)")],
            }
            for sock in socks:
                sock.close()

    finishes(go())


@pytest.mark.parametrize(
    ("status", "how"),
    [
        (None, "could not be started"),
        (0, "left with exit code 0"),
        (-6, "was killed by signal 6 (SIGABRT)"),
        (-63, "was killed by signal 63 (unknown)"),
    ],
)
def test_how_a_process_ended_is_said_in_words(status: int | None, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        async with started(monkeypatch) as (nurse, nursery):
            deaths: list[Death] = []
            _, sock = nurse.fork(deaths.append)
            nursery.tell(died=0, status=status, last="")
            await until(lambda: bool(deaths))
            assert deaths == [Death(status, how)]
            sock.close()

    finishes(go())


def test_only_who_is_not_reaped_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of a process that is gone must reach nobody else."""

    async def go() -> None:
        async with started(monkeypatch) as (nurse, nursery):
            socks = [nurse.fork(lambda _: None)[1] for _ in range(2)]
            nurse.kill(1)
            nursery.tell(died=0, status=0, last="")
            await until(lambda: not nurse.knows(0))
            nurse.kill(0)
            nurse.kill(7)
            _, last = nurse.fork(lambda _: None)
            assert [await nursery.told() for _ in range(4)] == [{"open": 0}, {"open": 1}, {"kill": 1}, {"open": 2}]
            for sock in (*socks, last):
                sock.close()

    finishes(go())


def test_the_end_of_a_nursery_is_told_to_all_whose_processes_it_had(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        async with started(monkeypatch) as (nurse, nursery):
            deaths: list[Death] = []
            socks = [nurse.fork(deaths.append)[1] for _ in range(2)]
            start = asyncio.create_task(nurse.start())
            for _ in range(3):
                await nursery.told()
            nursery.socket.close()
            with pytest.raises(NurseryLost, match="the process that imports the-id died"):
                await start
            assert deaths == [Death(None, "died with the one that it was forked from", with_nursery=True)] * 2
            assert not nurse.is_alive
            assert not nurse.knows(0)
            for sock in socks:
                sock.close()

    finishes(go())


def test_it_is_told_to_end_and_waited_for_then_killed_and_reaped(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        async with started(monkeypatch) as (nurse, nursery):
            close = asyncio.create_task(nurse.close())
            await asyncio.sleep(0)
            assert nursery.socket.recv(10) == b""  # no more orders
            assert (nursery.seen, close.done()) == ([], False)
            nursery.socket.close()
            await close
            assert nursery.seen == ["killed", "waited for"]

    finishes(go())


def test_one_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentgym.hosts.processes.nurse.CLOSE_SECONDS", 0.0)

    async def go() -> None:
        async with started(monkeypatch) as (nurse, nursery):
            deaths: list[Death] = []
            _, sock = nurse.fork(deaths.append)
            await nurse.close()
            assert nursery.seen == ["killed", "waited for"]
            assert not nurse.is_alive
            sock.close()

    finishes(go())


def test_what_it_lost_is_an_error_of_environments() -> None:
    assert issubclass(NurseryLost, EnvError)
