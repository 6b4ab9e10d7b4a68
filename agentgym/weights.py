"""A module's weights as named tensors, one after the other, and further modules made from them.

It is how weights go from a learner to whoever needs them: an engine, a checkpoint, a second copy. Nobody but its owner
looks into a module, so that one whose weights are spread over several processes can be served in the same way.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from transformers.initialization import no_init_weights

__all__ = ["blank", "clone", "part", "put", "rows_here", "tensors_of", "weights_of", "whole"]


def weights_of(module: torch.nn.Module, *, trained: bool = False) -> Iterator[tuple[str, torch.Tensor]]:
    """Parameters and buffers by their names in the module's state dict, a shared one once; no copies.

    With ``trained`` those that want a gradient alone.

    Those that are spread over processes are put together one by one, for which all of them go through these together.
    """
    for name, tensor in tensors_of(module).items():
        if trained and not tensor.requires_grad:
            continue
        yield name, whole(tensor.detach())


def tensors_of(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The same as they are in the module, to be written to."""
    named: dict[int, tuple[str, torch.Tensor]] = {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        named.setdefault(id(tensor), (name, tensor))
    return dict(named.values())


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """``tensor``, put together by all processes that it is spread over."""
    gather = getattr(tensor, "full_tensor", None)
    return tensor if gather is None else gather()


def part(tensor: torch.Tensor) -> torch.Tensor:
    """What this process has of ``tensor``, to be written to: all of one that is not spread over several."""
    return getattr(tensor, "_local_tensor", tensor)


def rows_here(tensor: torch.Tensor) -> slice:
    """Which rows of ``tensor`` this process has, all but the last ones having as many."""
    mesh = getattr(tensor, "device_mesh", None)
    if mesh is None:
        return slice(0, len(tensor) if tensor.ndim else 1)
    each, num = -(-len(tensor) // mesh.size()), len(tensor)
    start = min(num, mesh.get_local_rank() * each)
    return slice(start, min(num, start + each))


@torch.no_grad()
def put(module: torch.nn.Module, weights: Iterable[tuple[str, torch.Tensor]], *, rounds: bool = False) -> None:
    """Copy ``weights``, all of them, into ``module``; where it ``rounds``, into its number formats.

    Raises ValueError for a name, shape or number format that is not the module's, which then holds some of each.
    """
    missing = tensors_of(module)
    for name, new in weights:
        old = missing.pop(name, None)
        if old is None or old.shape != new.shape or (old.dtype != new.dtype and not rounds):
            wanted = "no such weights" if old is None else f"{old.dtype} {list(old.shape)}"
            raise ValueError(f'"{name}" is {new.dtype} {list(new.shape)}, the {type(module).__name__} has {wanted}')
        part(old).copy_(part(new) if part(new).shape == part(old).shape else new[rows_here(old)])
    if missing:
        raise ValueError(f"no weights came for {', '.join(sorted(missing))}")


def clone(module: Any, *, dtype: torch.dtype | None = None) -> Any:
    """A second module with the same weights, which from now on change on their own.

    ``dtype`` is the number format of those that have the module's own, if it is to be another.
    """
    made = blank(module)
    for parameter in made.parameters() if dtype is not None else ():
        if parameter.dtype == module.dtype:
            parameter.data = torch.empty_like(parameter, dtype=dtype)
    put(made, weights_of(module), rounds=dtype is not None)
    return made


def blank(module: Any, *, device: str | torch.device | None = None) -> Any:
    """A module made like ``module``, a transformers model or a peft model around one, whose weights are still to come.

    It is in the same mode, and on the same device unless another is given; on "meta" it takes no memory and says only
    what weights there are. The process's random number generators are left as they are.
    """
    where = torch.device(module.device if device is None else device)
    drawn = [where] if where.type == "cuda" else []
    with torch.random.fork_rng(devices=drawn), no_init_weights(), where:
        made = _adapted(module) if hasattr(module, "peft_config") else _plain(module)
    _agree(made, module)
    return made.train(module.training)


def _plain(module: Any) -> Any:
    made = type(module)._from_config(copy.deepcopy(module.config), dtype=module.dtype)
    made.tie_weights()
    made.generation_config = copy.deepcopy(module.generation_config)
    if "images" in vars(module):
        made.images = module.images  # it sees as its model does
    return made


def _adapted(module: Any) -> Any:
    (first, config), *further = copy.deepcopy(module.peft_config).items()
    made = type(module)(_plain(module.get_base_model()), config, adapter_name=first)
    for name, each in further:
        made.add_adapter(name, each)
    if further:
        made.base_model.set_adapter(module.active_adapters)
    return made


def _agree(made: Any, module: Any) -> None:
    """Number formats, what is trained, and the constants that no state dict holds are ``module``'s."""
    own, buffers = dict(made.named_parameters()), dict(made.named_buffers())
    for name, other in module.named_parameters():
        own[name].data = own[name].data.to(other.dtype)
        own[name].requires_grad_(other.requires_grad)
    for name, other in module.named_buffers():
        buffers[name].data = other.data.clone().to(buffers[name].device)
