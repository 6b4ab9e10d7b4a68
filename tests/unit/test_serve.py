"""Serving from the command line: what is made, bound, told and closed, with a server that only writes down its call."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentgym.errors import ConfigError, UserError

pytest.importorskip("openenv.core", reason="the extra openenv is not installed")
pytest.importorskip("uvicorn")

import uvicorn

from agentgym import serve as module
from agentgym.environments.openenv.server import take_port
from agentgym.serve import serve

SHOUT = """
import pathlib
from agentgym import Env

class Shout(Env):
    def __init__(self, *, log: str, loud: bool = False):
        self.log, self.loud = pathlib.Path(log), loud
        self.write(f"made {loud}")
    def write(self, line):
        with self.log.open("a") as file:
            file.write(line + chr(10))
    def reset(self, *, seed=None, options=None):
        return "say", {}
    def step(self, action):
        return action, 0.0, False, False, {}
    def close(self):
        self.write("closed")
"""


class Recorded:
    """Stands for uvicorn's server: what it was given, and what was so when it ran."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.log: list[str] = []
        self.runs: list[dict[str, Any]] = []
        self.raises: BaseException | None = None
        self.sessions: list[int] = []
        self.guards: list[tuple[set[str], str | None]] = []

    def config(self, app: Any, **options: Any) -> Any:
        return app, options

    def server(self, config: Any) -> Any:
        recorded = self

        class Server:
            def run(self, sockets: list[socket.socket]) -> None:
                [taken] = sockets
                recorded.runs.append(
                    {"config": config, "at": taken.getsockname(), "told": list(recorded.told), "socket": taken}
                )
                if recorded.raises is not None:
                    raise recorded.raises

        return Server()


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    found = Recorded()
    monkeypatch.setattr(uvicorn, "Config", found.config)
    monkeypatch.setattr(uvicorn, "Server", found.server)

    def make_app(make_env: Any, *, max_sessions: int, hosts: set[str], token: str | None) -> Any:
        found.sessions.append(max_sessions)
        found.guards.append((hosts, token))
        return make_env

    monkeypatch.setattr(module, "make_app", make_app)
    yield found
    for run in found.runs:
        run["socket"].close()


@pytest.fixture
def shout(tmp_path: Path) -> str:
    file = tmp_path / "shout.py"
    file.write_text(SHOUT)
    return f"{file}:Shout"


def test_the_environment_is_tried_once_and_closed_before_it_is_served(
    recorded: Recorded, shout: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    serve(shout, {"log": str(log), "loud": True}, port=0, tell=recorded.told.append)
    assert log.read_text().splitlines() == ["made True", "closed"]
    [run] = recorded.runs
    make_env, _ = run["config"]
    env = make_env()
    assert env.loud is True, "every connection has one with the same options"
    env.close()


def test_the_address_is_told_once_it_is_bound_and_before_it_is_served(recorded: Recorded) -> None:
    serve("blocksworld", port=0, tell=recorded.told.append)
    [run] = recorded.runs
    host, port = run["at"]
    assert host == "127.0.0.1", "this machine alone"
    assert port > 0
    url = f"http://127.0.0.1:{port}"
    assert recorded.told == run["told"]
    assert recorded.told == [f"blocksworld at {url}   play it: agentgym play openenv:{url}   stop: Ctrl-C"]


def test_it_binds_what_it_is_told_to(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[tuple[str, int]] = []

    def taking(host: str, port: int) -> socket.socket:
        taken.append((host, port))
        return take_port("127.0.0.1", 0)

    monkeypatch.setattr(module, "take_port", taking)
    serve("blocksworld", tell=recorded.told.append)
    serve("blocksworld", host="::1", port=8123, tell=recorded.told.append)
    assert taken == [("127.0.0.1", 8000), ("::1", 8123)]
    assert recorded.told[1].startswith("blocksworld at http://[::1]:")


@pytest.mark.parametrize("ends_with", [None, KeyboardInterrupt()])
def test_the_port_is_free_again_at_the_end(recorded: Recorded, ends_with: BaseException | None) -> None:
    recorded.raises = ends_with
    with contextlib.suppress(KeyboardInterrupt):
        serve("blocksworld", port=0, tell=recorded.told.append)
    [run] = recorded.runs
    assert run["socket"].fileno() == -1


def test_the_number_of_sessions_is_the_apps(recorded: Recorded) -> None:
    serve("blocksworld", port=0, tell=recorded.told.append)
    serve("blocksworld", port=0, max_sessions=1, tell=recorded.told.append)
    assert recorded.sessions == [256, 1]
    with pytest.raises(ConfigError, match="max_sessions is 0, expected 1 or more"):
        serve("blocksworld", max_sessions=0)


def test_who_may_ask_is_passed_on_and_who_could_is_told(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "take_port", lambda host, port: take_port("127.0.0.1", 0))
    monkeypatch.setattr(socket, "gethostname", lambda: "box")
    monkeypatch.setattr(socket, "getfqdn", lambda: "box.example")
    serve("blocksworld", allowed_hosts=["mine.example"], tell=recorded.told.append)
    serve("blocksworld", host="0.0.0.0", token="secret", tell=recorded.told.append)
    assert recorded.guards == [
        ({"127.0.0.1", "mine.example"}, None),
        ({"0.0.0.0", "box", "box.example"}, "secret"),
    ]
    assert len(recorded.told) == 2
    serve("blocksworld", host="0.0.0.0", tell=recorded.told.append)
    assert recorded.told[-1] == (
        "whoever reaches 0.0.0.0 can play, and run its tools; to ask for a token, type: --token TEXT"
    )


@pytest.mark.parametrize("token", ["", " ", "a ", "\n", "s\xe9cret"])
def test_a_token_is_one_that_can_be_sent(token: str, recorded: Recorded) -> None:
    with pytest.raises(ConfigError, match="the token is empty or has blanks at its ends or characters beyond ASCII"):
        serve("blocksworld", token=token)
    assert recorded.runs == []


def test_what_cannot_be_made_is_not_bound(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "take_port", lambda host, port: pytest.fail("bound"))
    with pytest.raises(UserError, match='unknown environment "blocksword"'):
        serve("blocksword", port=0)
    with pytest.raises(ConfigError, match=r'unknown key "env\.levle"'):
        serve("blocksworld", {"levle": "b3"}, port=0)
    with pytest.raises(ConfigError, match=r'level is "b33"'):
        serve("blocksworld", {"level": "b33"}, port=0)
