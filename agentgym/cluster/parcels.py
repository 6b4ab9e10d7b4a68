"""Weights in pieces of bytes (safetensors), each small enough to be sent and taken up beside the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import safetensors.torch
import torch

from agentgym.engine import NamedWeights

__all__ = ["packed", "unpacked"]

_BYTES = 1 << 28
"""Of a parcel; a tensor that has more is a parcel of its own."""


def packed(weights: NamedWeights, *, most: int = _BYTES) -> Iterator[bytes]:
    """``weights``, in parcels of at most ``most`` bytes where tensors allow it."""
    parcel: dict[str, torch.Tensor] = {}
    size = 0
    for name, tensor in weights:
        if parcel and size + tensor.nbytes > most:
            yield safetensors.torch.save(parcel)
            parcel, size = {}, 0
        parcel[name] = tensor.detach().to("cpu", copy=False).contiguous()
        size += tensor.nbytes
    if parcel:
        yield safetensors.torch.save(parcel)


def unpacked(parcels: Iterable[bytes]) -> Iterator[tuple[str, torch.Tensor]]:
    """The weights, one parcel after the other."""
    for parcel in parcels:
        yield from safetensors.torch.load(parcel).items()
