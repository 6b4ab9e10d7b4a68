"""Any environment as an OpenEnv server, on the package's own HTTP and WebSocket server.

A session, which is one WebSocket connection, has an environment of its own and a thread of its own. An episode is over
when the environment says so, and truncated when it has had the environment's turns. Actions have one field, ``text``.
What is observed has ``text``, ``admissible``, ``tools``, ``terminated``, ``truncated``, ``success`` and
``invalid_action``; the state tells the environment's name, instructions, turns and splits. ``reset`` takes a ``seed``
and a ``task``.
"""

from __future__ import annotations

import base64
import errno
import functools
import socket
import threading
import uuid
from collections.abc import Callable, Collection, Sequence
from typing import Any

from pydantic import Field, create_model

from agentgym.env import SPLITS
from agentgym.environments.openenv.guard import guarded
from agentgym.errors import EnvError, UserError
from agentgym.extras import require
from agentgym.types import TaskId
from agentgym.visit import Player, Standing

__all__ = ["Server", "make_app", "take_port"]

MAX_SESSIONS = 256
"""Connections at one time; each has its own environment."""

_START_SECONDS = 60.0


def make_app(
    make_env: Callable[[], Any],
    *,
    max_sessions: int = MAX_SESSIONS,
    hosts: Collection[str] = (),
    token: str | None = None,
) -> Any:
    """The ASGI application that serves what ``make_env`` makes, ``guarded``. Raises MissingExtraError."""
    core = require("openenv.core.env_server", extra="openenv")
    action, observation = _models()
    session = _session_class()
    app = core.create_fastapi_app(functools.partial(session, make_env), action, observation, max_sessions)
    _tell_errors(app)
    gone = require("starlette.websockets", extra="openenv").WebSocketDisconnect

    async def patient(scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        except gone:  # the package closes a connection that the client has closed, and is surprised
            if scope["type"] != "websocket":
                raise

    return guarded(patient, hosts=hosts, token=token)


def _tell_errors(app: Any) -> None:
    """Have ``app`` answer what an environment refuses with what it says, in place of a traceback here and 500 there."""
    response = require("starlette.responses", extra="openenv").JSONResponse

    async def told(request: Any, error: Exception) -> Any:
        return response({"detail": str(error)}, 422 if isinstance(error, UserError) else 500)

    for kind in (UserError, EnvError):
        app.add_exception_handler(kind, told)


def take_port(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one. Raises UserError."""
    taken = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, port))
        taken.listen(128)  # with SO_REUSEADDR a second bind may pass; a second listen does not
    except OSError as error:
        taken.close()
        if error.errno == errno.EADDRINUSE:
            raise UserError(
                f"port {port} of {host} is in use; type another one, for instance: --port {port + 1}"
            ) from None
        raise UserError(f"cannot serve at {host}:{port}: {error}") from None
    return taken


class Server:
    """A server in a thread of this process, at a free port of this machine."""

    def __init__(self, make_env: Callable[[], Any]) -> None:
        uvicorn = require("uvicorn", extra="openenv")
        self._socket = take_port("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        settings = uvicorn.Config(make_app(make_env), log_config=None, timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(target=self._run, name="openenv-server", daemon=True)
        self._thread.start()
        self._wait()

    def close(self) -> None:
        """Stop serving; sessions that are open end."""
        self._server.should_exit = True
        self._thread.join(_START_SECONDS)
        self._socket.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])

    def _wait(self) -> None:
        ready = threading.Event()
        for _ in range(int(_START_SECONDS / 0.02)):
            if self._server.started:
                return
            if not self._thread.is_alive():
                break
            ready.wait(0.02)
        raise EnvError(f"the OpenEnv server at {self.url} does not start")


@functools.cache
def _models() -> tuple[Any, Any]:
    """The action and the observation of every environment that is served, as the package wants them."""
    types = require("openenv.core.env_server.types", extra="openenv")
    action = create_model(
        "AgentGymAction", __base__=types.Action, text=(str, Field(description="what the policy said"))
    )
    observation = create_model(
        "AgentGymObservation",
        __base__=types.Observation,
        text=(str, Field(default="", description="what is seen")),
        admissible=(list[str] | None, Field(default=None, description="actions that would have an effect")),
        tools=(list[dict[str, Any]], Field(default_factory=list, description="JSON schemas of tools")),
        png_images=(list[str], Field(default_factory=list, description="what is seen, as PNG in base64")),
        channels=(dict[str, float], Field(default_factory=dict, description="named numbers")),
        terminated=(bool, Field(default=False, description="ended by the rules")),
        truncated=(bool, Field(default=False, description="cut by a limit")),
        success=(bool | None, Field(default=None, description="known at the end")),
        invalid_action=(str | None, Field(default=None, description="what was wrong with the action")),
    )
    return action, observation


@functools.cache
def _session_class() -> Any:
    """The package's ``Environment`` around one of ours."""
    base: Any = require("openenv.core.env_server.interfaces", extra="openenv").Environment
    state_class: Any = require("openenv.core.env_server.types", extra="openenv").State
    _, observation_class = _models()

    class Session(base):  # type: ignore[misc]
        """One environment for one connection."""

        SUPPORTS_CONCURRENT_SESSIONS = True

        def __init__(self, make_env: Callable[[], Any]) -> None:
            super().__init__()
            self.player, self.episode = Player(make_env()), ""

        def reset(
            self, seed: int | None = None, episode_id: str | None = None, task: TaskId | None = None, **_: Any
        ) -> Any:
            self.episode = episode_id or uuid.uuid4().hex
            self.player.reset(task, seed)
            return _observed(self.player.now, observation_class)

        def step(self, action: Any, timeout_s: float | None = None, **_: Any) -> Any:
            if self.player.now.num_turns and not self.player.goes_on:
                raise EnvError("the episode is over; call reset() first")
            self.player.step(action.text)
            return _observed(self.player.now, observation_class, is_cut=not self.player.goes_on)

        @property
        def state(self) -> Any:
            env = self.player.env
            return state_class(
                episode_id=self.episode or None,
                step_count=self.player.now.num_turns,
                agentgym={
                    "name": env.name,
                    "instructions": env.instructions,
                    "max_turns": env.max_turns,
                    "splits": {split: told(env.tasks(split)) for split in SPLITS},
                },
            )

        def close(self) -> None:
            self.player.close()

    return Session


def _observed(now: Standing, cls: Any, *, is_cut: bool = False) -> Any:
    """What the client is told. An episode that has had its turns is cut, and no success, as a rollout's would be."""
    seen, invalid = now.observation, now.info.get("invalid_action")
    is_cut = is_cut and not now.is_over
    success = now.info.get("success", False if is_cut else None)
    return cls(
        text=str(seen),
        admissible=None if seen.admissible is None else list(seen.admissible),
        tools=[dict(tool) for tool in seen.tools],
        png_images=[base64.b64encode(image.data).decode() for image in seen.images],
        channels=dict(now.info.get("channels", {})),
        success=None if success is None else bool(success),
        invalid_action=None if invalid is None else str(invalid),
        reward=now.reward if now.num_turns else None,
        terminated=now.terminated,
        truncated=now.truncated or is_cut,
        done=now.is_over or is_cut,
    )


def told(tasks: Sequence[TaskId]) -> dict[str, Any]:
    """Task ids as JSON; a range by its ends."""
    if isinstance(tasks, range):
        return {"range": [tasks.start, tasks.stop, tasks.step]}
    return {"ids": list(tasks)}
