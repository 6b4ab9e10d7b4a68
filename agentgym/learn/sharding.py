"""Weights spread over the processes that learn together (FSDP2): each holds a part, and gathers a layer to compute it.

A part are some rows of each weight; gradients and the optimizer's state are in parts too. Gradients are summed, not
averaged, so that they are those of one process with all rows. What is gathered for a forward pass is given up
afterwards: ``computing`` sees to that where no backward follows.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from agentgym.weights import part

__all__ = ["computing", "is_sharded", "like", "shard", "why_not"]


def why_not(module: Any) -> str:
    """Why ``module`` cannot be spread over processes, or ""."""
    return "the model sees pictures, for which a part of it runs by itself" if hasattr(module, "images") else ""


def shard(module: Any) -> None:
    """Spread the weights of ``module`` over the processes, in place; those of one that is spread already stay."""
    from torch.distributed.fsdp import fully_shard

    if is_sharded(module):
        return
    for owner in _owners(module):
        options = _options(owner)
        for layer in _layers(owner):
            fully_shard(layer, **options)
        fully_shard(owner, **options, reshard_after_forward=False)
    for each in _sharded(module):
        each.set_gradient_divide_factor(1.0)
        each.set_force_sum_reduction_for_comms(True)


def is_sharded(module: Any) -> bool:
    """Whether ``module`` has a part of its weights only."""
    return any(True for _ in _sharded(module))


@contextlib.contextmanager
def computing(module: Any) -> Iterator[None]:
    """While entered, what was gathered of ``module`` may stay; afterwards it has its part of the weights alone."""
    try:
        yield
    finally:
        for each in _sharded(module):
            each.reshard()


def like(tensor: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """``own``, the part of this process, as what is spread like ``tensor``; where nothing is spread, ``own`` itself."""
    if part(tensor) is tensor:
        return own
    from torch.distributed.tensor import DTensor

    spread: Any = tensor
    made: torch.Tensor = DTensor.from_local(
        own, spread.device_mesh, spread.placements, run_check=False, shape=spread.shape, stride=spread.stride()
    )
    return made


def _sharded(module: Any) -> Iterator[Any]:
    return (each for each in module.modules() if hasattr(each, "set_gradient_divide_factor"))


def _owners(module: Any) -> list[nn.Module]:
    """The parts of ``module`` that are called by themselves: the model in it, and a critic's head."""
    if isinstance(module, nn.ParameterList):
        raise TypeError("a list of parameters is spread with the weights that they are copies of")
    decoder = next((each for each in module.modules() if isinstance(each, PreTrainedModel)), None)
    if decoder is None:
        return [module]
    inside = set(map(id, decoder.parameters()))
    others = [each for each in module.modules() if any(id(p) not in inside for p in each.parameters(recurse=False))]
    return [decoder, *others]


def _layers(owner: Any) -> list[nn.Module]:
    """The decoder's layers."""
    names = set(getattr(owner, "_no_split_modules", None) or ())
    return [each for each in owner.modules() if type(each).__name__ in names and each is not owner]


def _options(owner: nn.Module) -> dict[str, Any]:
    """Gradients of few bits are summed in float32, as one process does."""
    from torch.distributed.fsdp import MixedPrecisionPolicy

    narrow = any(p.itemsize < torch.float32.itemsize for p in owner.parameters() if p.requires_grad)
    policy = MixedPrecisionPolicy(reduce_dtype=torch.float32 if narrow else None, cast_forward_inputs=False)
    return {"mp_policy": policy}
