"""What a GGUF file says of itself, read without loading it: metadata, what it holds, and whether it is whole."""

from __future__ import annotations

import dataclasses
import math
import mmap
import struct
from pathlib import Path
from typing import Any

from agentgym.errors import UserError
from agentgym.extras import require

__all__ = ["Header", "Tensor", "read_header"]

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_ALIGNMENT = 32


@dataclasses.dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor in the file: how many numbers it holds, of which type of ggml, and the bytes that they take."""

    numbers: int
    type: int
    start: int
    end: int


@dataclasses.dataclass(frozen=True, slots=True)
class Header:
    """``metadata`` by key, arrays of texts as their length; ``tensors`` by name."""

    file: Path
    metadata: dict[str, Any]
    tensors: dict[str, Tensor]

    @property
    def architecture(self) -> str:
        return str(self.metadata["general.architecture"])

    def own(self, key: str) -> Any:
        """The value of ``key`` of this architecture, or None."""
        return self.metadata.get(f"{self.architecture}.{key}")


def read_header(file: Path) -> Header:
    """The header of ``file``.

    Raises UserError for a file that is no GGUF, is damaged or is not there in whole, and for a part of a model.
    """
    sizes = {int(kind): size for kind, size in require("gguf", extra="gguf").GGML_QUANT_SIZES.items()}
    size = file.stat().st_size
    if not size:
        raise _refused(file, "it is empty; download it again")
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        _refuse_others(file, content)
        try:
            header = _parsed(file, content, sizes)
        except (struct.error, ValueError, OverflowError, MemoryError, RecursionError) as error:
            reason = f"its header cannot be read ({error})"
            raise _refused(file, f"it is damaged, or was not copied in whole: {reason}; download it again") from None
    _refuse_parts(header)
    end = max((tensor.end for tensor in header.tensors.values()), default=0)
    if end > size:
        raise _refused(file, f"it was not copied in whole: it has {size:,} bytes and needs {end:,}; download it again")
    return header


def _refuse_others(file: Path, content: mmap.mmap) -> None:
    if content[:4] != _MAGIC:
        raise _refused(file, f"it is no GGUF file: it begins with {content[:4]!r} in place of {_MAGIC!r}")
    version = int.from_bytes(content[4:8], "little")
    if version not in _VERSIONS:
        known = " and ".join(map(str, _VERSIONS))
        swapped = version and not version & 0xFFFF
        found = "in the byte order of other machines" if swapped else f"of GGUF's version {version}"
        raise _refused(file, f"it is {found}; versions {known} in little-endian order are read: convert it anew")


def _refuse_parts(header: Header) -> None:
    file, num = header.file, header.metadata.get("split.count", 0)
    if not isinstance(header.metadata.get("general.architecture"), str):
        raise _refused(file, 'it does not say of which architecture it is ("general.architecture"); convert it anew')
    if isinstance(num, int) and num > 1:
        raise _refused(
            file, f"it is one of {num} parts of a model; join them: llama-gguf-split --merge {file.name} whole.gguf"
        )
    if not header.tensors:
        raise _refused(file, "it holds no weights, a vocabulary at most; choose the model's own file")


def _refused(file: Path, reason: str) -> UserError:
    return UserError(f'cannot load the model "{file}": {reason}')


def _parsed(file: Path, content: mmap.mmap, sizes: dict[int, tuple[int, int]]) -> Header:
    reader = _Reader(content, 8)
    num_tensors, num_keys = reader.number("Q"), reader.number("Q")
    metadata = {}
    for _ in range(num_keys):
        key = reader.text()
        metadata[key] = reader.value(reader.number("I"))
    table = []
    for _ in range(num_tensors):
        name = reader.text()
        numbers = math.prod(reader.number("Q") for _ in range(reader.number("I")))
        table.append((name, numbers, reader.number("I"), reader.number("Q")))
    alignment = metadata.get("general.alignment", _ALIGNMENT)
    if not isinstance(alignment, int) or alignment < 1:
        raise ValueError(f"general.alignment is {alignment!r}")
    begin = -(-reader.at // alignment) * alignment
    tensors = {}
    for name, numbers, kind, offset in table:
        if kind not in sizes:
            raise ValueError(f'"{name}" is of the unknown type {kind}')
        block, width = sizes[kind]
        start = begin + offset
        tensors[name] = Tensor(numbers, kind, start, start + numbers // block * width)
    return Header(file, metadata, tensors)


class _Reader:
    """Reads on from ``at``. Raises struct.error or ValueError behind the end."""

    def __init__(self, content: mmap.mmap, at: int) -> None:
        self.content, self.at = content, at

    def number(self, form: str) -> Any:
        (value,) = struct.unpack_from(f"<{form}", self.content, self.at)
        self.at += struct.calcsize(f"<{form}")
        return value

    def text(self) -> str:
        length = self.number("Q")
        if self.at + length > len(self.content):
            raise ValueError(f"a text of {length} bytes goes beyond its end")
        self.at += length
        return self.content[self.at - length : self.at].decode()

    def value(self, kind: int) -> Any:
        if kind in _NUMBERS:
            return self.number(_NUMBERS[kind])
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY:
            raise ValueError(f"a value of the unknown type {kind}")
        element, num = self.number("I"), self.number("Q")
        if element in _NUMBERS:
            form = f"<{num}{_NUMBERS[element]}"
            self.at += struct.calcsize(form)
            return list(struct.unpack_from(form, self.content, self.at - struct.calcsize(form)))
        for _ in range(num):
            self.value(element)
        return num
