"""Data parallelism with ``torch.distributed``: every process has a share of the rows, all take the same step.

Sums over processes are what they would be in one process. Where no process group was initialized, nothing is sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import torch
from torch import distributed

__all__ = ["is_distributed", "sum_gradients", "sum_metrics", "summed"]

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


def sum_metrics(metrics: Mapping[str, float], device: torch.device) -> dict[str, float]:
    """The same by name; a process without rows has no names of its own and learns them from the others."""
    if not is_distributed():
        return dict(metrics)
    names = sorted({name for names in _gathered(list(metrics), device) for name in names})
    return dict(zip(names, summed([metrics.get(name, 0.0) for name in names], device), strict=True))


def _gathered(names: list[str], device: torch.device) -> list[list[str]]:
    """Every process's ``names``, sent as JSON of equal length."""
    text = json.dumps(names).encode()
    longest = torch.tensor([len(text)], device=device)
    distributed.all_reduce(longest, distributed.ReduceOp.MAX)
    sent = torch.tensor(list(text.ljust(int(longest))), dtype=torch.uint8, device=device)
    received = [torch.empty_like(sent) for _ in range(distributed.get_world_size())]
    distributed.all_gather(received, sent)
    return [json.loads(bytes(found.tolist())) for found in received]


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
