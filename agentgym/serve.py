"""Serving an environment to others: ``agentgym serve ID`` is an OpenEnv server (see ``environments/openenv``).

It binds this machine alone unless it is told otherwise: whoever can reach it can play, and tool environments do what
their tools do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from agentgym.environments.openenv.guard import is_local, names_of
from agentgym.environments.openenv.server import MAX_SESSIONS, make_app, take_port
from agentgym.errors import ConfigError
from agentgym.extras import require
from agentgym.registry import EnvFactory, make

__all__ = ["DEFAULT_PORT", "serve"]

DEFAULT_PORT = 8000
_LAST_WORDS = 3
"""Seconds that connections have to end in when the server does."""


def serve(
    env: str,
    options: Mapping[str, Any] | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    max_sessions: int = MAX_SESSIONS,
    token: str | None = None,
    allowed_hosts: Collection[str] = (),
    tell: Callable[[str], None] = print,
) -> None:
    """Serve the environment of that id or path until interrupted; each connection has one of its own.

    Port 0 takes a free one. With a ``token`` nobody is answered who does not send it: ``Authorization: Bearer TOKEN``.
    Requests of web pages are refused, but for its own, and those to another name than the machine's, localhost, an
    address or one of ``allowed_hosts``. ``tell`` is told the address once connections are taken. Raises UserError for
    an unknown environment, for options that it does not take, and for a port that is in use; MissingExtraError.
    """
    if max_sessions < 1:
        raise ConfigError(f"max_sessions is {max_sessions}, expected 1 or more")
    if token is not None and not (token.isascii() and token.isprintable() and token.strip() == token != ""):
        raise ConfigError("the token is empty or has blanks at its ends or characters beyond ASCII; choose another one")
    uvicorn = require("uvicorn", extra="openenv")
    make_env = EnvFactory(env, dict(options or {}))
    tried = make(env, **make_env.options)  # what is wrong with it shows here, not at the first connection
    name = tried.name
    tried.close()
    app = make_app(make_env, max_sessions=max_sessions, hosts={*names_of(host), *allowed_hosts}, token=token)
    taken = take_port(host, port)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{taken.getsockname()[1]}"
    tell(f"{name} at {address}   play it: agentgym play openenv:{address}   stop: Ctrl-C")
    if token is None and not is_local(host):
        tell(f"whoever reaches {host} can play, and run its tools; to ask for a token, type: --token TEXT")
    with taken:
        uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=_LAST_WORDS)).run(
            sockets=[taken]
        )
