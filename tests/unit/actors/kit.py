"""What the tests of engines share: one event loop a test, which runs while something is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, ClassVar

import pytest

__all__ = ["one_loop", "run"]


class _Loop:
    runner: ClassVar[asyncio.Runner]


@pytest.fixture(autouse=True)
def one_loop() -> Iterator[None]:
    """For every test of a module that imports it: an engine lives in one event loop."""
    with asyncio.Runner() as _Loop.runner:
        yield


def run(main: Callable[[], Awaitable[Any]], timeout: float = 120.0) -> Any:
    """What ``main`` comes to in that loop, within ``timeout`` seconds."""

    async def limited() -> Any:
        return await asyncio.wait_for(main(), timeout)

    return _Loop.runner.run(limited())
