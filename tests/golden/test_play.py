"""What a person sees at ``agentgym play``, to the letter. ``make golden`` writes it anew."""

from __future__ import annotations

import io
import os
from pathlib import Path

from rich.console import Console

import agentgym
from agentgym.repl import play
from tests.kit import BELL

HERE = Path(__file__).parent
GOLDEN = HERE / "play.txt"


def test_play() -> None:
    env = agentgym.make(BELL)
    out = io.StringIO()
    with (HERE / "play.in").open() as typed:
        play(env, seed=3, stdin=typed, console=Console(file=out, width=80, highlight=False))
    shown = "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"
    if os.environ.get("AGENTGYM_GOLDEN") == "write":
        GOLDEN.write_text(shown)
    assert shown == GOLDEN.read_text()
