"""Attention over a trie: that of a dense mask, part by part, with its gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch.nn.functional import scaled_dot_product_attention

from agentgym.learn import attention, tree_attention
from agentgym.learn.prefixes import Branch, plant
from tests.kit import one_thread
from tests.unit.learn.test_prefixes import SEQUENCES, tokens, visible

__all__ = ["one_thread"]

Attend: TypeAlias = Callable[..., torch.Tensor]

TREE = [Branch(0, 5, 19), Branch(5, 6, 13), Branch(6, 9, 9), Branch(9, 13, 13), Branch(13, 19, 19), Branch(19, 22, 22)]
"""Three levels, and one that stands alone."""


def made(dtype: torch.dtype = torch.float64, size: int = 22, value_size: int = 8) -> list[torch.Tensor]:
    """Queries of 4 heads, keys and values of 2, laid out as layers lay them out, and the gradient of the output."""
    generator = torch.Generator().manual_seed(0)
    widths = ((4, 8), (2, 8), (2, value_size), (4, value_size))
    return [torch.randn(1, size, *shape, generator=generator).to(dtype).transpose(1, 2) for shape in widths]


def dense(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, branches: Sequence[Branch], scale: float | None
) -> torch.Tensor:
    mask = torch.from_numpy(visible(list(branches)))
    return scaled_dot_product_attention(query, key, value, mask, scale=scale, enable_gqa=True)


def with_gradients(attend: Attend, branches: Sequence[Branch], inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    *qkv, to_out = inputs
    leaves = [x.detach().requires_grad_() for x in qkv]
    out = attend(*leaves, branches, 0.7)
    return [out, *torch.autograd.grad(out, leaves, to_out)]


@pytest.mark.parametrize("attend", [tree_attention.attend, tree_attention._attend_masked])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 3e-2)]
)
def test_as_under_a_dense_mask(attend: Attend, dtype: torch.dtype, tolerance: float) -> None:
    expected = with_gradients(dense, TREE, made())
    found = with_gradients(attend, TREE, made(dtype))
    for one, other in zip(found, expected, strict=True):
        assert one.dtype is dtype
        assert torch.allclose(one.double(), other, atol=tolerance, rtol=tolerance)


@settings(max_examples=25)
@given(SEQUENCES)
def test_as_under_a_dense_mask_for_any_trie(sequences: list[list[int]]) -> None:
    num = sum(map(len, sequences))
    trie = plant(tokens(*sequences), np.ones(num, np.bool_), np.zeros(num, np.int64), block=1)
    if trie is None:
        return
    inputs = made(size=len(trie.first_S))
    for attend in (tree_attention.attend, tree_attention._attend_masked):
        for one, other in zip(
            with_gradients(attend, trie.branches, inputs), with_gradients(dense, trie.branches, inputs), strict=True
        ):
            assert torch.allclose(one, other, atol=1e-12)


def test_scores_too_large_to_be_exponentiated() -> None:
    inputs = [300 * x for x in made()[:2]] + made()[2:]
    for one, other in zip(
        with_gradients(tree_attention.attend, TREE, inputs), with_gradients(dense, TREE, inputs), strict=True
    ):
        assert torch.allclose(one, other, atol=1e-9, rtol=1e-9)


def test_heads_of_values_may_have_a_size_of_their_own() -> None:
    inputs = made(value_size=6)
    for one, other in zip(
        with_gradients(tree_attention.attend, TREE, inputs), with_gradients(dense, TREE, inputs), strict=True
    ):
        assert torch.allclose(one, other, atol=1e-12)


def test_under_autocast_in_the_precision_of_the_values() -> None:
    query, key, value, _ = made(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        found = tree_attention.attend(query, key, value.bfloat16(), TREE, None)
    assert found.dtype is torch.bfloat16
    expected = dense(query, key, value, TREE, None)
    assert torch.allclose(found.float(), expected, atol=3e-2, rtol=3e-2)


def test_dropout_is_refused() -> None:
    module: Any = torch.nn.Module()
    query, key, value, _ = made()
    with pytest.raises(attention.UnsupportedAttentionError, match="Module wants dropout"):
        attention._attend(module, query, key, value, None, pack=TREE, dropout=0.1)
