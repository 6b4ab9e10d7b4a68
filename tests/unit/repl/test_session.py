"""The same game in Python: each method is a command, gives what that shows, and raises what it would complain of."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import agentgym
from agentgym.media import as_media, data_url
from agentgym.protocols.plain import Plain
from agentgym.repl import Reply
from agentgym.repl.game import GameError
from agentgym.repl.session import Session, Shown
from agentgym.types import Observation
from tests.unit.repl.kit import Doors, Scripted, Stairs


class Closes(Stairs):
    closed = 0

    def close(self) -> None:
        self.closed += 1


def test_turns_are_played_taken_back_and_shown() -> None:
    env = Closes()
    with agentgym.play(env, seed=2) as s:
        assert "stair 0 of seed 2" in repr(s)
        shown = s.go(2)
        assert "expert: climb from stair 1" in shown
        assert "stair 2" in shown
        assert s.now.standing.total == 0.75
        assert "stair 1" in s.undo()
        assert "reward 0.5, total 0.75" in s.go("by hand")
        assert s.now.action == "by hand"
        assert "terminated: success" in s.auto()
        s.restart()
        assert s.game.num_turns == 0
        s("seed", 5)
        assert s.game.seed == 5
    assert env.closed == 1
    s.close()
    assert env.closed == 1
    assert repr(s) == "a session that is closed"
    with pytest.raises(GameError, match="the session is closed; begin another one"):
        s.go()


def test_what_a_command_complains_of_is_raised_and_the_game_stands() -> None:
    with agentgym.play(Stairs()) as s:
        for typed, told in (
            (lambda: s.undo(), "nothing to undo"),
            (lambda: s.goto("there"), 'no branch "there"'),
            (lambda: s.act("fall"), "LookupError: no stair there"),
            (lambda: s.odds(), "no policy is loaded"),
            (lambda: s("nonsense"), 'unknown command ":nonsense"'),
            (lambda: s("undo", 1, 2), r"usage: :undo \[n\]"),
            (lambda: s("quit"), r"in Python: s.close\(\)"),
            (lambda: s("edit"), r"in Python: s.say\(TEXT\)"),
        ):
            with pytest.raises(GameError, match=told):
                typed()
        assert s.game.num_turns == 0
        assert "stair 1" in s.act("up")


def test_branches_trees_reasons_and_transcripts(tmp_path: Path) -> None:
    with agentgym.play(Doors()) as s:
        s.act("left")
        s.branch("here")
        s.act("left")
        s.goto("here")
        s.act("right")
        assert "#3 right" in s.tree()
        s.goto(2)
        assert [moment.action for moment in s.game.moments[1:]] == ["left", "left"]
        assert "together" in s.why()
        assert s.history().splitlines()[-1].split()[:2] == ["2", "left"]
        assert s.hint().startswith("expert: ")
        s.save(tmp_path / "game.jsonl")
        s.restart()
        assert "2 turns came to the same" in s.replay(tmp_path / "game.jsonl").replace("\n", " ")
        assert s.game.num_turns == 2


def test_a_policy_proposes_and_what_is_said_is_played() -> None:
    with agentgym.play(Stairs(), policy=Scripted("up", "down", protocol=Plain())) as s:
        reply = s.propose()
        assert (reply.text, s.game.num_turns) == ("up", 0)
        s.say(reply)
        assert s.now.spoken is reply
        assert s.now.action == "up"
        s.say("sideways")
        last = s.game.moments[-1]
        assert (str(last.action), last.spoken) == ("sideways", None)
        assert "policy: down" in s.go()
        assert isinstance(reply, Reply)


def test_what_is_shown_is_text_and_in_a_notebook_colored() -> None:
    shown = Shown("<a> & b")
    assert repr(shown) == "<a> & b"
    assert shown._repr_html_() == "<pre>&lt;a&gt; &amp; b</pre>"
    with agentgym.play(Stairs()) as s:
        html = s.act("<script>alert(1)</script>")._repr_html_()
        assert html.startswith("<pre>")
        assert "color:" in html
        s.act("up")
        shown = s.history()
        assert "<script>" in shown
        assert "&lt;script&gt;" in shown._repr_html_()
        assert "<script>" not in shown._repr_html_()
        assert "stair 2" in s._repr_html_()
        assert "\x1b" not in shown


class Sees(Stairs):
    """Shows a picture."""

    def step(self, action: str) -> Any:
        seen, *rest = super().step(action)
        return Observation(seen, images=[np.full((2, 2, 3), self.stair, np.uint8)]), *rest


def test_images_are_in_the_notebook_and_named_as_files_elsewhere() -> None:
    with agentgym.play(Sees()) as s:
        shown = s.act("up")
        picture = as_media(np.full((2, 2, 3), 1, np.uint8))
        assert f"{picture.digest}.png" in shown.replace("\n", "")
        assert f'<img alt="picture" src="{data_url(picture)}">' in shown._repr_html_()
        assert "<img" not in s.history()._repr_html_()


def test_a_session_works_where_an_event_loop_runs() -> None:
    async def cell() -> str:
        s = agentgym.play(Stairs())
        try:
            return str(s.go(2))
        finally:
            s.close()

    assert "stair 2" in asyncio.run(cell())


def test_what_cannot_begin_closes_the_environment() -> None:
    env = Closes()
    before = threading.active_count()
    with pytest.raises(agentgym.UserError, match="unknown split"):
        Session(env, split="nope")
    assert env.closed == 1
    assert threading.active_count() == before


class Waits(Stairs):
    """A turn that nobody ends."""

    async def step(self, action: str) -> Any:  # type: ignore[override]
        if action == "wait":
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()
        return super().step(action)

    async def reset(self, **options: Any) -> Any:  # type: ignore[override]
        return super().reset(**options)


def test_ctrl_c_ends_the_turn_and_not_the_session() -> None:
    with agentgym.play(Waits()) as s:
        s.act("up")
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            s.act("wait")
        assert time.monotonic() - began < 30
        assert s.game.num_turns == 1
        assert "stair 2" in s.act("up")


def test_a_session_is_no_reason_to_wait_at_the_end_of_a_script() -> None:
    script = "import agentgym; s = agentgym.play('blocksworld', task=0); print(s.go(1)); raise SystemExit(3)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (3, "")
    assert "turn 1" in done.stdout
