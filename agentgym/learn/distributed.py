"""Data parallelism with ``torch.distributed``: every process has a share of the rows, all take the same step.

Sums over processes are what they would be in one process. Where no process group was initialized, nothing is sent.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import distributed

__all__ = ["is_distributed", "sum_gradients", "summed"]

_BUCKET = 2**24
"""Numbers sent at once."""


def is_distributed() -> bool:
    """Whether there are other processes to agree with."""
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def summed(values: Sequence[float], device: torch.device) -> list[float]:
    """Each of ``values`` summed over processes, which all must give equally many."""
    if not is_distributed():
        return list(values)
    total = torch.tensor(values, dtype=torch.float64, device=device)
    distributed.all_reduce(total)
    found: list[float] = total.tolist()
    return found


def sum_gradients(parameters: Sequence[torch.nn.Parameter]) -> None:
    """Replace each parameter's gradient by its sum over processes; where there is none it counts as 0."""
    if not is_distributed():
        return
    bucket: list[torch.Tensor] = []
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        if bucket and (parameter.grad.dtype is not bucket[0].dtype or sum(g.numel() for g in bucket) >= _BUCKET):
            _sum_bucket(bucket)
            bucket = []
        bucket.append(parameter.grad)
    if bucket:
        _sum_bucket(bucket)


def _sum_bucket(gradients: Sequence[torch.Tensor]) -> None:
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    for gradient, total in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
        gradient.copy_(total.view_as(gradient))
