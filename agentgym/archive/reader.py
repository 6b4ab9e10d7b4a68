"""An episode of any size, read turn by turn: what is not asked for is not even decompressed.

A packed episode begins with its turns and ends with its tokens (``packing``), so that the first turns of an episode of
a hundred megabytes are there at once. What was read is kept: asking again, or for what came before, costs nothing.
"""

from __future__ import annotations

import codecs
import json
import zlib
from collections.abc import Callable
from typing import Any

from agentgym.archive.packing import samples_in
from agentgym.errors import DataError
from agentgym.types import Sample

__all__ = ["Reader"]

_CHUNK = 1 << 18
"""Bytes that are decompressed at once, at first; twice as many whenever a single value needs more."""
_SLICE = 1 << 14
"""Bytes that are fed to it at once."""
_decode = json.JSONDecoder().raw_decode


class Reader:
    """An episode that was packed. Raises DataError for bytes that are none, as far as they were read.

    ``packed`` may be its beginning alone; ``rest`` gives all of it then, once more is needed.
    """

    def __init__(self, packed: bytes, *, rest: Callable[[], bytes] | None = None) -> None:
        self._remaining = rest
        self._packed, self._stream, self._utf8 = packed, zlib.decompressobj(), codecs.getincrementaldecoder("utf-8")()
        self._rest, self._place, self._is_read = "", 0, False
        self._fields: dict[str, Any] = {}
        self._turns: list[dict[str, Any]] = []
        self._taken = 0
        self._layout = self._told(self._first_line)
        self._told(self._open)

    @property
    def head(self) -> dict[str, Any]:
        """The fields of the record that stand before its turns."""
        return dict(self._fields)

    def turns(self, first: int, num: int) -> list[dict[str, Any]]:
        """``num`` turns from number ``first`` on, from 0, as JSON has them; fewer where it ends."""
        self._told(lambda: self._read(first + num))
        return self._turns[first : first + num]

    def whole(self) -> dict[str, Any]:
        """All fields of the record but its turns and its samples; everything is read then."""
        self._told(lambda: self._read(None))
        return dict(self._fields)

    def samples(self) -> list[Sample]:
        """The tokens."""
        found: list[Sample] = self._told(self._samples)
        return found

    def _samples(self) -> list[Sample]:
        return samples_in(self._layout, zlib.decompress(self._whole()).split(b"\n", 2)[2])

    def _told(self, read: Any) -> Any:
        try:
            return read()
        except (zlib.error, ValueError, LookupError, TypeError) as error:
            raise DataError(f"not a packed episode: {error}") from None

    def _whole(self) -> bytes:
        rest, self._remaining = self._remaining, None
        if rest is not None:
            self._packed = rest()
        return self._packed

    # -- from the stream -----------------------------------------------------------------------------

    def _first_line(self) -> Any:
        """The layout of the columns, with what follows left in the rest."""
        line = b""
        while b"\n" not in line:
            line += self._more(_CHUNK)
        layout, _, rest = line.partition(b"\n")
        self._rest = self._text(rest)
        return json.loads(layout)

    def _text(self, data: bytes) -> str:
        """``data`` up to the columns, which are no text."""
        return self._utf8.decode(data.partition(b"\n")[0])

    def _more(self, num: int) -> bytes:
        """At most ``num`` bytes. What is fed are slices: what is left over of one is copied each time."""
        parts: list[bytes] = []
        while num > 0:
            fed = self._stream.unconsumed_tail
            if not fed:
                fed = self._packed[self._taken : self._taken + _SLICE] or self._whole()[self._taken :][:_SLICE]
                self._taken += len(fed)
            data = self._stream.decompress(fed, num)
            if not data and (not fed or self._stream.eof):
                break
            parts.append(data)
            num -= len(data)
        if not parts:
            raise ValueError("it ends too early")
        return b"".join(parts)

    def _value(self) -> Any:
        """The next value, with the mark behind it still to be read: a number may go on in what comes."""
        size = _CHUNK
        while True:
            try:
                value, end = _decode(self._rest, self._place)
                if end < len(self._rest):
                    self._place = end
                    return value
            except ValueError:
                pass  # it goes on in what is not decompressed yet, or the stream ends, which is told
            self._feed(size)
            size *= 2

    def _mark(self) -> str:
        while self._place >= len(self._rest):
            self._feed(_CHUNK)
        self._place += 1
        return self._rest[self._place - 1]

    def _feed(self, size: int) -> None:
        self._rest, self._place = self._rest[self._place :] + self._text(self._more(size)), 0

    # -- the record ----------------------------------------------------------------------------------

    def _open(self) -> None:
        self._expect("{")
        self._to_turns()

    def _expect(self, mark: str) -> None:
        if (found := self._mark()) != mark:
            raise ValueError(f"{mark} expected, {found} found")

    def _to_turns(self) -> None:
        """Read fields until the turns begin."""
        while (name := self._name()) != "turns":
            self._fields[name] = self._value()
            self._expect(",")
        self._expect("[")
        self._next_turn(self._peek() == "]")

    def _name(self) -> str:
        name = self._value()
        self._expect(":")
        return str(name)

    def _peek(self) -> str:
        mark = self._mark()
        self._place -= 1
        return mark

    def _next_turn(self, is_last: bool) -> None:
        """Where there is none, read the fields behind the turns."""
        self._is_read = is_last
        if not is_last:
            return
        self._expect("]")
        while self._mark() == ",":
            name = self._name()
            self._fields[name] = self._value()

    def _read(self, num: int | None) -> None:
        """Read until there are ``num`` turns, or all."""
        while not self._is_read and (num is None or len(self._turns) < num):
            self._turns.append(self._value())
            mark = self._peek()
            if mark == ",":
                self._place += 1
            self._next_turn(mark == "]")
