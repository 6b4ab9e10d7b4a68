"""Ctrl-C at ``agentgym play``, with real signals: a turn ends, and the game stands where it stood."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pexpect
import pytest

PRELUDE = """
import asyncio, os, time
import agentgym, agentgym.repl
from agentgym.protocols.plain import Plain

GATE = os.environ["GATE"]  # a file: what waits at it goes on as soon as it is there

class Counts(agentgym.Env):
    "Counts its turns; one that hangs, for good or at the gate, has counted before."
    def reset(self, *, seed=None, options=None):
        self.count = 0
        return "count 0.", {}

    def step(self, action):
        self.count += 1
        if action.startswith("hang"):
            print("under way", flush=True)
            while action == "hang" or not os.path.exists(GATE):
                time.sleep(0.01)
        return f"count {self.count}.", 0.0, False, False, {}

    def expert(self):
        return lambda observation: "up"

class Waits(Counts):
    async def reset(self, **options):
        return super().reset(**options)

    async def step(self, action):
        if action.startswith("hang"):
            self.count += 1
            print("under way", flush=True)
            await asyncio.Event().wait()
        return super().step(action)

    def get_state(self):
        return self.count

    def set_state(self, count):
        self.count = count

class Thinks:
    protocol = Plain()

    async def say(self, messages, tools, *, hear=None):
        print("under way", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            while not os.path.exists(GATE):  # cleans up, and is left in peace
                await asyncio.sleep(0.01)
            print("cleaned up", flush=True)

async def main():
    {main}

{start}
"""

ENTRIES = {
    "plainly": ("pass", "agentgym.repl.play({env}, policy=Thinks())"),
    "in a running loop": ("agentgym.repl.play({env}, policy=Thinks())", "asyncio.run(main())"),
    "awaited": ("await agentgym.play_async({env}, policy=Thinks())", "asyncio.run(main())"),
}


def program(entry: str, env: str) -> list[str]:
    main, start = (line.format(env=env) for line in ENTRIES[entry])
    return ["-c", PRELUDE.replace("{main}", main).replace("{start}", start)]


@pytest.fixture(autouse=True)
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that what waits at the gate waits for."""
    monkeypatch.setenv("GATE", str(tmp_path / "gate"))
    return tmp_path / "gate"


@contextmanager
def playing(entry: str, env: str) -> Iterator[Any]:
    """The program at a terminal; it must leave cleanly at the end of input."""
    answers = {
        **os.environ,
        "TERM": "xterm",
        "PROMPT_TOOLKIT_NO_CPR": "1",
    }  # pexpect does not answer questions about the cursor
    child = pexpect.spawn(
        sys.executable, program(entry, env), env=answers, encoding="utf-8", timeout=30, dimensions=(50, 99)
    )
    try:
        child.expect("turn 1>")
        yield child
        child.sendeof()
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0
    finally:
        child.close(force=True)


def stands_at(child: Any, count: int) -> None:
    child.sendline(":look")
    child.expect(rf"count {count}\.")
    child.expect(f"turn {count + 1}>")


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("env", ["Counts()", "Waits()"])
def test_a_turn_ends_and_the_game_stands_where_it_stood(entry: str, env: str, gate: Path) -> None:
    with playing(entry, env) as child:
        child.sendline("up")
        child.expect("turn 2>")
        blocks = entry == "in a running loop"  # where it is in a thread, nothing breaks it off
        child.sendline("hang at the gate" if blocks else "hang")
        child.expect("under way")
        child.sendintr()
        gate.touch()
        child.expect("interrupted")
        child.expect("turn 2>")
        stands_at(child, 1)
        child.sendline(":expert")
        child.expect(r"count 2\.")
        child.expect("turn 3>")


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_policy_that_thinks_is_told_once_and_cleans_up(entry: str, gate: Path) -> None:
    with playing(entry, "Counts()") as child:
        child.sendline(":step")
        child.expect("under way")
        for _ in range(3):
            os.kill(child.pid, signal.SIGINT)
        gate.touch()
        child.expect("cleaned up")
        child.expect("cancelled; :quit or Ctrl-D leaves")
        child.expect("turn 1>")
        stands_at(child, 0)


def test_a_line_is_cancelled_at_the_prompt() -> None:
    with playing("in a running loop", "Counts()") as child:
        child.send("half a line\x03")
        child.expect("cancelled; :quit or Ctrl-D leaves")
        child.expect("turn 1>")
        stands_at(child, 0)


@pytest.mark.parametrize("env", ["Counts()", "Waits()"])
def test_however_often_it_is_pressed(env: str) -> None:
    rng = random.Random(0)
    with playing("plainly", env) as child:
        child.sendline("up")
        child.expect("turn 2>")
        for _ in range(10):
            child.sendline("hang")
            child.expect("under way")
            for _ in range(rng.randint(1, 6)):
                os.kill(child.pid, signal.SIGINT)
                time.sleep(rng.choice([0.0, 0.0001, 0.001, 0.01]))
            asked = 0  # what is pressed at the next prompt takes that line with it, so that another one is typed
            while asked == 0 or child.expect([f"as line-{asked};", "cancelled", pexpect.TIMEOUT], timeout=2):
                asked += 1
                child.sendline(f":branch line-{asked}")
            child.expect("turn 2>")
            stands_at(child, 1)


@pytest.mark.parametrize("entry", ENTRIES)
def test_playing_on_its_own_is_stopped(entry: str, gate: Path) -> None:
    third = "lambda self: lambda seen: 'hang at the gate' if seen == 'count 2.' else 'up'"
    with playing(entry, f"type('Steady', (Counts,), {{'expert': {third}}})()") as child:
        child.sendline(":auto expert")
        child.expect("under way")
        child.sendintr()
        gate.touch()
        child.expect("interrupted|cancelled")
        child.expect("turn 3>")
        stands_at(child, 2)


@pytest.mark.parametrize("env", ["Counts()", "Waits()"])
def test_a_first_episode_that_hangs_is_given_up_with_the_game(env: str) -> None:
    slow = f"type('Slow', (type({env}),), {{'reset': hanging}})()"
    hanging = "def hanging(self, **options):\n    print('under way', flush=True)\n    time.sleep(60)\n"
    if env == "Waits()":
        hanging = "async " + hanging.replace("time.sleep", "return await asyncio.sleep")
    code = program("plainly", slow)[1].replace("async def main", f"{hanging}\nasync def main")
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "under way\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode != 0
    assert errors.rstrip().endswith("KeyboardInterrupt")


def test_a_line_from_a_pipe_is_cancelled() -> None:
    process = subprocess.Popen(
        [sys.executable, *program("plainly", "Counts()")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    shown = iter(process.stdout.readline, "")
    for line in ("up", "up"):
        process.stdin.write(f"{line}\n")
        process.stdin.flush()
        assert any("reward" in seen for seen in shown)
    process.send_signal(signal.SIGINT)
    assert any("cancelled" in seen for seen in shown)
    process.stdin.write(":look\n")
    rest, _ = process.communicate(timeout=20)
    assert "count 2." in rest
    assert process.returncode == 0
