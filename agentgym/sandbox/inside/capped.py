"""The beginning and the end of what a command writes: however much that is, no more is kept than the limit."""

from __future__ import annotations

from agentgym.sandbox.inside.frames import CHUNK


class Capped:
    """Takes pieces, and keeps at most ``limit`` bytes of them."""

    def __init__(self, limit: int) -> None:
        self._half, self._first, self._last, self._size = limit // 2, bytearray(), bytearray(), 0

    def add(self, data: bytes) -> None:
        """The next piece."""
        self._size += len(data)
        room = self._half - len(self._first)
        self._first += data[:room]
        self._last += data[room:]
        if len(self._last) > self._half + CHUNK:
            del self._last[: -self._half]

    @property
    def left_out(self) -> int:
        """Bytes that are not kept, from the middle."""
        return max(0, self._size - 2 * self._half)

    @property
    def text(self) -> bytes:
        """What is kept, with a line in place of what is not."""
        if not self.left_out:
            return bytes(self._first + self._last)
        mark = b"\n[... %d bytes left out ...]\n" % self.left_out
        return bytes(self._first) + mark + bytes(self._last[-self._half :])
