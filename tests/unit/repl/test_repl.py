"""Whole games: lines that are typed, and what is shown."""

from __future__ import annotations

import asyncio
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pexpect
import pytest
from rich.console import Console

from agentgym.repl import EnginePolicy, play_async
from tests.kit import BELL
from tests.unit.repl.kit import Doors, Scripted, transcript


def test_an_episode_by_hand() -> None:
    shown = transcript("left", "2", "1")
    assert "Say left or right." in shown
    assert "Passed 2: ['left', 'right']" in shown
    assert "terminated: " in shown
    assert "(doors " in shown


def test_undo_takes_back_what_the_environment_remembers() -> None:
    shown = transcript("left", "right", ":undo", ":undo 9", ":undo", "right")
    seen = [line.split("Passed ")[1].rstrip(" │") for line in shown.splitlines() if "Passed" in line]
    assert seen == ["0: []", "1: ['left']", "2: ['left', 'right']", "1: ['left']", "0: []", "1: ['right']"]
    assert "nothing to undo: this is the first observation" in shown


def test_number_of_an_action_with_a_blank_is_not_played() -> None:
    shown = transcript("3", "7", "0")
    assert "type walk <where> with your own words in place of <where>" in shown
    assert "there is no action 7, they are numbered 1 to 3" in shown
    assert "turn 2>" not in shown


def test_the_expert_plays_to_the_end_also_after_undo() -> None:
    shown = transcript(":expert", ":undo", ":auto", ":expert", ":history")
    assert shown.count("success, total reward 1.5") == 1
    assert "the episode is over: :undo takes the last turn back" in shown
    assert shown.rstrip().splitlines()[-1].split()[-1] == "1.5"


def test_branches_lead_back() -> None:
    shown = transcript("left", ":branch here", "right", "right", ":goto here", ":goto ther", ":history")
    assert 'no branch "ther". Did you mean "here"?' in shown
    assert shown.rstrip().splitlines()[-1].split()[:2] == ["1", "left"]


def test_what_the_environment_raises_is_shown_and_the_episode_goes_on_from_before_it() -> None:
    shown = transcript("left", "jam", "right")
    assert "RuntimeError: the door is jammed (" in shown
    assert re.search(r"kit\.py:\d+\)", shown.replace("\n", ""))
    assert "Passed 2: ['left', 'right']" in shown


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        (":undoo", 'unknown command ":undoo". Did you mean ":undo"?'),
        (":", 'unknown command ":"'),
        (":undo x", 'expected a number, found "x"'),
        (":task", "usage: :task ID"),
        (":undo 1 2", "usage: :undo [n]"),
        (":split tets", 'Did you mean "test"?'),
        (":task nowhere", "does not exist"),
        (":step", "no policy is loaded"),
        (":auto nobody", '"nobody" cannot play.'),
        (":s", 'unknown command ":s"'),
        ("::left", "no such door"),
        ("hang", "interrupted"),
        ("\x1b[2J[/red]", "no effect: no such door"),
    ],
)
def test_nothing_typed_ends_the_game(typed: str, answer: str) -> None:
    shown = transcript(typed, "right")
    assert answer in shown
    assert "['right']" in shown
    assert "\x1b" not in shown


def test_tasks_splits_and_seeds() -> None:
    shown = transcript(":tasks", ":split test", ":tasks", ":seed 5", ":task 7", ":restart", seed=3)
    assert "train: 1000000 tasks: 0, 1, 2" in shown
    assert "test: 1000 tasks: 1001000" in shown
    tasks = [line for line in shown.splitlines() if line.startswith("Doors: ")]
    assert tasks[0] == "Doors: seed 3"
    assert tasks[1].startswith("Doors: task 1001")
    assert tasks[2].startswith("Doors: task 1001")
    assert tasks[3:] == ["Doors: task 7, seed 5"] * 2


class Named(Doors):
    def tasks(self, split: str) -> list[str]:
        return [f"{split}-1", "7"]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        return f"{super().reset()[0]} of {(options or {}).get('task')!r}", {}


def test_tasks_with_names_that_are_numbers_stay_names() -> None:
    shown = transcript(":task 7", ":task test-1", env=Named(), task="7")
    assert shown.count("of '7'") == 2
    assert "of 'test-1'" in shown


def test_a_policy_sees_the_shortened_history_after_undo() -> None:
    policy = Scripted("Action: left", "Thought: hm", "Action: right", "Action: left")
    shown = transcript(":step", ":step", ":undo", ":step", ":undo 9", "right", ":step", policy=policy)
    assert [len(messages) for messages in policy.shown] == [2, 4, 4, 4]
    assert policy.shown[2] == policy.shown[1]
    assert policy.shown[3][2:] == ["Action: right", "Passed 1: ['right']"]
    assert "log-prob -1.00, 2 tokens" in shown
    assert "no effect: No action found." in shown


def test_odds_are_shown_likeliest_first() -> None:
    shown = transcript(":odds", policy=Scripted())
    assert [line.split()[-1] for line in shown.splitlines()[-3:]] == ["action", "left", "right"]


def test_a_broken_policy_does_not_end_the_game() -> None:
    assert "IndexError" in transcript(":step", "left", policy=Scripted())


class Slow(Doors):
    async def reset(self, **options: Any) -> Any:  # type: ignore[override]
        return super().reset(**options)

    async def step(self, action: str) -> Any:  # type: ignore[override]
        return super().step(action)


def test_async_environments_can_be_played() -> None:
    shown = transcript("left", ":undo", "jam", ":restart", "right", env=Slow())
    assert "Passed 1: ['left']" in shown
    assert ":restart begins the episode again" not in shown
    assert "['right']" in shown


def test_an_engine_becomes_a_policy() -> None:
    from agentgym.launch.parts import assembled
    from agentgym.launch.resolving import resolve

    messages = [{"role": "user", "content": "Passed 0"}]
    out = io.StringIO()

    async def played() -> None:
        async with assembled(resolve({"env": BELL})) as parts:
            policy = EnginePolicy(parts.engine, parts.policy.tokenizer, parts.protocol, max_tokens=4)
            one, other = [await policy.say(messages, ()) for _ in range(2)]
            assert one != other
            assert len(one.tokens) <= 4
            certain, _ = await policy.score(messages, (), [one.text, other.text])
            ended = one.tokens[-1][0] == "<|end|>"
            assert certain == pytest.approx(one.logprob, abs=1e-4) if ended else certain < one.logprob
            console = Console(file=out, width=100, highlight=False)
            await play_async(Doors(), policy=policy, stdin=io.StringIO(":step\n:odds\n"), console=console)

    asyncio.run(played())
    assert "tokens" in out.getvalue()
    assert "%" in out.getvalue()


PLAY_WEBSHOP = "import agentgym, agentgym.repl; agentgym.repl.play(agentgym.make('webshop'))"


def test_webshop_through_a_pipe() -> None:
    typed = "search[mug]\n:undo\n:auto\n\xff\n:q\n".encode("latin-1")
    done = subprocess.run([sys.executable, "-c", PLAY_WEBSHOP], input=typed, capture_output=True, timeout=100)
    shown = done.stdout.decode()
    assert (done.returncode, done.stderr) == (0, b"")
    assert "turn 1> search[mug]" in shown
    assert "terminated: success, total reward 1" in shown


def test_webshop_at_a_terminal() -> None:
    env = {
        **os.environ,
        "TERM": "xterm",
        "PROMPT_TOOLKIT_NO_CPR": "1",
    }  # pexpect does not answer questions about the cursor
    child = pexpect.spawn(
        sys.executable, ["-c", PLAY_WEBSHOP], env=env, encoding="utf-8", timeout=60, dimensions=(50, 99)
    )
    child.expect("turn 1>")
    child.send("half a line\x03")
    child.expect("cancelled; :quit or Ctrl-D leaves")
    child.send("sea\t")  # the only completion
    child.expect(r"search\[<query>\]")
    child.sendline("")
    child.expect("turn 2>")
    child.sendline(":undo")
    child.expect("turn 1>")
    child.sendline(":auto")
    child.expect("success, total reward 1")
    child.expect("over>")
    child.send("\x04")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_play_inside_ipython(tmp_path: Path) -> None:
    pytest.importorskip("IPython")
    env = {**os.environ, "PROMPT_TOOLKIT_NO_CPR": "1", "IPYTHONDIR": str(tmp_path), "TERM": "xterm"}
    asked = ["-m", "IPython", "--quick", "--no-banner", "--no-confirm-exit"]
    child = pexpect.spawn(sys.executable, asked, env=env, encoding="utf-8", timeout=60, dimensions=(50, 99))
    child.expect("In ")
    child.sendline("import agentgym, asyncio")
    for cell in (
        "agentgym.play('blocksworld', task=0).run()",
        "await agentgym.play_async('blocksworld', task=0)",
        "agentgym.play('blocksworld', task=0).run() or await asyncio.sleep(0)",  # in the loop that runs this cell
    ):
        child.sendline(cell)
        child.expect("turn 1>")
        child.sendline("fly")
        child.expect("no effect: ")
        child.expect("turn 2>")
        child.sendline(":quit")
    child.sendline("exit")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
