"""The host's end of the channel to the server inside: requests and answers, one at a time, each with a deadline.

An answer must carry the channel's secret word and the number of its request, and be no longer than what was asked for
can be. Anything else, and silence, is the end of the channel.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from typing import Any, Protocol

from agentgym.sandbox.inside import source
from agentgym.sandbox.inside.frames import LENGTHS, packed

__all__ = ["Channel", "Lost", "Stream"]

_MAX_HEAD = 64 << 20


class Lost(Exception):
    """The channel is broken, and with it the sandbox."""


class Stream(Protocol):
    """Bytes to and from the server."""

    def send(self, data: bytes, deadline: float) -> None:
        """Send all of it. Raises Lost."""

    def receive(self, size: int, deadline: float) -> bytes:
        """Just so many bytes. Raises Lost."""

    def close(self) -> None:
        """Break it off."""


class Channel:
    """Requests over a stream, of whose answers none has a body longer than ``max_body``."""

    def __init__(self, stream: Stream, *, max_body: int) -> None:
        self._stream, self._max_body = stream, max_body
        self._word = secrets.token_hex(16)
        self._number = 0

    def begin(self, *, seconds: float, **settings: Any) -> None:
        """Start the server that the loader waits for. Raises OSError and Lost."""
        self._stream.send(source(), time.monotonic() + seconds)
        self.ask("begin", seconds=seconds, **settings)

    def ask(self, do: str, body: bytes = b"", *, seconds: float, **head: Any) -> tuple[dict[str, Any], bytes]:
        """The answer to a request. Raises OSError where the request came to one, and Lost."""
        self._number += 1
        deadline = time.monotonic() + seconds
        self._stream.send(packed({"do": do, "id": self._number, "word": self._word, **head}, body), deadline)
        return self._received(deadline)

    def more(self, *, seconds: float) -> tuple[dict[str, Any], bytes]:
        """A further answer to the last request. Raises as ``ask`` does."""
        return self._received(time.monotonic() + seconds)

    def give(self, body: bytes, *, seconds: float, **head: Any) -> None:
        """Send a further part of the last request. Raises Lost."""
        self._stream.send(packed({"id": self._number, "word": self._word, **head}, body), time.monotonic() + seconds)

    def _received(self, deadline: float) -> tuple[dict[str, Any], bytes]:
        lengths = LENGTHS.unpack(self._stream.receive(LENGTHS.size, deadline))
        if lengths[0] > _MAX_HEAD or lengths[1] > self._max_body:
            raise Lost(f"it sent an answer of {lengths[0]} + {lengths[1]} bytes, more than there can be")
        head = self._head(self._stream.receive(lengths[0], deadline))
        body = self._stream.receive(lengths[1], deadline)
        if "errno" in head:
            raise OSError(head["errno"], os.strerror(head["errno"]), *[head["path"]][: bool(head["path"])])
        return head, body

    def _head(self, data: bytes) -> dict[str, Any]:
        try:
            head = json.loads(data)
        except ValueError:
            raise Lost("it sent an answer that cannot be read") from None
        if not isinstance(head, dict) or (head.get("word"), head.get("id")) != (self._word, self._number):
            raise Lost("it sent an answer to something that was not asked")
        return head

    def close(self) -> None:
        """Break it off."""
        self._stream.close()
