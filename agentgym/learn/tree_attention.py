"""Attention over a trie of sequences: a token sees its ancestors and itself, and nothing is computed that it does not.

A branch's tokens stand together, and so do those of all branches that go on from it. So the work falls into two kinds
of parts, neither of which needs a mask: a branch sees itself, causally; all that goes on from it sees the whole of it.
What a token sees in one part and in another is put together by their normalizers (arXiv 2205.14135, §3.1): with
outputs o, o' and log-sum-exps l, l' of two parts,

    l'' = log(e^l + e^l')        o'' = e^(l - l'') o + e^(l' - l'') o'.

Backward of a part is the kernel's own, given the whole's output and normalizer in place of the part's: it needs of
them softmax(z) = exp(z - l'') and the inner product of o'' and its gradient, which belong to the whole.

That is for CPUs and heads of one size. Otherwise each branch attends to its ancestors and itself, brought together,
under a mask.

Shape legend: H heads, K of them of keys and values, T tokens, D size of a head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import scaled_dot_product_attention

from agentgym.learn.prefixes import Branch

__all__ = ["attend"]

_Part: TypeAlias = tuple[slice, slice, bool]
"""Who sees, what is seen, and whether causally."""


def attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, branches: Sequence[Branch], scale: float | None
) -> torch.Tensor:
    """Of [1, H, T, D] and twice [1, K, T, D] to [1, H, T, D]."""
    if query.device.type != "cpu" or query.shape[-1] != value.shape[-1]:
        return _attend_masked(query, key, value, branches, scale)
    if torch.is_autocast_enabled("cpu"):
        query, key = query.to(value.dtype), key.to(value.dtype)
    apply: Callable[..., torch.Tensor] = _Attention.apply
    return apply(query, key, value, branches, scale)


def _parts(branches: Sequence[Branch]) -> Iterator[_Part]:
    for branch in branches:
        own = slice(branch.start, branch.end)
        yield own, own, True
    for branch in branches:
        if branch.stop > branch.end:
            yield slice(branch.end, branch.stop), slice(branch.start, branch.end), False


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        branches: Sequence[Branch],
        scale: float | None,
    ) -> torch.Tensor:
        kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
        exact = torch.promote_types(query.dtype, torch.float32)  # the precision of what is put together
        out, norms = torch.empty_like(query, dtype=exact), query.new_empty(query.shape[:-1], dtype=exact)
        for sees, seen, is_causal in _parts(branches):
            q, k, v = query[:, :, sees], key[:, :, seen], value[:, :, seen]
            found, norm = kernel(q, k, v, is_causal=is_causal, scale=scale)
            if is_causal:
                out[:, :, sees], norms[:, :, sees] = found, norm
            else:
                before = norms[:, :, sees]
                out[:, :, sees].lerp_(found.to(exact), torch.sigmoid(norm - before)[..., None])
                torch.logaddexp(before, norm, out=before)
        ctx.save_for_backward(query, key, value, out := out.to(query.dtype), norms)
        ctx.branches, ctx.scale = branches, scale
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_out: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        query, key, value, out, norms = ctx.saved_tensors
        kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
        inputs = (query, key, value)
        exact = torch.promote_types(query.dtype, torch.float32)
        to_inputs = [torch.empty_like(x, dtype=exact) for x in inputs]
        for sees, seen, is_causal in _parts(ctx.branches):
            places = (sees, seen, seen)
            q, k, v = (x[:, :, place] for x, place in zip(inputs, places, strict=True))
            whole = (out[:, :, sees], norms[:, :, sees])
            found = kernel(to_out[:, :, sees], q, k, v, *whole, 0.0, is_causal, scale=ctx.scale)
            for total, place, part in zip(to_inputs, places, found, strict=True):
                if is_causal:
                    total[:, :, place] = part
                else:
                    total[:, :, place] += part
        return (*(total.to(x.dtype) for total, x in zip(to_inputs, inputs, strict=True)), None, None)


def _attend_masked(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, branches: Sequence[Branch], scale: float | None
) -> torch.Tensor:
    outs, above = [], list[Branch]()
    for branch in branches:
        above = [*(other for other in above if other.stop > branch.start), branch]
        k, v = (torch.cat([x[:, :, other.start : other.end] for other in above], 2) for x in (key, value))
        length = branch.end - branch.start
        mask = torch.ones(length, k.shape[2], dtype=torch.bool, device=query.device).tril(k.shape[2] - length)
        q = query[:, :, branch.start : branch.end]
        outs.append(scaled_dot_product_attention(q, k, v, mask, scale=scale, enable_gqa=query.shape[1] != key.shape[1]))
    return torch.cat(outs, 2)
