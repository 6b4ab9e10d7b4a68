"""Serving an environment to others: ``agentgym serve ID`` is an OpenEnv server (see ``environments/openenv``).

It binds this machine alone unless it is told otherwise: whoever can reach it can play, and tool environments do what
their tools do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agentgym.environments.openenv.server import MAX_SESSIONS, make_app, take_port
from agentgym.errors import ConfigError
from agentgym.extras import require
from agentgym.registry import EnvFactory, make

__all__ = ["DEFAULT_PORT", "serve"]

DEFAULT_PORT = 8000


def serve(
    env: str,
    options: Mapping[str, Any] | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    max_sessions: int = MAX_SESSIONS,
    tell: Callable[[str], None] = print,
) -> None:
    """Serve the environment of that id or path until interrupted; each connection has one of its own.

    Port 0 takes a free one; ``tell`` is told the address once connections are taken. Raises UserError for an unknown
    environment, for options that it does not take, and for a port that is in use; MissingExtraError.
    """
    if max_sessions < 1:
        raise ConfigError(f"max_sessions is {max_sessions}, expected 1 or more")
    uvicorn = require("uvicorn", extra="openenv")
    make_env = EnvFactory(env, dict(options or {}))
    tried = make(env, **make_env.options)  # what is wrong with it shows here, not at the first connection
    name = tried.name
    tried.close()
    app = make_app(make_env, max_sessions=max_sessions)
    taken = take_port(host, port)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{taken.getsockname()[1]}"
    tell(f"{name} at {address}   play it: agentgym play openenv:{address}   stop: Ctrl-C")
    with taken:
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[taken])
