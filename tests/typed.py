"""Commands as they are typed. A test module that imports the fixture ``agentgym`` has it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentgym import cli

__all__ = ["Typed", "agentgym"]

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def agentgym(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Typed]:
    """Types a command in an empty folder; gives back exit code, output and errors."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}

    def typed(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["agentgym", *map(str, arguments)])
        capsys.readouterr()
        try:
            cli.main()
        except SystemExit as left:
            code = int(left.code or 0)
        else:
            code = 0
        return code, *capsys.readouterr()

    yield typed
    for number, handler in handlers.items():
        signal.signal(number, handler)
