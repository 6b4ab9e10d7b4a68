"""TRL's contract of environments, as its trainer reads it, without TRL."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any, get_type_hints

import pytest

import agentgym
from agentgym.errors import ConfigError, UserError
from agentgym.interop import as_trl, trl_reward

ASYNC = str(Path(__file__).parents[1] / "contract" / "examples" / "async_counter.py")


def tools_of(environment: Any) -> dict[str, Any]:
    """What the trainer offers to the model: public bound methods but ``reset``."""
    members = inspect.getmembers(environment, predicate=inspect.ismethod)
    return {name: member for name, member in members if name != "reset" and not name.startswith("_")}


def test_the_only_tool_is_typed_and_documented() -> None:
    environment = as_trl("blocksworld", level="b3")()
    tools = tools_of(environment)
    assert list(tools) == ["act"]
    assert get_type_hints(tools["act"]) == {"action": str, "return": str}
    described = inspect.getdoc(tools["act"]) or ""
    assert "Args:\n    action: The action" in described
    assert not inspect.iscoroutinefunction(tools["act"])


def test_an_episode_is_the_environment_s() -> None:
    environment, env = as_trl("blocksworld", level="b3")(), agentgym.make("blocksworld", level="b3")
    seen, _ = env.reset(options={"task": 5})
    told = environment.reset(task=5, prompt=[{"role": "user", "content": "Play."}], unused_column=1)
    assert told.startswith(env.instructions)
    assert str(seen) in told
    over, total = False, 0.0
    while not over:
        action = str(env.expert()(seen))
        seen, reward, over, _, info = env.step(action)
        total += reward
        assert str(seen) in environment.act(action=action)
    assert (environment.reward, environment.done, environment.success) == (total, True, info["success"])
    assert environment.act("look") == "The episode is over."
    assert trl_reward([None, None], environments=[environment, as_trl("blocksworld")()]) == [total, 0.0]


def test_an_invalid_action_is_told_and_turns_are_counted() -> None:
    environment = as_trl("blocksworld", level="b3")()
    environment.reset(seed=1)
    told = [environment.act("fly") for _ in range(agentgym.make("blocksworld", level="b3").max_turns)]
    assert "fly" in told[0] or "expected" in told[0].lower()
    assert told[-1].endswith("The episode is over.")
    assert environment.done
    assert not environment.success
    environment.reset(seed=1)
    assert not environment.done


def test_async_environments_too() -> None:
    environment = as_trl(ASYNC)()
    assert "0 of 4" in environment.reset(task="4")
    told = [environment.act("up") for _ in range(4)]
    assert told[0] == "1 of 4\nActions: up | down"
    assert environment.success
    assert environment.reward == 1.0


def test_what_is_wrong_shows_at_once() -> None:
    with pytest.raises(UserError, match="unknown environment"):
        as_trl("blocksword")
    with pytest.raises(ConfigError, match='Did you mean "level"'):
        as_trl("blocksworld", levle="b3")
    with pytest.raises(ConfigError, match="needs environments"):
        trl_reward([""])


def test_an_environment_that_is_held_to_the_end_is_closed_while_that_can_be_done() -> None:
    code = """
import sys
from agentgym.interop import as_trl
sys.held = as_trl("blocksworld")()
type(sys.held._player.env).close = lambda self: print("closed")
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == ("closed\n", "")


def test_an_environment_that_nobody_holds_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[bool] = []
    environment: Any = as_trl("blocksworld")()
    monkeypatch.setattr(type(environment._player.env), "close", lambda self: closed.append(True))
    del environment
    assert closed
