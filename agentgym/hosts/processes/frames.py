"""Messages on a byte stream: a length, a line of JSON, and raw bytes.

A frame is eight bytes (two big-endian lengths), JSON in UTF-8, and what is attached to it: long texts and images, which
JSON would have to escape. Nothing that is received is evaluated or unpickled.
"""

from __future__ import annotations

import json
import reprlib
import struct
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from agentgym.errors import EnvError

__all__ = ["Frames", "Packet", "framed", "unframed"]

_LENGTHS = struct.Struct("!II")
_MAX_BYTES = 1 << 30
_RECEIVE = 1 << 16  # larger buffers are mapped anew for each call, which takes longer than a small packet does
_RECEIVE_LONG = 1 << 20


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 100


class Packet(NamedTuple):
    """What one frame holds."""

    head: dict[str, Any]
    attached: bytes | memoryview = b""


def _plain(value: Any) -> Any:
    """What JSON has no word for and yet can say."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"JSON cannot say {type(value).__name__}")


# Lone surrogates are text to Python: they pass as such (surrogatepass), so that the other side sees what was meant.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain)
_DECODER = json.JSONDecoder()


def framed(packet: Packet) -> bytes:
    """The bytes of ``packet``. Raises EnvError that names what JSON cannot say.

    NumPy's scalars become Python's, tuples become lists, and numbers as keys become text.
    """
    try:
        head = _ENCODER.encode(packet.head).encode("utf-8", "surrogatepass")
    except (TypeError, ValueError, RecursionError):
        raise EnvError(_complaint(packet.head)) from None
    if max(len(head), len(packet.attached)) > _MAX_BYTES:
        raise EnvError(f"{len(head) + len(packet.attached)} bytes in one packet, at most {_MAX_BYTES} can be sent")
    return b"".join((_LENGTHS.pack(len(head), len(packet.attached)), head, packet.attached))


def unframed(data: bytes) -> Packet:
    """The inverse of ``framed``. Raises EnvError for what is not one whole packet."""
    if len(data) != _end(data):
        raise EnvError(f"what came are {len(data)} bytes, expected one packet")
    return _packet(data, len(data))


class Frames:
    """Cuts what is received into packets."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._missing = 0

    @property
    def wanted(self) -> int:
        """How many bytes to receive next."""
        return min(max(self._missing, _RECEIVE), _RECEIVE_LONG)

    def feed(self, data: bytes) -> Iterator[Packet]:
        """The packets that ``data`` completes, to the last one; EnvError is raised at what is no packet, after them."""
        if not self._buffer and len(data) == _end(data):  # the usual case: one packet, received whole
            yield _packet(data, len(data))
            return
        self._buffer += data
        while self._buffer and (end := _end(self._buffer)) <= len(self._buffer):
            buffer, self._buffer = self._buffer, self._buffer[end:]
            yield _packet(memoryview(buffer), end)
        self._missing = end - len(self._buffer) if self._buffer else 0


def _end(data: bytes | bytearray) -> int:
    """Where the first packet of ``data`` ends."""
    if len(data) < _LENGTHS.size:
        return _LENGTHS.size
    length, attached = _LENGTHS.unpack_from(data)
    if length > _MAX_BYTES or attached > _MAX_BYTES:
        raise EnvError("what came is no packet: something else was written to its socket")
    return _LENGTHS.size + int(length) + int(attached)


def _packet(data: bytes | memoryview, end: int) -> Packet:
    length, _ = _LENGTHS.unpack_from(data)
    middle = _LENGTHS.size + length
    try:
        head, _ = _DECODER.raw_decode(str(data[_LENGTHS.size : middle], "utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise EnvError(f"what came cannot be read: {error}") from None
    if not isinstance(head, dict):
        raise EnvError(f"what came is {_shown(head)}, expected an object of JSON")
    return Packet(head, data[middle:end])


def _complaint(value: Any, path: str = "", depth: int = 0) -> str:
    """What in ``value`` JSON cannot say, and where that is."""
    for key, item in _parts(value) if depth < 10 else []:
        if not _can_be_said(item):
            return _complaint(item, f"{path}[{key!r:.80}]" if path else str(key), depth + 1)
    return (
        f"{path} is {type(value).__name__} {_shown(value)}, which cannot leave its process; "
        "expected text, numbers, true, false, None, and lists and dicts of them"
    )


def _shown(value: Any) -> str:
    try:
        return _SHORT.repr(value)
    except ValueError:  # an integer that is too long to be written
        return "[which cannot be shown]"


def _parts(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list | tuple) else []


def _can_be_said(value: Any) -> bool:
    try:
        _ENCODER.encode(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
