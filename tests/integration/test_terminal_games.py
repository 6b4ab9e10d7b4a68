"""Whole games at a real terminal: won by hand, taken back, branched, and played with a policy that is looked into."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.kit import ROOT

GAME = """
import asyncio, contextlib, sys
import agentgym
from agentgym.actors.embedded.engine import EmbeddedEngine
from agentgym.protocols.plain import Plain
from agentgym.repl import EnginePolicy
from agentgym.repl.game import Game
from agentgym.repl.screen import Screen
from agentgym.repl.shell import Shell
from rich.console import Console
from tests.kit import chat, tiny_model

def policy(seed):
    words = chat()
    engine = EmbeddedEngine(tiny_model(seed, vocab_size=len(words.hf), max_position_embeddings=65536))
    return EnginePolicy(engine, words, Plain(), max_tokens=6, name=f"tiny-{seed}")

@contextlib.asynccontextmanager
async def opens(name):
    yield policy(int(name[-1]))

class Marked(Shell):
    "Says how the game stands whenever a line was obeyed."

    async def obey(self, line):
        try:
            await super().obey(line)
        finally:
            turn = 0 if self.game.now.standing.is_over else self.game.num_turns + 1
            print(f"<<turn {turn}>>", flush=True)

async def main():
    env = agentgym.make(*sys.argv[1:2], **eval(sys.argv[2]))
    shell = Marked(Game(env, task=env.tasks("test")[0]), Screen(Console(highlight=False)), policy(0), opens=opens)
    await shell.run()
    await shell.close()

asyncio.run(main())
"""

DONE = re.compile(r"<<turn (\d+)>>")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\r")


class Terminal:
    """Somebody who types, and reads what is shown until the line was obeyed."""

    def __init__(self, child: Any) -> None:
        self.child = child
        self.turn = 1
        """Number of the turn that is asked for; 0 where the episode is over."""
        self.raw = ""
        child.expect("turn 1>")

    def read(self) -> str:
        """What is shown until then, in plain text."""
        self.child.expect(DONE)
        self.turn = int(self.child.match[1])
        self.raw = self.child.before
        self.child.expect(">")  # of the next prompt
        return ESCAPES.sub("", self.raw)

    def __call__(self, line: str) -> str:
        """Type a line."""
        self.child.send(line + "\r")
        return self.read()


@contextmanager
def terminal(id: str, options: dict[str, Any], directory: Path) -> Iterator[Terminal]:
    env = {**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", "PYTHONPATH": str(ROOT), "COLUMNS": "400"}
    child = pexpect.spawn(
        sys.executable,
        ["-c", GAME, id, repr(options)],
        env=env,
        encoding="utf-8",
        timeout=120,
        dimensions=(60, 400),
        cwd=str(directory),
    )
    try:
        yield Terminal(child)
        child.send("\x04")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0
    finally:
        child.close(force=True)


def hint(at: Terminal) -> str:
    """What the expert would do, as one line."""
    said = at(":hint")
    return said.rpartition("expert: ")[2].strip()


def win(at: Terminal) -> list[str]:
    """Type what the expert would do until the episode is over; what was typed."""
    typed: list[str] = []
    while at.turn:
        typed.append(hint(at))
        shown = at(typed[-1])
        assert len(typed) < 60
    assert ": success, total reward" in shown
    return typed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("id", "options", "package"),
    [
        ("webshop", {"shopper": "careful"}, None),
        ("booking", {}, None),
        ("textworld", {}, "textworld"),
        ("bfcl", {}, "bfcl_eval"),
    ],
)
def test_a_game_at_a_terminal(id: str, options: dict[str, Any], package: str | None, tmp_path: Path) -> None:
    if package is not None:
        pytest.importorskip(package)
    with terminal(id, options, tmp_path) as at:
        typed = win(at)
        last = len(typed)
        assert at(":undo")  # across the state that was won
        assert at.turn == last
        assert "success, total reward" in at(typed[-1])
        at(f":undo {last}")
        assert at.turn == 1

        at(":branch start")
        shown = at(":step")  # a policy's turn, with its probabilities
        said = re.search(r"policy: .*log-prob (-\d+\.\d+), (\d) tokens", shown, re.DOTALL)
        assert said is not None
        assert float(said[1]) < 0
        assert re.search(r"\x1b\[1(;3[123])?m", at.raw.partition("policy: ")[2])  # its color says how likely it was
        table = at(":tokens")
        assert "instead" in table
        assert "mean entropy" in table
        assert table.count("%") >= int(said[2]) * 5
        at(":goto start")
        assert at.turn == 1

        at.child.send(":edit\r")
        at.child.expect("edit> ")
        at.child.send("\x15" + typed[0] + "\r")  # all of it is deleted, and another reply typed
        at.read()
        assert at.turn == (2 if last > 1 else 0)
        assert typed[0] in at(":history")

        at(":undo")
        compared = at(":compare tiny-1")
        assert "tiny-0: " in compared
        assert "tiny-1: " in compared
        assert at.turn == 1
        tree = at(":tree")
        assert "you are here" in tree
        assert tree.count("#") >= last + 3

        at.child.send("half a line\x03")  # Ctrl-C loses the line, and nothing else
        at.child.expect("cancelled; :quit or Ctrl-D leaves")
        at.child.expect(">")
        at(":goto #1")
        at(f":save {tmp_path / 'game.jsonl'}")
        assert len((tmp_path / "game.jsonl").read_text().splitlines()) == 2
        assert "1 turns came to the same" in at(f":replay {tmp_path / 'game.jsonl'}")


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
def test_what_ends_it_from_outside_leaves_the_episode_in_a_file(sent: signal.Signals, tmp_path: Path) -> None:
    command = ["-m", "agentgym.cli", "play", "blocksworld", "--env.level", "b3"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb"}
    game = pexpect.spawn(sys.executable, command, encoding="utf-8", timeout=60, cwd=str(tmp_path), env=environment)
    game.expect("turn 1>")
    game.send("look around\r")
    game.expect("turn 2>")
    os.kill(game.pid, sent)
    game.expect(pexpect.EOF)
    game.close()
    assert game.exitstatus == 128 + sent
    [file] = tmp_path.glob("blocksworld-*.jsonl")
    assert f":replay {file.name}" in game.before
    assert file.read_text().count('"look around"') == 1
