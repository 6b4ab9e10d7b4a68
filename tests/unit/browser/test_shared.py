"""The one browser of a process: another one is started where it has died. Without Chromium."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from agentgym.browser import shared
from agentgym.browser.failures import BrowserLost
from agentgym.browser.shared import Shared


class Browser:
    """Stands for one that runs."""

    def __init__(self) -> None:
        self.is_alive, self.is_closed = True, False

    @classmethod
    async def start(cls) -> Browser:
        return cls()

    async def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shared]:
    monkeypatch.setattr(shared, "Running", Browser)
    found = Shared()
    yield found
    found.close()


def running(made: Shared) -> Any:
    return made.call(made.running(), 10)


def test_windows_have_the_same_one_until_it_has_died(made: Shared) -> None:
    first = running(made)
    assert running(made) is first
    first.is_alive = False
    second = running(made)
    assert second is not first
    assert first.is_closed  # whatever is left of it
    assert running(made) is second


def test_one_that_does_not_answer_is_told(made: Shared) -> None:
    with pytest.raises(BrowserLost, match=r"gave no answer within 0\.05 s"):
        made.call(asyncio.sleep(60), 0.05)
