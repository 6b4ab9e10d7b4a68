"""A session of our server without a socket, ports, and servers that do not start."""

from __future__ import annotations

import asyncio
import json
import socket
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("openenv.core", reason="the extra openenv is not installed")

import openenv.core.env_server as package  # type: ignore[import-untyped]
import uvicorn
from starlette.websockets import WebSocketDisconnect

from agentgym import Env
from agentgym.environments.openenv import server as module
from agentgym.environments.openenv.server import Server, make_app, take_port, told
from agentgym.errors import EnvError, UserError
from agentgym.types import Observation
from tests.kit import until


class Steps(Env):
    """Three steps; "wrong" is invalid, "cut" truncates."""

    instructions, max_turns = "Step.", 9
    closed = 0

    def tasks(self, split: str) -> Any:
        return {"train": range(0, 8, 2), "validation": ["v"], "test": ("t",)}[split]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.turn = 0
        return Observation(f"task {(options or {}).get('task')} seed {seed}", admissible=["on"]), {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        if action == "wrong":
            return "seen", 0.0, False, False, {"invalid_action": "not so"}
        self.turn += 1
        over = self.turn == 3
        info: dict[str, Any] = {"channels": {"turn": float(self.turn)}}
        return action, 0.25, over, action == "cut", info | ({"success": True} if over else {})

    def close(self) -> None:
        type(self).closed += 1


class App:
    """Stands for the package's application, whose client has gone."""

    def __init__(self) -> None:
        self.handlers: dict[Any, Any] = {}

    def add_exception_handler(self, kind: Any, handler: Any) -> None:
        self.handlers[kind] = handler

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        raise WebSocketDisconnect


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, int]]:
    """What the package's application is made with: the maker of sessions, and how many there may be."""
    found: list[tuple[Any, int]] = []

    def create(make: Any, action: Any, observation: Any, most: int) -> App:
        found.append((make, most))
        return App()

    monkeypatch.setattr(package, "create_fastapi_app", create)
    return found


def session(sessions: list[tuple[Any, int]]) -> Any:
    make_app(Steps)
    return sessions[-1][0]()


def said(text: str) -> Any:
    return SimpleNamespace(text=text)


def test_an_episode(sessions: list[tuple[Any, int]]) -> None:
    one = session(sessions)
    first = one.reset(seed=3, task=4)
    assert (first.text, first.admissible, first.reward, first.done) == ("task 4 seed 3", ["on"], None, False)
    assert one.step(said("wrong")).invalid_action == "not so"
    second = one.step(said("a"))
    assert (second.text, second.admissible, second.reward, second.channels) == ("a", None, 0.25, {"turn": 1.0})
    assert (second.done, second.success, second.invalid_action) == (False, None, None)
    one.step(said("b"))
    last = one.step(said("c"))
    assert (last.terminated, last.truncated, last.done, last.success) == (True, False, True, True)
    one.reset(task=2)
    cut = one.step(said("cut"))
    assert (cut.terminated, cut.truncated, cut.done) == (False, True, True)


def test_the_state_tells_the_episode_the_turns_and_the_environment(sessions: list[tuple[Any, int]]) -> None:
    one = session(sessions)
    assert (one.state.episode_id, one.state.step_count) == (None, 0)
    one.reset(task=0, episode_id="mine")
    one.step(said("a"))
    assert (one.state.episode_id, one.state.step_count) == ("mine", 1)
    assert one.state.agentgym == {
        "name": "Steps",
        "instructions": "Step.",
        "max_turns": 9,
        "splits": {"train": {"range": [0, 8, 2]}, "validation": {"ids": ["v"]}, "test": {"ids": ["t"]}},
    }
    one.reset(task=0)
    first = one.state.episode_id
    one.reset(task=0)
    assert len({first, one.state.episode_id, "mine", None}) == 4, "an episode without a name gets one of its own"


def test_a_session_that_ends_closes_its_environment(sessions: list[tuple[Any, int]]) -> None:
    one, other = session(sessions), session(sessions)
    before = Steps.closed
    one.close()
    assert Steps.closed == before + 1
    other.reset(task=0)
    assert other.step(said("a")).text == "a", "each has one of its own"
    other.close()


def test_the_number_of_sessions(sessions: list[tuple[Any, int]]) -> None:
    make_app(Steps)
    make_app(Steps, max_sessions=2)
    assert [most for _, most in sessions] == [256, 2]


@pytest.mark.parametrize(("scope", "is_raised"), [("websocket", False), ("http", True)])
def test_a_connection_that_the_client_closed_first_is_no_error(
    monkeypatch: pytest.MonkeyPatch, scope: str, is_raised: bool
) -> None:
    monkeypatch.setattr(package, "create_fastapi_app", lambda *_: App())
    served, asked = make_app(Steps), {"type": scope, "headers": [(b"host", b"localhost")]}
    if is_raised:
        with pytest.raises(WebSocketDisconnect):
            asyncio.run(served(asked, None, None))
    else:
        asyncio.run(served(asked, None, None))


def test_the_application_is_guarded(sessions: list[tuple[Any, int]]) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    def status(host: bytes, *more: tuple[bytes, bytes]) -> int:
        served = make_app(Steps, hosts=["mine.example"], token="secret")
        asyncio.run(served({"type": "http", "headers": [(b"host", host), *more]}, None, send))
        return int(sent[-2]["status"])

    assert status(b"evil.example", (b"authorization", b"Bearer secret")) == 403
    assert status(b"mine.example") == 401


@pytest.mark.parametrize(("error", "status"), [(UserError("task 9 does not exist"), 422), (EnvError("it broke"), 500)])
def test_what_an_environment_refuses_is_told(error: Exception, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    app = App()
    monkeypatch.setattr(package, "create_fastapi_app", lambda *_: app)
    make_app(Steps)
    answer = asyncio.run(app.handlers[type(error)](None, error))
    assert (answer.status_code, json.loads(answer.body)) == (status, {"detail": str(error)})


def test_ranges_are_told_by_their_ends() -> None:
    assert told(range(3, 9, 2)) == {"range": [3, 9, 2]}
    assert told(["a", 1]) == {"ids": ["a", 1]}


def test_ports() -> None:
    taken = take_port("127.0.0.1", 0)
    port = taken.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port), 10):
        pass  # it listens
    with pytest.raises(UserError, match=rf"port {port} of 127\.0\.0\.1 is in use; .* --port {port + 1}"):
        take_port("127.0.0.1", port)
    taken.close()
    take_port("127.0.0.1", port).close()
    with pytest.raises(UserError, match=r"cannot serve at 192\.0\.2\.1:0: "):
        take_port("192.0.2.1", 0)


def test_a_server_that_does_not_start_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: None)
    monkeypatch.setattr(module, "make_app", lambda make_env: None)
    with pytest.raises(EnvError, match=r"the OpenEnv server at http://127\.0\.0\.1:\d+ does not start"):
        Server(Steps)


def test_a_server_that_is_closed_has_ended_and_its_port_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[bool] = []

    def run(self: Any, sockets: Any) -> None:
        async def main() -> None:
            self.started = True
            await until(lambda: bool(self.should_exit))
            ended.append(sockets[0].fileno() != -1)

        asyncio.run(main())

    monkeypatch.setattr(uvicorn.Server, "run", run)
    monkeypatch.setattr(module, "make_app", lambda make_env: None)
    server = Server(Steps)
    port = int(server.url.rpartition(":")[2])
    assert ended == []
    server.close()
    assert ended == [True], "it ends before its socket does"
    take_port("127.0.0.1", port).close()
