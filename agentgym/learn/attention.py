"""Attention over packed sequences: each sees itself only, and nothing is computed for padding.

Transformers lets a module's attention be exchanged by name. The function registered here gets the lengths of the
sequences as the keyword ``pack``, which the module's forward hands down to every layer, and runs PyTorch's causal
attention on each of them; or the branches of their trie, where they share what they begin with (``tree_attention``).
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from agentgym.learn import tree_attention
from agentgym.learn.prefixes import Branch

__all__ = ["Pack", "UnsupportedAttentionError", "is_packed", "packed_attention"]

_NAME = "agentgym_packed"

_VARLEN = importlib.util.find_spec("torch.nn.attention.varlen") is not None  # PyTorch 2.10 and later

_LARGEST_HEAD = 256
"""That the kernel for sequences of unlike lengths takes."""

_CHANGE_SCORES = ("softcap", "s_aux", "position_bias")
"""Arguments with which a layer asks for more than plain attention."""


class UnsupportedAttentionError(Exception):
    """A layer wants something that packed attention does not do."""


class Pack:
    """Where the sequences of a pack begin and end; sequences of one length in a row are computed together."""

    def __init__(self, lengths: Sequence[int]) -> None:
        self.lengths = lengths
        self.runs = [(length, len(list(run))) for length, run in itertools.groupby(lengths)]
        """Length, and how many sequences in a row have it."""
        self.sizes = [length * count for length, count in self.runs]
        self._bounds: torch.Tensor | None = None

    def bounds(self, device: torch.device) -> torch.Tensor:
        """Cumulative lengths [B + 1], int32, from 0."""
        if self._bounds is None:
            self._bounds = torch.tensor([0, *itertools.accumulate(self.lengths)], dtype=torch.int32, device=device)
        return self._bounds


@contextlib.contextmanager
def packed_attention(module: Any) -> Iterator[None]:
    """While entered, ``module`` attends as this file says; then again as before."""
    configs = {id(part.config): part.config for part in _decoder(module).modules() if hasattr(part, "config")}
    before = [(config, config._attn_implementation) for config in configs.values()]
    try:
        for config, _ in before:
            config._attn_implementation = _NAME
        yield
    finally:
        for config, name in before:
            config._attn_implementation = name


def is_packed(module: Any) -> bool:
    """Whether ``packed_attention`` is entered."""
    return bool(_decoder(module).config._attn_implementation == _NAME)


def _decoder(module: Any) -> Any:
    """What attends to text: ``module``, or the part of one that also sees, whose other parts attend as before."""
    return module if module.config.get_text_config() is module.config else module.get_decoder()


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    pack: Pack | Sequence[Branch],
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Of [1, heads, T, D] to [1, T, heads, D]."""
    asked = [name for name in _CHANGE_SCORES if kwargs.get(name) is not None]
    if asked or attention_mask is not None:
        raise UnsupportedAttentionError(f"{type(module).__name__} wants {asked or 'a mask of its own'}")
    if not isinstance(pack, Pack):
        if dropout:
            raise UnsupportedAttentionError(f"{type(module).__name__} wants dropout")
        return tree_attention.attend(query, key, value, pack, scaling).transpose(1, 2), None
    options: dict[str, Any] = {"scale": scaling, "enable_gqa": query.shape[1] != key.shape[1]}
    if value.is_cuda and not dropout and _fits_kernel(value.dtype, value.shape[-1], value.device):
        return _attend_cuda(query, key, value, pack, options), None
    parts = []
    for (length, count), *qkv in zip(
        pack.runs, *(torch.split(x, pack.sizes, dim=2) for x in (query, key, value)), strict=True
    ):
        q, k, v = (part.unflatten(2, (count, length))[0].transpose(0, 1) for part in qkv)  # [count, heads, length, D]
        out = scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=dropout, **options)
        parts.append(out.transpose(1, 2).flatten(0, 1))
    return torch.cat(parts)[None], None


def _fits_kernel(dtype: torch.dtype, size: int, device: torch.device) -> bool:
    """Whether PyTorch has a kernel for heads of ``size`` numbers; those of older GPUs and other sizes are refused."""
    is_known = dtype in (torch.float16, torch.bfloat16) and size % 8 == 0 and size <= _LARGEST_HEAD
    return _VARLEN and is_known and torch.cuda.get_device_capability(device) >= (8, 0)


def _attend_cuda(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, pack: Pack, options: dict[str, Any]
) -> torch.Tensor:
    """The same in one kernel for all sequences. Written from PyTorch's documentation; no test here has run it."""
    from torch.nn.attention.varlen import varlen_attn

    q, k, v = (x[0].transpose(0, 1).to(value.dtype) for x in (query, key, value))
    bounds, longest = pack.bounds(query.device), max(pack.lengths)
    attend: Callable[..., Any] = varlen_attn
    return cast(torch.Tensor, attend(q, k, v, bounds, bounds, longest, longest, window_size=(-1, 0), **options))[None]


AttentionInterface.register(_NAME, _attend)
