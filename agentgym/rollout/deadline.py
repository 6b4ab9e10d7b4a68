"""Deadlines of environments: whoever waits for one stops waiting and takes it for broken."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import TypeVar

from agentgym.errors import EnvError
from agentgym.hosts import Host, Hosts
from agentgym.watchdog import LastResort

__all__ = ["ended_by_force", "in_time", "open_in_time"]

R = TypeVar("R")

_IMPORT_SECONDS = 60.0
"""That a package may take to be imported, however short the deadline of a step is."""


_SLACK = 10.0
"""Seconds after a deadline at which whoever did not heed it is ended by force."""


def ended_by_force(seconds: float | None) -> contextlib.AbstractContextManager[object]:
    """For what keeps the interpreter or the loop to itself while no watchdog watches: then no deadline is seen."""
    return contextlib.nullcontext() if seconds is None else LastResort(seconds + _SLACK)


async def in_time(call: Awaitable[R], seconds: float | None, what: str, *, where: str = "") -> R:
    """What a host answers. Raises EnvError where that takes longer; whoever has the host kills it then."""
    try:
        async with asyncio.timeout(seconds) as deadline:
            return await call
    except TimeoutError:
        if not deadline.expired():  # another one's, such as the whole episode's
            raise
        raise EnvError(
            f"{what} took longer than {seconds:g} s{where}; raise --rollout.step_seconds if it may"
        ) from None


async def open_in_time(hosts: Hosts, seconds: float | None, name: str) -> Host:
    """A fresh environment of ``hosts``. Raises EnvError where it takes longer, UserError as ``Hosts.open`` does."""
    import_seconds = None if seconds is None else max(seconds, _IMPORT_SECONDS)
    await in_time(hosts.get_ready(), import_seconds, f"{name}: importing it")
    return await in_time(hosts.open(), seconds, f"{name}: making it")
