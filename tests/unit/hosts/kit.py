"""What the tests of hosts share."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from agentgym.hosts import Host, Hosts, Where, make_hosts
from agentgym.registry import EnvFactory
from agentgym.sandbox.inside.marks import marked
from agentgym.types import Action, StepResult
from tests.kit import until

ODD = Path(__file__).with_name("odd.py")
T = TypeVar("T")
EVERYWHERE = pytest.mark.parametrize("where", ["loop", "threads", "processes"])


def factory(name: str, **options: object) -> EnvFactory:
    """One of the odd environments, by path."""
    return EnvFactory(f"{ODD}:{name}", dict(options))


@contextlib.asynccontextmanager
async def opened(where: Where, name: str, **options: object) -> AsyncIterator[Hosts]:
    """Hosts of an odd environment."""
    hosts = make_hosts(where, factory(name, **options))
    try:
        yield hosts
    finally:
        await hosts.close()


@contextlib.asynccontextmanager
async def hosted(where: Where, name: str, **options: object) -> AsyncIterator[Host]:
    """One host of an odd environment."""
    async with opened(where, name, **options) as hosts:
        host = await hosts.open()
        try:
            yield host
        finally:
            await host.close()


def processes_marked(mark: str) -> set[int]:
    """Processes that have ``mark``, other than this one and the dead."""
    return set(marked(f"AGENTGYM_TEST_MARK={mark}"))


def called(pid: int) -> str:
    """What the process says that it is about (``Trouble``); empty when it is gone."""
    try:
        return (Path("/proc") / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""


async def begun(hosts: Hosts) -> tuple[Host, int]:
    """A host within an episode, and its process."""
    host = await hosts.open()
    _, info = await host.reset(9, {"task": 4})
    return host, info["pid"]


async def hanging(host: Host, pid: int, how: str) -> asyncio.Task[StepResult]:
    """A step in progress: it does hang by now."""
    step = asyncio.ensure_future(host.step(Action(how)))
    await until(lambda: called(pid) == how)
    return step


def finishes(work: Coroutine[Any, Any, T], seconds: float = 20) -> T:
    """What ``work`` comes to in an event loop. Raises TimeoutError where it has no end."""
    return asyncio.run(asyncio.wait_for(work, seconds))
