"""Frames: two lengths, a head as JSON, and a body; and the server's end of the stream that they come on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import select
import signal
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any

LENGTHS = struct.Struct("!II")

CHUNK = 1 << 16
BATCH = 1 << 20


def packed(head: dict[str, Any], body: bytes = b"") -> bytes:
    """The bytes of a frame."""
    text = json.dumps(head, separators=(",", ":")).encode()
    return LENGTHS.pack(len(text), len(body)) + text + body


def digest_of(data: bytes) -> str:
    """By which contents are told apart."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def batches(contents: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Contents in lists that make a body each: many small ones or a large one."""
    batch, size = list[bytes](), 0
    for data in contents:
        if batch and size + len(data) > BATCH:
            yield batch
            batch, size = [], 0
        batch.append(data)
        size += len(data)
    if batch:
        yield batch


def parts(body: bytes, sizes: list[int]) -> Iterator[bytes]:
    """The contents in a body."""
    start = 0
    for size in sizes:
        yield body[start : start + size]
        start += size


class Wire:
    """Frames over two descriptors; whoever waits for one reaps the children that end meanwhile."""

    def __init__(self, source: int, sink: int, reap: Callable[[], None]) -> None:
        self.source, self._sink, self._reap = source, sink, reap
        self._answer: dict[str, Any] = {}
        self.awake, write = os.pipe()
        os.set_blocking(self.awake, False)
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def receive(self) -> tuple[dict[str, Any], bytes]:
        """The next frame. Leaves when there is none any more."""
        lengths = LENGTHS.unpack(self._take(LENGTHS.size))
        head = json.loads(self._take(lengths[0]))
        self._answer = {"id": head["id"], "word": head["word"]}
        return head, self._take(lengths[1])

    def answer(self, body: bytes = b"", **head: Any) -> None:
        """A frame in answer to the last one."""
        left = memoryview(packed({**self._answer, **head}, body))
        while left:
            left = left[os.write(self._sink, left) :]

    def _take(self, size: int) -> bytes:
        taken = bytearray()
        while len(taken) < size:
            ready = select.select([self.source, self.awake], [], [])[0]
            if self.awake in ready:
                self.woken()
            if self.source in ready:
                piece = os.read(self.source, min(size - len(taken), 1 << 20))
                if not piece:
                    raise SystemExit
                taken += piece
        return bytes(taken)

    def woken(self) -> None:
        """A child has ended."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.awake, 4096)
        self._reap()
