"""Attention of the embedded engine on a CPU, in place of what transformers calls: the same sums, read once.

Where several heads of the queries share one of the keys and values (grouped-query attention), transformers repeats
these whenever there is a mask, which costs more than to attend. Here nothing is repeated: the heads that share stand
beside each other as if they were tokens. For single tokens that is all there is to it, since they see the same keys;
longer texts are left to PyTorch, which looks the shared head up.

What makes a row's numbers its own (``alone``): each row has as many keys as follow from its own length, and rows that
differ in that are attended for apart. The attention of single tokens is left to one thread, since others have their
scratch memory where it is not aligned, and sum in another order there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any, TypeAlias

import torch
from torch.nn import functional
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

__all__ = ["Parts", "attending", "configs_of", "is_attended_apart"]

Parts: TypeAlias = Sequence[tuple[slice, int]]
"""Rows that stand beside each other and are attended for together, and how many keys they have."""

_NAME = "agentgym_alone"


def configs_of(module: Any) -> list[Any]:
    """The configurations that the parts of ``module`` attend by."""
    return list({id(part.config): part.config for part in module.modules() if hasattr(part, "config")}.values())


def is_attended_apart(configs: Sequence[Any]) -> bool:
    """Whether ``attending`` can do so with all of them."""
    return all(config._attn_implementation == "sdpa" for config in configs)


@contextlib.contextmanager
def attending(configs: Sequence[Any], parts: Parts = (), *, in_one_thread: bool = False) -> Iterator[None]:
    """While entered, single tokens are attended for in one thread, and for each of ``parts`` of the rows apart.

    ``configs`` are those of the module. What ``parts`` are goes with the call: another module, in another thread, has
    its own.
    """
    found = [config for config in configs if config._attn_implementation == "sdpa"]
    token = _ATTENDING.set((parts, in_one_thread))
    try:
        for config in found:
            config._attn_implementation = _NAME
        yield
    finally:
        for config in found:
            config._attn_implementation = "sdpa"
        _ATTENDING.reset(token)


_ATTENDING: ContextVar[tuple[Parts, bool]] = ContextVar("_ATTENDING", default=((), False))


def _attend(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: Any, **options: Any
) -> tuple[torch.Tensor, None]:
    """What transformers calls with query [R, H, Q, D], key and value [R, K, L, D] and a mask [R, 1, Q, L]."""
    parts, in_one_thread = _ATTENDING.get()
    if query.shape[2] > 1:
        return _attended(module, query, key, value, mask, **options)
    threads = torch.get_num_threads()
    if in_one_thread:
        torch.set_num_threads(1)
    try:
        if len(parts) < 2:
            return _attended(module, query, key, value, mask, **options)
        found_RQHD = query.new_empty(len(query), 1, query.shape[1], value.shape[-1])
        for rows, keys in parts:
            seen = key[rows, :, :keys], value[rows, :, :keys], mask[rows, ..., :keys]
            found_RQHD[rows] = _attended(module, query[rows], *seen, **options)[0]
        return found_RQHD, None
    finally:
        if in_one_thread:
            torch.set_num_threads(threads)


def _attended(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: Any, **options: Any
) -> tuple[torch.Tensor, None]:
    """[R, Q, H, D]. Without repeating a head where heads share it."""
    rows, heads, width, _ = query.shape
    shared = key.shape[1]
    if heads == shared or mask is None or options.get("position_bias") is not None:
        return sdpa_attention_forward(module, query, key, value, mask, **options)
    if width == 1:
        grouped_RKGD = query.reshape(rows, shared, heads // shared, -1)
        found_RKGD = functional.scaled_dot_product_attention(
            grouped_RKGD, key, value, mask, scale=options.get("scaling")
        )
        return found_RKGD.reshape(rows, 1, heads, -1), None
    found_RHQD = functional.scaled_dot_product_attention(
        query, key, value, mask, scale=options.get("scaling"), enable_gqa=True
    )
    return found_RHQD.transpose(1, 2).contiguous(), None


AttentionInterface.register(_NAME, _attend)
