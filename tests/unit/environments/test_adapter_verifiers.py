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
from tests.kit import answered

TASKSET = """
import verifiers.v1 as vf

__all__ = ["Words"]


class Seen(vf.State):
    looked: int = 0


class Shelf(vf.Toolset[vf.ToolsetConfig, Seen]):
    async def setup_task(self, task):
        self.word = task.word

    @vf.tool
    async def look(self, at: int) -> str:
        "Look at a place."
        self.state.looked += 1
        return self.word if at == 3 else f"nothing, after {{self.state.looked}} looks"

    @vf.tool
    def drop(self) -> str:
        "Drop it."
        raise ValueError("it is glued")


class Clock(vf.Toolset[vf.SharedToolsetConfig]):
    TOOL_PREFIX = None

    async def setup(self):
        self.hours = 12

    @vf.tool
    def time(self) -> int:
        self.hours += 1
        return self.hours


class Data(vf.TaskData):
    word: str


class Said(vf.Task[Data, Seen]):
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
    {shared}

    def load(self):
        for i in range({count}):
            yield Said(Data(prompt=f"Say w{{i}}.", word=f"w{{i}}", system_prompt="Be short."), self.config.task)
"""

TOOLS = """
    @classmethod
    def toolsets(cls, config): return [Shelf(vf.ToolsetConfig())]
"""
SHARED = "toolsets = classmethod(lambda cls, config: [Clock(vf.SharedToolsetConfig())])"
BOTH = '[{"name": "shelf_look", "arguments": {"at": 2}}, {"name": "time", "arguments": {}}]'
LOOKS = """
    @vf.reward(weight=0.0)
    async def looks(self, trace) -> float: return float(trace.state.looked)

    @vf.reward(weight=0.0)
    async def told(self, trace) -> float: return float(len(trace.tool_messages))

    @vf.reward(weight=0.0)
    async def turns(self, trace) -> float: return trace.num_turns + 100.0 * (len(trace.branches) - 1)
"""


@pytest.fixture
def taskset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes a taskset that can be imported, and gives its name."""
    monkeypatch.syspath_prepend(str(tmp_path))
    written: list[str] = []

    def write(members: str = "pass", count: int = 20, shared: str = "") -> str:
        name = f"agentgym_test_taskset_{tmp_path.name.replace('-', '_').lower()}_{len(written)}"
        (tmp_path / f"{name}.py").write_text(TASKSET.format(members=members, count=count, shared=shared))
        written.append(name)
        return name

    yield write
    for name in written:
        sys.modules.pop(name, None)


def shown(env: Any, task: int) -> Any:
    return asyncio.run(env.reset(options={"task": task}))[0]


def said(env: Any, action: str) -> Any:
    return asyncio.run(env.step(action))


def test_the_demonstration_by_hand() -> None:
    env = Verifiers()
    seen = shown(env, 7)
    a, plus, b, equals = seen.split()
    assert (plus, equals) == ("+", "=")
    assert said(env, str(int(a) + int(b)))[1:4] == (1.0, True, False)
    shown(env, 7)
    assert said(env, "1000")[1:] == (0.0, True, False, {**answered(), "success": False, "rewards": {"right": 0.0}})


def test_rewards_are_weighted_as_the_taskset_says(taskset: Any) -> None:
    env = agentgym.make(f"verifiers:{taskset()}")
    assert shown(env, 3) == "Be short.\n\nSay w3."
    rewards = {"has_word": 1.0, "is_short": 1.0}
    assert said(env, "w3")[1:] == (1.0, True, False, {**answered(), "success": True, "rewards": rewards})
    shown(env, 3)
    assert said(env, "something else that is long")[1] == 0.0
    shown(env, 3)
    assert said(env, "it is longer than that: w3")[1] == 0.5
    shown(env, 3)
    with pytest.raises(EnvError, match=r"scoring task 3 failed.*the rewards broke"):
        said(env, "break")


def test_splits_are_the_taskset_s_order_cut_in_three(taskset: Any) -> None:
    env = Verifiers(name=taskset(), limit=15)
    assert [env.tasks(split) for split in ("train", "validation", "test")] == [range(13), range(13, 14), range(14, 15)]
    with pytest.raises(UserError, match="task 15 does not exist: tasks are the numbers 0 to 14"):
        shown(env, 15)


@pytest.mark.parametrize(
    ("members", "needs"),
    [
        ("NEEDS_CONTAINER = True", "a container"),
        ("async def setup(self, trace, runtime): pass", "a sandbox to set up"),
        (
            "@vf.intercept\n    async def censor(self, reply: vf.Response) -> None: ...",
            "to come between agent and model",
        ),
        ("@vf.stop\n    async def enough(self, reply: vf.Response) -> bool: ...", "to come between agent and model"),
        (TOOLS.replace("Config()", "Config(colocated=True)"), "tools that are elsewhere"),
        (TOOLS.replace("Config()", "Config(url='http://x')"), "tools that are elsewhere"),
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
    with pytest.raises(ConfigError, match=r"env\.limit: .*greater than or equal to 10, found 3"):
        agentgym.make("verifiers", limit=3)


def test_tools_are_called_and_the_rewards_see_what_they_did(taskset: Any) -> None:
    env = agentgym.make(f"verifiers:{taskset(TOOLS + LOOKS, shared=SHARED)}")
    assert list(env.toolbox) == ["time", "shelf_drop", "shelf_look"]
    assert "- shelf_look(at: integer): Look at a place." in env.instructions
    assert shown(env, 3) == "Be short.\n\nSay w3."
    assert said(env, "shelf_look(at=1)")[:4] == ("nothing, after 1 looks", 0.0, False, False)
    wrong = said(env, 'shelf_look(at="here")')
    assert wrong[4]["invalid_action"] == wrong[0]
    assert "Usage: shelf_look(at: integer)" in wrong[0]
    assert said(env, BOTH)[0] == "shelf_look: nothing, after 2 looks\ntime: 13"
    assert "it is glued" in said(env, "shelf_drop()")[0]
    assert said(env, "shelf_look(at=3)")[0] == "w3"
    seen, reward, terminated, _, info = said(env, "w3")
    assert (seen[:20], reward, terminated, info["success"]) == ("The episode is over.", 1.0, True, True)
    assert info["rewards"] == {"has_word": 1.0, "is_short": 1.0, "looks": 3.0, "told": 5.0, "turns": 6.0}
    shown(env, 4)
    assert said(env, "shelf_look(at=3)")[0] == "w4"  # an episode has tools of its own
    assert said(env, "time()")[0] == "14"  # but for those that all share
    assert said(env, "no")[4]["rewards"]["looks"] == 1.0


def test_two_tools_of_one_name_are_refused(taskset: Any) -> None:
    twice = TOOLS.replace("[Shelf(vf.ToolsetConfig())]", "[Shelf(vf.ToolsetConfig()), Shelf(vf.ToolsetConfig())]")
    with pytest.raises(UserError, match=r'two tools of the taskset are called "shelf_[a-z]*"; give their toolsets a'):
        Verifiers(name=taskset(twice))


def test_the_last_turn_and_the_taskset_end_an_episode(taskset: Any) -> None:
    stop = """
    @vf.stop
    async def enough(self, trace: vf.Trace) -> bool: return trace.state.looked == 2
"""
    env = Verifiers(name=taskset(TOOLS + LOOKS + stop))
    shown(env, 0)
    assert said(env, "shelf_look(at=3)")[2] is False
    assert said(env, "shelf_look(at=3)")[1:3] == (0.5, True)
    env = Verifiers(name=taskset(TOOLS + LOOKS), max_turns=3)
    shown(env, 0)
    assert [said(env, "shelf_look(at=3)")[2] for _ in range(3)] == [False, False, True]


def test_tools_that_do_not_start_void_the_episode(taskset: Any) -> None:
    broken = TOOLS.replace("Shelf(vf.ToolsetConfig())", "Broken(vf.ToolsetConfig())")
    broken = "class Broken(Shelf):\n        async def setup(self): raise OSError('no shelf')\n" + broken
    env = Verifiers(name=taskset(broken.replace("[Broken", "[cls.Broken")))
    with pytest.raises(EnvError, match="the tools of task 2 do not start: no shelf"):
        shown(env, 2)
