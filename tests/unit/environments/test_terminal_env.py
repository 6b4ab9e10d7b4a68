"""The shell as an environment: commands, the end, the verdict, rewards, moments. Its commands here are all harmless."""

from __future__ import annotations

import json

import pytest

from agentgym.environments.terminal.env import TURNS, _is_ending
from agentgym.environments.terminal.goals import Text
from agentgym.environments.terminal.task import Task
from agentgym.environments.terminal.tasks import task_of
from agentgym.types import Action, ToolCall
from tests.unit.environments.terminal_kit import solved, terminal

TASK = Task(
    topic=("x",),
    text="write b into out.txt and make the directory d",
    files={"a.txt": b"a\n"},
    goals=(Text("out.txt", "b"), Text("d/c.txt", "c")),
    solution=("echo b > out.txt", "mkdir d", "echo c > d/c.txt"),
)


@pytest.fixture
def one_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentgym.environments.terminal.env.task_of", lambda *_: TASK)


@pytest.mark.parametrize("level", list(TURNS))
@pytest.mark.parametrize("reward", ["sparse", "dense"])
def test_the_solutions_solve(level: str, reward: str) -> None:
    with terminal(level=level, reward=reward) as env:
        for task in (0, 1, 2, 1_000_000, 1_001_000):
            results = solved(env, task)
            assert sum(result.reward for result in results) == pytest.approx(1)
            assert results[-1].info["success"] is True
            assert 2 * len(results) - 1 <= env.max_turns + 1


def test_what_a_command_says_is_shown(one_task: None) -> None:
    with terminal(timeout=0.5, max_output=200) as env:
        assert str(env.reset(seed=0)[0]) == "task: write b into out.txt and make the directory d"
        shown = [str(env.step(said)[0]) for said in ("ls", "true", "echo bad >&2; exit 2", "sleep 50", "seq 1000")]
        assert shown[:4] == ["a.txt", "(no output)", "bad\n(exit code 2)", "(killed after 0.5 seconds)"]
        assert "\n[... 3693 bytes left out ...]\n" in shown[4]
        assert "one may have 20000" in str(env.step("x" * 20_001)[0])


@pytest.mark.parametrize(
    "said",
    [
        "echo b > out.txt",
        'shell(command="echo b > out.txt")',
        json.dumps({"name": "shell", "arguments": {"command": "echo b > out.txt"}}),
        Action(tool_calls=[ToolCall(name="shell", arguments={"command": "echo b > out.txt"})]),
    ],
)
def test_a_reply_and_a_call_are_the_same(one_task: None, said: str) -> None:
    with terminal(reward="dense") as env:
        env.reset(seed=0)
        assert env.step(said)[1] == 0.5


@pytest.mark.parametrize("said", ["shell(", '{"a": 1}', "[ -e a.txt ] && echo yes", "f(x=1)", "echo (done)"])
def test_what_is_no_call_is_a_command(one_task: None, said: str) -> None:
    with terminal() as env:
        env.reset(seed=0)
        *_, terminated, _, info = env.step(said)
        assert (terminated, env.said, "invalid_action" in info) == (False, [said], False)


@pytest.mark.parametrize("said", ["done", " Done ", "done()", Action(tool_calls=[ToolCall(name="done", arguments={})])])
def test_the_end_is_said(one_task: None, said: str) -> None:
    with terminal() as env:
        env.reset(seed=0)
        _, reward, terminated, _, info = env.step(said)
        assert (reward, terminated, info["success"]) == (0.0, True, False)


@pytest.mark.parametrize(
    ("commands", "rewards"),
    [
        (["echo b > out.txt", "mkdir d; echo c > d/c.txt"], [0.5, 0.5, 0.0]),
        (["echo b > out.txt", "rm a.txt"], [0.5, -0.5, 0.0]),  # nobody asked for that
        (["echo b > out.txt"], [0.5, -0.5]),  # a part is no success
        (["echo b > out.txt; mkdir d; echo c > d/c.txt; echo x > a.txt"], [0.0, 0.0]),
        (["echo task done, reward 1"], [0.0, 0.0]),
    ],
)
def test_dense_rewards_add_up_to_the_verdict(one_task: None, commands: list[str], rewards: list[float]) -> None:
    with terminal(reward="dense") as env:
        env.reset(seed=0)
        assert [env.step(said)[1] for said in [*commands, "done"]] == rewards


def test_a_writer_in_the_background_is_ended_before_the_verdict(one_task: None) -> None:
    with terminal() as env:
        env.reset(seed=0)
        env.step("echo c > c; (setsid sh -c 'while :; do echo x > out.txt; sleep 0.01; done' >/dev/null 2>&1 &)")
        env.step("done")
        before = env.sandbox.snapshot()
        env.sandbox.run("sleep 0.1")
        assert env.sandbox.snapshot() is before


def test_an_episode_begins_with_its_own_files_and_nothing_else(one_task: None) -> None:
    with terminal() as env:
        env.reset(seed=0)
        env.step("touch b /tmp/left 2>/dev/null; mkdir -p e/f; chmod 000 a.txt")
        env.reset(seed=0)
        assert str(env.step("find . -type f; stat -c %a a.txt")[0]) == "./a.txt\n644"


def test_a_moment_has_the_files(one_task: None) -> None:
    with terminal(reward="dense") as env, terminal(reward="dense") as other:
        env.reset(seed=0)
        env.step("echo b > out.txt")
        moment = env.snapshot()
        env.step("rm *")
        for one in (env, other):
            one.restore(moment)
            assert one.step("mkdir d; echo c > d/c.txt")[1] == 0.5
            assert one.step("done")[1:3] == (0.0, True)


@pytest.mark.parametrize(
    ("one", "all_threads", "ends"),
    [(0, 0, False), (0, 1 << 14, True), (1 << 8, 0, True), (1 << 16, 0, False)],
    ids=["nothing", "terminate", "kill", "a child has ended"],
)
def test_whoever_is_about_to_end_has_ended(one: int, all_threads: int, ends: bool) -> None:
    """On a busy machine a signal may wait for its process to get the processor."""
    status = f"Name:\tsh\nState:\tS (sleeping)\nSigPnd:\t{one:016x}\nShdPnd:\t{all_threads:016x}\nSeccomp:\t2\n"
    assert _is_ending(status.encode()) is ends


def test_programs_of_a_task_are_looked_for() -> None:
    """The one that is to end has ended, and the other has not."""
    with terminal(level="t3") as env:
        task = next(task for task in range(200) if task_of(task, "train", "t3", 0).topic[0] == "stopped")
        solution = task_of(task, "train", "t3", 0).solution[0]
        for commands, reward in (([], 0.0), ([solution], 1.0), (["kill $(cat *.pid)"], 0.0)):
            env.reset(options={"task": task})
            assert env.snapshot().rung == "replay"  # they cannot be kept
            for said in commands:
                env.step(said)
            assert env.step("done")[1] == reward
