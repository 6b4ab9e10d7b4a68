"""verifiers: prompts and rewards are the taskset's, splits are apart, what is not played here is refused by name."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

import agentgym
from agentgym.errors import ConfigError, EnvError, UserError

pytest.importorskip("verifiers.v1", reason="the extra verifiers is not installed")

from agentgym.environments.verifiers import Verifiers

TASKSET = """
import verifiers.v1 as vf

__all__ = ["Words"]


class Data(vf.TaskData):
    word: str


class Said(vf.Task[Data]):
    {members}

    @vf.reward(weight=0.5)
    async def has_word(self, task, trace) -> float:
        return float(task.word in trace.last_reply)

    @vf.reward(weight=0.5)
    async def is_short(self, trace) -> float:
        if trace.last_reply == "break":
            raise RuntimeError("the rewards broke")
        return float(len(trace.last_reply) < 20)


class Words(vf.Taskset[Said, vf.TasksetConfig]):
    def load(self):
        for i in range({count}):
            yield Said(Data(prompt=f"Say w{{i}}.", word=f"w{{i}}", system_prompt="Be short."), self.config.task)
"""


@pytest.fixture
def taskset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes a taskset that can be imported, and gives its name."""
    monkeypatch.syspath_prepend(str(tmp_path))
    written: list[str] = []

    def write(members: str = "pass", count: int = 20) -> str:
        name = f"agentgym_test_taskset_{tmp_path.name.replace('-', '_').lower()}_{len(written)}"
        (tmp_path / f"{name}.py").write_text(TASKSET.format(members=members, count=count))
        written.append(name)
        return name

    yield write
    for name in written:
        sys.modules.pop(name, None)


def said(env: Any, action: str) -> Any:
    return asyncio.run(env.step(action))


def test_the_demonstration_by_hand() -> None:
    env = Verifiers()
    seen, _ = env.reset(options={"task": 7})
    a, plus, b, equals = seen.split()
    assert (plus, equals) == ("+", "=")
    assert said(env, str(int(a) + int(b)))[1:4] == (1.0, True, False)
    env.reset(options={"task": 7})
    assert said(env, "1000")[1:] == (0.0, True, False, {"success": False, "rewards": {"right": 0.0}})


def test_rewards_are_weighted_as_the_taskset_says(taskset: Any) -> None:
    env = agentgym.make(f"verifiers:{taskset()}")
    assert env.reset(options={"task": 3})[0] == "Be short.\n\nSay w3."
    assert said(env, "w3")[1:] == (1.0, True, False, {"success": True, "rewards": {"has_word": 1.0, "is_short": 1.0}})
    env.reset(options={"task": 3})
    assert said(env, "something else that is long")[1] == 0.0
    env.reset(options={"task": 3})
    assert said(env, "it is longer than that: w3")[1] == 0.5
    env.reset(options={"task": 3})
    with pytest.raises(EnvError, match=r"scoring task 3 failed.*the rewards broke"):
        said(env, "break")


def test_splits_are_the_taskset_s_order_cut_in_three(taskset: Any) -> None:
    env = Verifiers(name=taskset(), limit=15)
    assert [env.tasks(split) for split in ("train", "validation", "test")] == [range(13), range(13, 14), range(14, 15)]
    with pytest.raises(UserError, match="task 15 does not exist: tasks are the numbers 0 to 14"):
        env.reset(options={"task": 15})


@pytest.mark.parametrize(
    ("members", "needs"),
    [
        ("NEEDS_CONTAINER = True", "a container"),
        ("async def setup(self, trace, runtime): pass", "a sandbox to set up"),
        ("@vf.reward\n    async def ran(self, runtime) -> float: return 1.0", "a sandbox for its rewards ran"),
    ],
)
def test_what_is_not_played_here_is_refused_by_name(taskset: Any, members: str, needs: str) -> None:
    with pytest.raises(ConfigError, match=f"cannot be played here: its tasks need {needs}"):
        Verifiers(name=taskset(members))


def test_tasksets_that_cannot_be_loaded(taskset: Any) -> None:
    with pytest.raises(ConfigError, match='name is "no-such-taskset", which is no taskset that is installed'):
        Verifiers(name="no-such-taskset")
    with pytest.raises(ConfigError, match="has 4 tasks, expected 10 or more"):
        Verifiers(name=taskset(count=4))
    with pytest.raises(ConfigError, match="limit is 3"):
        Verifiers(limit=3)
