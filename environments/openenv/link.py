"""A connection to an OpenEnv server for callers that block, with every way to lose it under one name."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from agentgym.errors import EnvError, UserError
from agentgym.extras import require

__all__ = ["Link"]


class Link:
    """One session at a server. Raises UserError when it cannot be opened, EnvError when it is lost later."""

    def __init__(self, url: str, *, timeout: float) -> None:
        core = require("openenv.core.generic_client", extra="openenv")
        self._lost: tuple[type[Exception], ...] = (OSError, RuntimeError, *_closed())
        self.url, self.timeout = url.rstrip("/"), timeout
        self._client: Any = core.GenericEnvClient(
            base_url=self.url, connect_timeout_s=timeout, message_timeout_s=timeout
        ).sync()
        try:
            self._client.connect()
        except self._lost as error:
            self._client.close()
            raise UserError(
                f"no OpenEnv server answers at {self.url}: {error}; one is started by: agentgym serve blocksworld"
            ) from None

    def schema(self) -> dict[str, Any]:
        """What the server says of its actions, observations and state; empty where it says nothing."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        base = self.url.replace("ws://", "http://", 1).replace("wss://", "https://", 1)
        try:
            with opener.open(f"{base}/schema", timeout=self.timeout) as answer:
                found = json.load(answer)
        except (urllib.error.URLError, TimeoutError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

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
