"""What has a row say the same, to the last bit, whatever rows stand beside it, on a CPU in float32.

A kernel sums in an order that depends on the shape that it is given, so a row's shape must be its own. In each call of
attention the keys have a length that follows from the row's own, ``padded_keys``: rows that advance by single tokens go
through the model together, and are attended for apart where they differ in that (``attention``). In the other matrix
products rows are what is multiplied, and libraries sum them alike as soon as there are some: so there are always
``ROWS`` of them, or a multiple. Whether a library keeps to that is tried out (``is_alone``); where it does not,
``forward`` has passes of one size only. An activation is computed in pieces that no second thread takes a part of and
that vectors fill, since what is left over is computed in another way.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import nn

from agentgym import vision

__all__ = [
    "ROWS",
    "activations_of",
    "in_pieces",
    "is_alone",
    "padded",
    "padded_keys",
    "shared_keys",
]

ROWS = 8
"""Rows of a matrix product are a multiple of it."""

_LONG = 512
"""PyTorch's attention takes so many keys at a time: beyond, further blocks change nothing for who does not see them."""

_KEYS = (64, 128, 256, _LONG)

_PIECE = 32768
"""Numbers that PyTorch does not divide among threads."""

_VECTORS = 64
"""Numbers that fill a round of vectors on any processor."""

_ACTIVATIONS = ("transformers.activations", "torch.nn.modules.activation")
_OF_SEVERAL = (nn.MultiheadAttention, nn.Softmax, nn.Softmin, nn.LogSoftmax, nn.Softmax2d, nn.GLU, nn.PReLU)
"""What stands among the activations, and whose numbers depend on others or on their place."""


def padded(length: int, unit: int = ROWS) -> int:
    """The next multiple."""
    return -(-length // unit) * unit


def padded_keys(length: int) -> int:
    """How many keys a row is computed with that sees ``length`` of them."""
    return next((keys for keys in _KEYS if length <= keys), padded(length, _LONG))


def shared_keys(length: int) -> int:
    """The same for rows that can be computed together, with the ``padded_keys`` of the longest."""
    return min(padded_keys(length), _LONG + 1)


@torch.inference_mode()
def is_alone(module: Any) -> bool:
    """Whether a text's logits have the same bits in batches of several sizes, at any place in them."""
    vocabulary = int(module.get_input_embeddings().weight.shape[0])
    words = sorted(set(range(vocabulary)) - set(vision.forbidden(module.config)))
    for width in (1, ROWS):
        text = torch.tensor([words[(7 * i + 3) % len(words)] for i in range(width)], device=module.device)
        expected = None
        for num in (1, 2, 5, 17):
            batch_RT = text.expand(padded(num * width) // width, width)
            with in_pieces(activations_of(module)):
                logits_RTV = module(input_ids=batch_RT, use_cache=False).logits
            expected = logits_RTV[:1] if expected is None else expected
            if not torch.equal(logits_RTV, expected.expand_as(logits_RTV)):
                return False
    return True


def activations_of(module: Any) -> list[Any]:
    """The parts of ``module`` that are an activation, of each number by itself."""
    found = (part for part in module.modules() if type(part).__module__ in _ACTIVATIONS)
    return [part for part in found if not isinstance(part, _OF_SEVERAL)]


@contextlib.contextmanager
def in_pieces(activations: Sequence[Any]) -> Iterator[None]:
    """While entered, they are computed in pieces."""
    try:
        for part in activations:
            part.forward = functools.partial(_piecewise, part.forward)
        yield
    finally:
        for part in activations:
            part.__dict__.pop("forward", None)


def _piecewise(activation: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    num = x.numel()
    if num % _VECTORS:
        flat = torch.nn.functional.pad(x.flatten(), (0, -num % _VECTORS))
        return _piecewise(activation, flat)[:num].view_as(x)
    if num <= _PIECE or torch.get_num_threads() == 1:
        return activation(x)
    return torch.cat([activation(piece) for piece in torch.split(x.flatten(), _PIECE)]).view_as(x)
