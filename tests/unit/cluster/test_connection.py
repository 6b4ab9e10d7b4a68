"""Who may be joined, without Ray: stand-ins for its module say what it would."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from agentgym.cluster import connection
from agentgym.cluster.connection import Cluster, Lost, joined
from agentgym.errors import MissingExtraError, UserError
from tests.kit import eventually


class RayError(Exception):
    """Stands for the base of Ray's own."""


class Ray(ModuleType):
    """Says what it was asked."""

    def __init__(self, version: str = "2.60.0", *, fails: Exception | None = None) -> None:
        super().__init__("ray")
        self.__version__, self.fails = version, fails
        self.exceptions = ModuleType("ray.exceptions")
        self.exceptions.RayError = RayError  # type: ignore[attr-defined]
        self._private = SimpleNamespace(services=SimpleNamespace(ConsolePopen=subprocess.Popen))
        self.asked: list[Any] = []
        self.environment: dict[str, str] = {}
        self.is_joined = False

    def is_initialized(self) -> bool:
        return self.is_joined

    def init(self, **settings: Any) -> None:
        self.asked.append(settings)
        self.environment = dict(os.environ)
        if self.fails:
            raise self.fails

    def started(self) -> subprocess.Popen[bytes]:
        """A process of its own, as it starts them."""
        made: subprocess.Popen[bytes] = self._private.services.ConsolePopen(["sleep", "60"])
        return made

    def get_runtime_context(self) -> Any:
        return type("Context", (), {"gcs_address": "h:1"})

    def shutdown(self) -> None:
        self.asked.append("shutdown")

    def nodes(self) -> list[dict[str, Any]]:
        if self.fails:
            raise self.fails
        alive = {"NodeID": "1", "NodeManagerAddress": "10.0.0.1", "Resources": {"CPU": 4.0}, "Alive": True}
        return [alive, {**alive, "NodeID": "2", "Alive": False}, {**alive, "NodeID": "3", "Resources": {}}]


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Who has no token."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def listening() -> Iterator[str]:
    """An address where somebody is."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def stand_in(monkeypatch: pytest.MonkeyPatch, ray: Ray) -> Ray:
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "ray.util", ModuleType("ray.util"))
    monkeypatch.setitem(sys.modules, "ray.util.scheduling_strategies", ModuleType("ray.util.scheduling_strategies"))
    return ray


def entered(address: str | None) -> None:
    async def work() -> None:
        async with joined(address) as cluster:
            assert isinstance(cluster, Cluster)

    asyncio.run(work())


def test_without_ray_it_is_told_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'agentgym-lab\[ray\]'"):
        entered(None)


@pytest.mark.parametrize("version", ["2.51.2", "1.13.0", "0.8.7"])
def test_versions_without_tokens_are_refused(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = stand_in(monkeypatch, Ray(version))
    with pytest.raises(UserError, match=f"Ray {version} lets everybody .* run code .*pip install -U"):
        entered(None)
    assert not ray.asked


def test_one_that_is_started_here_has_a_token_of_its_own_and_no_dashboard(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = stand_in(monkeypatch, Ray())
    entered(None)
    first = ray.environment["RAY_AUTH_TOKEN"]
    entered(None)
    settings, end, *_ = ray.asked
    assert end == "shutdown"
    assert settings["include_dashboard"] is False
    assert settings["_node_ip_address"] == "127.0.0.1"
    assert not Path(settings["_temp_dir"]).exists()
    assert len(settings["_temp_dir"]) < 40  # there are sockets in it
    assert ray.environment["RAY_AUTH_MODE"] == "token"
    assert ray.environment["RAY_worker_niceness"] == "0"
    assert ray.environment["RAY_gcs_rpc_server_reconnect_timeout_s"] == "10"
    assert len(first) == 64
    assert ray.environment["RAY_AUTH_TOKEN"] == first  # Ray would go on with it
    connection._own_token.cache_clear()  # as in another process
    entered(None)
    assert ray.environment["RAY_AUTH_TOKEN"] != first
    assert not any(name.startswith("RAY_AUTH") for name in os.environ)


def test_its_processes_are_not_asked_to_end_with_this_one_s_group(monkeypatch: pytest.MonkeyPatch) -> None:
    class Starting(Ray):
        def init(self, **settings: Any) -> None:
            self.processes = [self.started()]

    ray = stand_in(monkeypatch, Starting())
    entered(None)
    processes = [*ray.processes, ray.started()]
    groups = [os.getpgid(process.pid) for process in processes]
    for process in processes:
        process.kill()
        process.wait()
    assert groups == [processes[0].pid, os.getpgrp()]


def test_sigterm_is_handled_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    libc = ctypes.CDLL(None)
    libc.signal.argtypes, libc.signal.restype = [ctypes.c_int, ctypes.c_void_p], ctypes.c_void_p

    class Handling(Ray):
        def init(self, **settings: Any) -> None:
            """As its core does: Python does not know."""
            libc.signal(signal.SIGTERM, int(signal.SIG_IGN))

    stand_in(monkeypatch, Handling())
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        entered(None)
        os.kill(os.getpid(), signal.SIGTERM)
        assert eventually(lambda: bool(heard))
    finally:
        signal.signal(signal.SIGTERM, before)


def test_none_is_joined_without_a_token(monkeypatch: pytest.MonkeyPatch, listening: str) -> None:
    ray = stand_in(monkeypatch, Ray())
    with pytest.raises(UserError, match=f"no token for the cluster at {listening}.*export RAY_AUTH_MODE=token"):
        entered(listening)
    assert not ray.asked


@pytest.mark.parametrize("where", ["variable", "file", "home"])
def test_a_token_is_found_where_ray_looks_for_it(
    where: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, listening: str
) -> None:
    ray = stand_in(monkeypatch, Ray())
    monkeypatch.setattr(connection, "_refuse_open", lambda address: ray.asked.append(address))
    (tmp_path / ".ray").mkdir()
    file = tmp_path / (".ray/auth_token" if where == "home" else "mine")
    file.write_text("token")
    if where != "home":
        variable = {"variable": ("RAY_AUTH_TOKEN", "token"), "file": ("RAY_AUTH_TOKEN_PATH", str(file))}[where]
        monkeypatch.setenv(*variable)
    entered(listening)
    assert [asked if isinstance(asked, str) else asked["address"] for asked in ray.asked] == [
        *(listening, "h:1", "shutdown")
    ]


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1:port"])
def test_where_nobody_listens_it_is_told_at_once(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = stand_in(monkeypatch, Ray())
    monkeypatch.setenv("RAY_AUTH_TOKEN", "token")
    with pytest.raises(UserError, match=f"no Ray cluster answers at {address} .*ray start --head"):
        entered(address)
    assert not ray.asked


@pytest.mark.parametrize(
    "error",
    [ConnectionError("refused\nlong"), RayError("refused\nlong"), RuntimeError("refused"), Exception("refused")],
)
def test_why_it_cannot_be_joined_is_told_in_a_line(
    error: Exception, monkeypatch: pytest.MonkeyPatch, listening: str
) -> None:
    stand_in(monkeypatch, Ray(fails=error))
    monkeypatch.setenv("RAY_AUTH_TOKEN", "token")
    with pytest.raises(UserError, match=rf"the Ray cluster at {listening} cannot be joined: refused; expected"):
        entered(listening)
    with pytest.raises(UserError, match=r"^Ray cannot be started here: refused$"):
        entered(None)


def test_a_process_is_in_one_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = stand_in(monkeypatch, Ray())
    ray.is_joined = True
    with pytest.raises(UserError, match="joined a Ray cluster already"):
        entered(None)
    assert not ray.asked


def test_one_that_answers_a_stranger_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def asked(command: list[str], *, env: dict[str, str], **_: Any) -> Any:
        seen.append({name: value for name, value in env.items() if name.startswith("RAY_AUTH")})
        return type("Found", (), {"returncode": code})

    monkeypatch.setenv("RAY_AUTH_TOKEN", "token")
    monkeypatch.setattr("subprocess.run", asked)
    code = 1
    connection._refuse_open("h:1")
    code = 0
    with pytest.raises(UserError, match="the Ray cluster at h:1 asks nobody for a token"):
        connection._refuse_open("h:1")
    assert seen == [{"RAY_AUTH_MODE": "disabled"}] * 2


def test_nodes_are_those_that_live() -> None:
    assert asyncio.run(Cluster(Ray()).nodes()) == [("1", "10.0.0.1", 4.0), ("3", "10.0.0.1", 0.0)]
    with pytest.raises(Lost, match="gone"):
        asyncio.run(Cluster(Ray(fails=RayError("gone\nby"))).nodes())


def test_what_ray_says_of_a_call_is_that_it_is_lost() -> None:
    async def call() -> None:
        raise RayError("the actor died\nbecause")

    with pytest.raises(Lost, match=r"^the actor died$"):
        asyncio.run(Cluster(Ray()).asked(call()))
