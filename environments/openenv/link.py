"""A connection to an OpenEnv server for callers that block, with every way to lose it under one name."""

from __future__ import annotations

import http.client
import json
import urllib.request
from typing import Any
from urllib.parse import quote

from agentgym.errors import EnvError, UserError
from agentgym.extras import require

__all__ = ["Link"]

_MAX_BYTES = 2**24
"""Of what a server says of itself."""


class Link:
    """One session at a server. Raises UserError when it cannot be opened, EnvError when it is lost later."""

    def __init__(self, url: str, *, timeout: float, token: str | None = None) -> None:
        core = require("openenv.core.generic_client", extra="openenv")
        self._lost: tuple[type[Exception], ...] = (OSError, RuntimeError, *_closed())
        self.url, self.timeout, self._token = url.rstrip("/"), timeout, token
        self._client: Any = core.GenericEnvClient(
            base_url=self.url.replace("://", f"://{self._user}", 1),
            connect_timeout_s=timeout,
            message_timeout_s=timeout,
        ).sync()
        try:
            self._client.connect()
        except self._lost as error:
            self._client.close()
            said = str(error).replace(self._user, "")
            refused = "; where it asks for a token: --env.token_env VARIABLE" if "403" in said else ""
            raise UserError(
                f"no OpenEnv server answers at {self.url}: {said}{refused}; one is started by: agentgym serve "
                "blocksworld"
            ) from None

    def schema(self) -> dict[str, Any]:
        """What the server says of its actions, observations and state; empty where it says nothing."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        base = self.url.replace("ws://", "http://", 1).replace("wss://", "https://", 1)
        asked = urllib.request.Request(f"{base}/schema")
        if self._token is not None:
            asked.add_header("Authorization", f"Bearer {self._token}")
        try:
            with opener.open(asked, timeout=self.timeout) as answer:
                found = json.loads(answer.read(_MAX_BYTES))  # what is longer is cut, and then no JSON
        except (OSError, http.client.HTTPException, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def _user(self) -> str:
        """A token as the package's client takes it, in the address: the password of nobody."""
        return "" if self._token is None else f":{quote(self._token, safe='')}@"

    def state(self) -> dict[str, Any]:
        """The server's state of the session."""
        found = self._call(self._client.state)
        return found if isinstance(found, dict) else {}

    def reset(self, **options: Any) -> Any:
        """Start an episode; has ``observation``, ``reward`` and ``done``."""
        return self._call(self._client.reset, **options)

    def step(self, action: dict[str, Any]) -> Any:
        """One turn; has ``observation``, ``reward`` and ``done``."""
        return self._call(self._client.step, action)

    def close(self) -> None:
        """End the session."""
        self._client.close()

    def _call(self, method: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return method(*arguments, **options)
        except self._lost as error:
            said = str(error) or type(error).__name__
            raise EnvError(f"the OpenEnv server at {self.url} failed: {said}") from None


def _closed() -> tuple[type[Exception], ...]:
    return (require("websockets.exceptions", extra="openenv").WebSocketException,)
