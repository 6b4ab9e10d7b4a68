"""What was played is not lost with whatever ends the game from outside."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
from rich.console import Console

from agentgym.repl.game import Game
from agentgym.repl.screen import Screen
from agentgym.repl.shell import Shell
from agentgym.repl.transcript import read
from tests.unit.repl.kit import Stairs


class Ends(io.StringIO):
    """Lines, and then what ends the process."""

    def readline(self, *_: object) -> str:  # type: ignore[override]
        line = super().readline()
        if not line:
            raise SystemExit(1)
        return line


def ended(tmp_path: Path, *lines: str) -> str:
    out = io.StringIO()
    shell = Shell(Game(Stairs()), Screen(Console(file=out, width=300)), rescue=tmp_path)
    with pytest.raises(SystemExit):
        asyncio.run(shell.run(Ends("".join(f"{line}\n" for line in lines))))
    return out.getvalue()


def test_what_was_played_is_written_where_something_ends_the_game(tmp_path: Path) -> None:
    shown = ended(tmp_path, "up", "over", ":undo", "on")
    (file,) = tmp_path.iterdir()
    assert [line["action"] for line in read(file)[1:]] == ["up", "on"]
    assert f"what was played is in {file}; :replay {file} plays it again" in shown


def test_nothing_is_written_of_nothing_or_after_an_end_that_was_asked_for(tmp_path: Path) -> None:
    ended(tmp_path)
    shell = Shell(Game(Stairs()), Screen(Console(file=io.StringIO())), rescue=tmp_path)
    asyncio.run(shell.run(io.StringIO("up\n:quit\n")))
    asyncio.run(shell.run(io.StringIO("up\n")))
    assert list(tmp_path.iterdir()) == []
