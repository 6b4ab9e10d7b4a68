"""The event loop's end of a socket: whole packets in, whole packets out, nothing that blocks.

The socket is watched for as long as it is open, which spares two system calls a packet and tells of the other side's
end at once.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import socket
from collections.abc import Callable

from agentgym.errors import EnvError
from agentgym.hosts.processes.frames import Frames, Packet

__all__ = ["Channel", "connected_pair"]

_BUFFER_BYTES = 1 << 21


def connected_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected stream sockets, between which the system holds a large packet whole."""
    pair = socket.socketpair()
    for sock in pair:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
    return pair


class Channel:
    """One end of a stream socket, which it closes at the end. Made in the event loop that watches it."""

    def __init__(self, sock: socket.socket, on_packet: Callable[[Packet], None], on_end: Callable[[], None]) -> None:
        sock.setblocking(False)
        self.is_open, self._writes = True, False
        self._socket, self._on_packet, self._on_end = sock, on_packet, on_end
        self._frames = Frames()
        self._waiting: collections.deque[tuple[memoryview, socket.socket | None]] = collections.deque()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock, self._read)

    def send(self, data: bytes, gift: socket.socket | None = None) -> None:
        """Send ``data``, now or when there is room; ``gift`` goes along to the other process and is closed here."""
        if self.is_open:
            self._waiting.append((memoryview(data), gift))
            if len(self._waiting) == 1:
                self._write()
        elif gift is not None:
            gift.close()

    def hang_up(self) -> None:
        """Say that no more will be sent; what comes is still taken in."""
        with contextlib.suppress(OSError):  # the other side is gone already
            self._socket.shutdown(socket.SHUT_WR)

    def drain(self) -> None:
        """Take in all that has come, when it is known that no more will."""
        while self.is_open and self._read():
            pass

    def end(self) -> None:
        """Close, and tell so."""
        if self.is_open:
            self.close()
            self._on_end()

    def close(self) -> None:
        """Close, without a word."""
        if self.is_open:
            self.is_open = False
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket.close()
            self._drop()

    def _read(self) -> bool:
        """Take in what has come; False where nothing had."""
        try:
            data = self._socket.recv(self._frames.wanted)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:  # reset, by a process that died with words unread
            data = b""
        try:
            for packet in self._frames.feed(data):
                self._on_packet(packet)
        except EnvError:  # no packet: nothing that follows can be understood either
            data = b""
        if not data:
            self.end()
        return bool(data)

    def _write(self) -> None:
        try:
            while self._waiting:
                self._write_one(*self._waiting[0])
        except (BlockingIOError, InterruptedError):
            self._writes = True
            self._loop.add_writer(self._socket, self._write)
            return
        except OSError:  # the other side is gone, which reading will tell
            self._drop()
        if self._writes:
            self._writes = False
            self._loop.remove_writer(self._socket)

    def _write_one(self, data: memoryview, gift: socket.socket | None) -> None:
        if gift is None:
            sent = self._socket.send(data)
        else:
            sent = socket.send_fds(self._socket, [data], [gift.fileno()])
            gift.close()
        self._waiting.popleft()
        if sent < len(data):
            self._waiting.appendleft((data[sent:], None))

    def _drop(self) -> None:
        while self._waiting:
            _, gift = self._waiting.popleft()
            if gift is not None:
                gift.close()
