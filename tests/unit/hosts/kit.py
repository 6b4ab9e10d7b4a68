"""What the tests of hosts share."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from agentgym.hosts import Host, Hosts, Where, make_hosts
from agentgym.registry import EnvFactory

ODD = Path(__file__).with_name("odd.py")
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
    """Processes with ``mark`` in their environment variables, other than this one and the dead."""
    found = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with contextlib.suppress(OSError):
                if mark.encode() in (folder / "environ").read_bytes():
                    found.add(int(folder.name))
    return found


def becomes(holds: Callable[[], bool], seconds: float = 5) -> bool:
    """Whether something is so, now or within ``seconds``."""
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True
