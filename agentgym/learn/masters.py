"""What the optimizer steps: the trained weights themselves, or float32 copies of those that have fewer bits.

bfloat16 keeps eight bits of a number, so a step below 1/512 of a weight is rounded away, and at the learning rates of
fine-tuning nearly all of them are. The copies, called masters, add up what the weights are too coarse for (arXiv
1710.03740, §3.1); the weights are their masters, rounded. Gradients are summed in the masters' precision too. That
takes for each weight of two bytes four for its master, four for the sum of its gradients and eight for AdamW's moments.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch

from agentgym.weights import part, rows_here

__all__ = ["Masters", "decaying", "master_dtype", "optimizer_bytes"]

_LOOKED_AT = 4096
"""Weights that are compared before and after a step."""


class Masters:
    """Stands between ``weights``, whose gradients backward makes, and an optimizer of ``stepped``.

    What changes a weight from outside, between two steps, counts: its master follows it.
    """

    def __init__(self, weights: Sequence[torch.nn.Parameter]) -> None:
        self.pairs = [(weight, _master(weight)) for weight in weights]
        """Each weight, and what is stepped for it."""
        self.stepped = [stepped for _, stepped in self.pairs]
        self.rounded = [(weight, master) for weight, master in self.pairs if master is not weight]
        """Those weights that have a master."""
        sample = _sample([weight.numel() for weight in weights])
        self._num_sampled = sum(len(places) for _, places in sample)
        self._places = [
            (self.stepped[index], _places_here(self.stepped[index], places).to(self.stepped[index].device))
            for index, places in sample
        ]

    def clear(self) -> None:
        """Forget all gradients."""
        for parameter in (*(weight for weight, _ in self.rounded), *self.stepped):
            parameter.grad = None

    @contextlib.contextmanager
    def summing(self) -> Iterator[None]:
        """While entered, what backward finds for a weight is added to its master's gradient, and the weight has none.

        One by one, as they come: the gradients of all weights are never there twice.
        """
        weights: list[tuple[Any, torch.nn.Parameter]] = list(self.rounded)
        hooks = [w.register_post_accumulate_grad_hook(functools.partial(_add_to, master)) for w, master in weights]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    @torch.no_grad()
    def step(self, optimizer: torch.optim.Optimizer) -> float:
        """One step; returns the share of a sample of ``stepped``, always the same one, that it changed.

        Where they are spread over processes, each tells of what it has, and their sum is the share.
        """
        rounded = [(part(weight), part(master)) for weight, master in self.rounded]
        for weight, master in rounded:
            master.copy_(torch.where(weight == master.to(weight.dtype), master, weight.to(master.dtype)))
        before = self._looked_at()
        optimizer.step()
        for weight, master in rounded:
            weight.copy_(master)
        return float((self._looked_at() != before).double().sum()) / max(1, self._num_sampled)

    def _looked_at(self) -> torch.Tensor:
        return torch.cat([part(stepped).reshape(-1)[places] for stepped, places in self._places])


def master_dtype(weight: torch.Tensor) -> torch.dtype:
    """In what ``weight`` is stepped: its own number format, or float32 where that has fewer bits."""
    return weight.dtype if weight.element_size() >= torch.float32.itemsize else torch.float32


def optimizer_bytes(weights: Iterable[torch.Tensor]) -> int:
    """What AdamW's two moments and the masters of ``weights`` take; a shared one counts once."""
    total = 0
    for weight in {id(weight): weight for weight in weights}.values():
        copies = 2 if master_dtype(weight) is weight.dtype else 3
        total += copies * master_dtype(weight).itemsize * weight.numel()
    return total


def decaying(stepped: Sequence[torch.nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    """Groups for an optimizer: matrices decay; scales of normalizations and biases, which have one axis, do not."""
    matrices, others = [p for p in stepped if p.ndim > 1], [p for p in stepped if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


@torch.no_grad()
def _add_to(master: torch.nn.Parameter, weight: torch.Tensor) -> None:
    assert weight.grad is not None
    found, weight.grad = weight.grad.to(master.dtype), None
    master.grad = found if master.grad is None else master.grad.add_(found)


def _master(weight: torch.nn.Parameter) -> torch.nn.Parameter:
    dtype = master_dtype(weight)
    return weight if dtype is weight.dtype else torch.nn.Parameter(weight.detach().to(dtype))


def _places_here(stepped: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Those of ``places`` in the whole of ``stepped`` that this process has, by where they are in its part."""
    start = rows_here(stepped).start * math.prod(stepped.shape[1:])
    here: torch.Tensor = places[(places >= start) & (places < start + part(stepped).numel())] - start
    return here


def _sample(sizes: Sequence[int]) -> list[tuple[int, torch.Tensor]]:
    """Places in tensors of ``sizes``: the index of each tensor that has some, and these."""
    total = sum(sizes)
    drawn = torch.randint(max(1, total), (_LOOKED_AT,), generator=torch.Generator().manual_seed(0))
    flat = torch.arange(total) if total <= _LOOKED_AT else drawn
    start, found = 0, []
    for index, size in enumerate(sizes):
        own = flat[(flat >= start) & (flat < start + size)] - start
        start += size
        if len(own):
            found.append((index, own))
    return found
