"""Named tensors in a safetensors file, and whether those of a file are the ones that are wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from agentgym.errors import DataError
from agentgym.weights import put, tensors_of, weights_of

__all__ = ["check_shape", "read", "read_weights", "write", "write_weights"]


def write(file: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write ``tensors`` to ``file``."""
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file)


def read(file: Path) -> dict[str, torch.Tensor]:
    """The tensors in ``file``, as copies. Raises DataError when it holds something else."""
    try:
        return {key: tensor.clone() for key, tensor in load_file(file).items()}  # not the file's own pages
    except (OSError, SafetensorError) as error:
        raise DataError(f"{file} is not a safetensors file: {error}") from None


def write_weights(file: Path, module: torch.nn.Module) -> None:
    """Write the weights of ``module`` to ``file``."""
    write(file, dict(weights_of(module)))


def read_weights(file: Path, module: torch.nn.Module) -> Callable[[], None]:
    """Checks that the weights in ``file`` fit ``module``, or raises DataError; what is returned puts them there."""
    found, wanted = read(file), tensors_of(module)
    for key in sorted(found.keys() ^ wanted.keys()):
        where = "is not in the model" if key in found else "is in the model and not in the file"
        raise DataError(f'{file}: "{key}" {where}; go on with the model that wrote it')
    for key, tensor in wanted.items():
        check_shape(file, key, found[key], tensor)
    return lambda: put(module, found.items())


def check_shape(file: Path, key: str, found: torch.Tensor, wanted: torch.Tensor) -> None:
    """Raise DataError unless ``found``, which ``file`` has under ``key``, is like ``wanted``."""
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        raise DataError(
            f'{file}: "{key}" is {found.dtype} {list(found.shape)}, the model wants {wanted.dtype} '
            f"{list(wanted.shape)}; go on with the model that wrote it"
        )
