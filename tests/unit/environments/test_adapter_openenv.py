"""OpenEnv in both directions: served episodes are the direct ones, sessions are apart, other servers, lost ones."""

from __future__ import annotations

import functools
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import agentgym
from agentgym.env import Env
from agentgym.errors import ConfigError, EnvError, UserError

pytest.importorskip("openenv.core", reason="the extra openenv is not installed")

from agentgym.environments.openenv import OpenEnv
from agentgym.environments.openenv.env import _Demo
from agentgym.environments.openenv.server import Server, make_app, take_port
from agentgym.registry import EnvFactory
from agentgym.serve import serve
from tests.contract.examples.async_counter import AsyncCounter

_SERVE = "import sys; from agentgym.serve import serve; serve('blocksworld', {'level': 'b3'}, port=0)"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server in a process of its own; the address is what it tells."""
    process = subprocess.Popen([sys.executable, "-u", "-c", _SERVE], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = process.stdout.readline()
    assert told.startswith("blocksworld at http://127.0.0.1:"), told
    yield told.split()[2]
    process.terminate()
    process.wait(20)


def turns(env: Any, task: int, actions: list[str]) -> list[Any]:
    seen, _ = env.reset(seed=1, options={"task": task})
    found: list[Any] = [(seen, seen.admissible)]
    for action in actions:
        result = env.step(action)
        found.append((*result, result[0].admissible))
        if result[2] or result[3]:
            break
    return found


def solution(env: Any, task: int) -> list[str]:
    """What the expert says, from the environment itself."""
    seen, _ = env.reset(options={"task": task})
    said, over = [], False
    while not over:
        said.append(str(env.expert()(seen)))
        seen, _, over, _, _ = env.step(said[-1])
    return said


@pytest.mark.slow
def test_an_episode_that_is_served_is_the_direct_one(address: str) -> None:
    direct, served = agentgym.make("blocksworld", level="b3"), agentgym.make(f"openenv:{address}")
    assert served.instructions == direct.instructions
    assert served.max_turns == direct.max_turns
    for split in ("train", "validation", "test"):
        assert served.tasks(split) == direct.tasks(split)
    for task in (0, 3, 1_001_000):
        for actions in (solution(direct, task), ["fly", "put down z", "", "\ud800"]):
            expected = turns(direct, task, [action for action in actions if action != "\ud800"])
            assert turns(served, task, actions)[: len(expected)] == expected
    assert expected[1][4]["invalid_action"]
    served.close()


def test_sessions_are_apart(address: str) -> None:
    one, other = agentgym.make(f"openenv:{address}"), agentgym.make(f"openenv:{address}")
    first = one.reset(options={"task": 0})[0]
    other.reset(options={"task": 1})
    action = first.admissible[0]
    expected = turns(other, 0, [action])[1]
    assert one.step(action)[0] == expected[0]
    one.close()
    assert other.step("look")[4]["invalid_action"], "the other one goes on"
    other.close()


def test_async_environments_are_served_too() -> None:
    server = Server(AsyncCounter)
    env = OpenEnv(name=server.url)
    assert env.reset(options={"task": "4"})[0] == "0 of 4"
    assert [env.step("up")[:3] for _ in range(4)] == [(f"{n} of 4", float(n == 4), n == 4) for n in range(1, 5)]
    env.close()
    server.close()


def test_pictures_are_served() -> None:
    server, direct = Server(lambda: agentgym.make("glimpse", pictures=2)), agentgym.make("glimpse", pictures=2)
    served = OpenEnv(name=server.url)
    for seen, expected in zip(turns(served, 5, ["red"]), turns(direct, 5, ["red"]), strict=True):
        assert len(expected[0].images) == 1
        assert seen[0].images == expected[0].images
    served.close()
    server.close()


def test_an_episode_that_has_had_its_turns_is_cut() -> None:
    server = Server(lambda: agentgym.make("blocksworld", level="b3"))
    env = OpenEnv(name=server.url)
    env.reset(seed=0)
    ends = [env.step("look")[2:4] for _ in range(env.max_turns)]
    assert ends == [(False, False)] * (env.max_turns - 1) + [(False, True)]
    assert env._info["success"] is False
    with pytest.raises(EnvError, match="the episode is over; call reset"):
        env._asked(lambda link: link.step({"text": "look"}))
    env.reset(seed=0)
    assert env.step("look")[2:4] == (False, False)
    with pytest.raises(ConfigError, match=r"max_turns is 11; the server at http.* ends its episodes after 10"):
        OpenEnv(name=server.url, max_turns=11)
    assert OpenEnv(name=server.url, max_turns=4).max_turns == 4
    env.close()
    server.close()


class _Echo(Env):
    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        return "hello", {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        if action == "break":
            raise RuntimeError("it broke")
        return action, 0.25, False, action == "cut", {}


def test_a_server_that_fails_voids_the_episode_and_the_next_one_is_played() -> None:
    server = Server(_Echo)
    env = OpenEnv(name=server.url)
    env.reset(seed=0)
    with pytest.raises(EnvError, match=f"{server.url} failed: .*it broke"):
        env.step("break")
    assert env.reset(seed=0)[0] == "hello"
    assert env.step("cut") == ("cut", 0.25, False, True, {})
    env.reset(seed=0)
    server.close()
    with pytest.raises(EnvError, match="failed"):
        env.step("a")
    with pytest.raises(EnvError, match="no OpenEnv server answers"):
        env.reset(seed=0)
    env.close()


def test_a_server_of_other_make_is_played_by_its_schema() -> None:
    """Two fields of an action, none of an observation that is the text: both are JSON."""
    types = pytest.importorskip("openenv.core.env_server.types")
    core = pytest.importorskip("openenv.core.env_server")
    pydantic = pytest.importorskip("pydantic")
    uvicorn = pytest.importorskip("uvicorn")
    move = pydantic.create_model("Move", __base__=types.Action, x=(int, ...), y=(int, ...))
    place = pydantic.create_model("Place", __base__=types.Observation, x=(int, 0), y=(int, 0))

    class Walk(core.Environment):  # type: ignore[name-defined, misc]
        state = types.State()

        def reset(self, seed: int | None = None, episode_id: str | None = None, **_: Any) -> Any:
            self.at = (seed or 0, 0)
            return place(x=self.at[0], y=0)

        def step(self, action: Any, timeout_s: float | None = None, **_: Any) -> Any:
            self.at = (self.at[0] + action.x, self.at[1] + action.y)
            return place(x=self.at[0], y=self.at[1], done=self.at == (7, 1), reward=1.0 if self.at == (7, 1) else None)

    taken = take_port("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(core.create_fastapi_app(Walk, move, place), log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
    thread.start()
    env = OpenEnv(name=f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert env.instructions == "Say an action as a JSON object with the fields x, y."
    assert env.reset(options={"task": 6})[0] == '{"x": 6, "y": 0}'
    assert "Expecting value" in env.step("north")[4]["invalid_action"]
    assert env.step("[1]")[4]["invalid_action"] == "an action is a JSON object here"
    assert env.step('{"x": 1, "y": 1}') == ('{"x": 7, "y": 1}', 1.0, True, False, {})
    env.close()
    with pytest.raises(ConfigError, match=r'action_field is "z".*have: x, y'):
        OpenEnv(name=env.url, action_field="z")
    server.should_exit = True
    thread.join(20)
    taken.close()


def test_the_demonstration_lives_as_long_as_it_is_used() -> None:
    one = OpenEnv()
    other = OpenEnv()
    assert one._demo is other._demo is _Demo._running
    one.close()
    assert other.reset(options={"task": 0})[0]
    other.close()
    assert _Demo._running is None
    assert other.reset(options={"task": 0})[0], "closed, and used again"
    other.close()


def test_what_cannot_be_served_or_reached_says_why() -> None:
    taken = take_port("127.0.0.1", 0)
    port = taken.getsockname()[1]
    with pytest.raises(UserError, match=rf"port {port} of 127\.0\.0\.1 is in use; .*--port {port + 1}"):
        serve("blocksworld", port=port)
    taken.close()
    with pytest.raises(UserError, match=r"no OpenEnv server answers at .*agentgym serve"):
        OpenEnv(name=f"http://127.0.0.1:{port}", timeout=2)
    with pytest.raises(UserError, match='unknown environment "blocksword"'):
        serve("blocksword")
    with pytest.raises(ConfigError, match=r'unknown key "env\.levle"'):
        serve("blocksworld", {"levle": "b3"})
    with pytest.raises(ConfigError, match="max_sessions is 0"):
        serve("blocksworld", max_sessions=0)
    with pytest.raises(ConfigError, match=r"env\.timeout: .*greater than 0, found 0"):
        agentgym.make("openenv", timeout=0)


def test_a_task_that_does_not_exist(address: str) -> None:
    env = OpenEnv(name=address)
    with pytest.raises(UserError, match="task -3 does not exist at http"):
        env.reset(options={"task": -3})
    env.close()
    assert EnvFactory("openenv", {"name": address})().reset(seed=0)


def test_a_server_that_asks_for_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentgym.environments.openenv.server.make_app", functools.partial(make_app, token="se/c:ret"))
    server = Server(EnvFactory("blocksworld", {"level": "b3"}))
    try:
        monkeypatch.setenv("THEIRS", "se/c:ret")
        env = OpenEnv(name=server.url, token_env="THEIRS")
        assert env.instructions, "its state was told"
        assert env.action_field == "text", "and its schema"
        env.reset(seed=0)
        env.close()
        for wrong in (None, "OTHER"):
            monkeypatch.setenv("OTHER", "a-guess")
            with pytest.raises(UserError, match=r"HTTP 403; where it asks for a token: --env\.token_env") as raised:
                OpenEnv(name=server.url, token_env=wrong)
            assert "a-guess" not in str(raised.value)
        with pytest.raises(ConfigError, match="token_env is NONE, which is not set; type: export NONE=TOKEN"):
            OpenEnv(name=server.url, token_env="NONE")
    finally:
        server.close()
