"""Named tensors in safetensors files, and whether those of a file are the ones that are wanted.

Those that are spread over processes are in a directory in place of the file, in which each process writes its part:

    NAME.safetensors                                        tensors that every process has
    NAME/shard-00001-model-00001-of-00001.safetensors       rows of each, those of the first process, and so on

The parts are as ``torch.distributed.checkpoint`` writes them in its Hugging Face format and can be read by it, but
are planned without its messages between processes, which are pickled. Whoever reads takes the rows that it needs,
whichever process wrote them: on another number of processes, too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from agentgym.errors import DataError
from agentgym.learn.distributed import World
from agentgym.learn.sharding import like
from agentgym.weights import part, put, rows_here, tensors_of

__all__ = ["Stored", "read_weights", "write", "write_weights"]

_PLACES = "DCP_SHARDING_INFO"
_OFFSETS = "saved_offsets"


def write(file: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write ``tensors`` to ``file``, or this process's part of them beside it; all processes call it."""
    rank = World.here().rank
    if not any(_is_spread(tensor) for tensor in tensors.values()):
        if rank == 0:
            save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file)
        return
    own = {name: each for name, each in tensors.items() if (part(each).numel() if _is_spread(each) else rank == 0)}
    starts = {name: [rows_here(each).start] + [0] * each.ndim for name, each in own.items()}
    places = {name: {_OFFSETS: starts[name][: each.ndim]} for name, each in own.items()}
    _directory(file).mkdir(exist_ok=True)
    save_file(
        {name: part(tensor).contiguous() for name, tensor in own.items()},
        _directory(file) / f"shard-{rank + 1:05d}-model-00001-of-00001.safetensors",
        {_PLACES: json.dumps(places), "DCP_VERSION": "1.0", "format": "pt"},
    )


def write_weights(file: Path, module: torch.nn.Module) -> None:
    """Write the weights of ``module`` as ``write`` does."""
    write(file, {name: tensor.detach() for name, tensor in tensors_of(module).items()})


def read_weights(file: Path, module: torch.nn.Module) -> Callable[[], None]:
    """Checks that the weights in ``file`` fit ``module``, or raises DataError; what is returned puts them there."""
    found, wanted = Stored(file), tensors_of(module)
    for key in sorted(found.names ^ wanted.keys()):
        where = "is not in the model" if key in found.names else "is in the model and not in the file"
        raise DataError(f'{file}: "{key}" {where}; go on with the model that wrote it')
    for key, tensor in wanted.items():
        found.check(key, tensor)
    return lambda: put(module, ((key, found.read(key, tensor)) for key, tensor in wanted.items()))


class _Part(NamedTuple):
    """Rows of a tensor, from ``start`` on."""

    start: int
    shape: tuple[int, ...]
    opened: Any


class Stored:
    """Tensors that ``write`` wrote to ``file`` or beside it. Raises DataError where something else is there."""

    def __init__(self, file: Path) -> None:
        self.file = file
        parts = sorted(_directory(file).glob("*.safetensors")) if not file.exists() else []
        self._parts: dict[str, list[_Part]] = {}
        for each in parts or [file]:
            self._open(each)
        self.names = self._parts.keys()

    def _open(self, file: Path) -> None:
        try:
            opened: Any = safe_open(file, "pt")
            places = json.loads((opened.metadata() or {}).get(_PLACES, "{}"))
            for name in opened.keys():  # noqa: SIM118  # it is no mapping
                start = (*places.get(name, {}).get(_OFFSETS, ()), 0)[0]
                self._parts.setdefault(name, []).append(_Part(start, tuple(opened.get_slice(name).get_shape()), opened))
        except (OSError, SafetensorError, ValueError, AttributeError) as error:
            raise DataError(f"{file} is not a safetensors file: {error}") from None

    def shape(self, name: str) -> list[int]:
        """Of the whole tensor. Raises DataError where rows are missing."""
        parts = sorted(self._parts[name], key=lambda each: each.start)
        end = 0
        for each in parts:
            if each.shape and each.start != end:
                raise DataError(
                    f'{_directory(self.file)} has no rows {end} to {each.start} of "{name}"; go back to an older '
                    "checkpoint"
                )
            end += each.shape[0] if each.shape else 0
        return [end, *parts[0].shape[1:]] if parts[0].shape else []

    def check(self, name: str, wanted: torch.Tensor) -> None:
        """Raise DataError unless the tensor ``name`` is like ``wanted``."""
        first = self._parts[name][0]
        none: torch.Tensor = first.opened.get_slice(name)[:0] if first.shape else first.opened.get_tensor(name)
        shape, dtype = self.shape(name), none.dtype
        if shape != list(wanted.shape) or dtype != wanted.dtype:
            raise DataError(
                f'{self.file}: "{name}" is {dtype} {shape}, the model wants {wanted.dtype} {list(wanted.shape)}; go on '
                "with the model that wrote it"
            )

    def read(self, name: str, wanted: torch.Tensor | None = None) -> torch.Tensor:
        """A copy of the tensor ``name``, or of the rows that this process has of one like ``wanted``."""
        parts = sorted(self._parts[name], key=lambda each: each.start)
        if not parts[0].shape:
            scalar: torch.Tensor = parts[0].opened.get_tensor(name)
            return scalar.clone()  # not the file's own pages
        rows = slice(0, sum(each.shape[0] for each in parts)) if wanted is None else rows_here(wanted)
        found = [
            each.opened.get_slice(name)[max(0, rows.start - each.start) : max(0, rows.stop - each.start)]
            for each in parts
            if each.start < rows.stop and rows.start < each.start + each.shape[0]
        ] or [parts[0].opened.get_slice(name)[:0]]
        read = torch.cat(found).clone() if len(found) == 1 else torch.cat(found)
        return read if wanted is None else like(wanted, read.to(part(wanted).device))


def _is_spread(tensor: torch.Tensor) -> bool:
    return part(tensor) is not tensor


def _directory(file: Path) -> Path:
    return file.with_suffix("")
