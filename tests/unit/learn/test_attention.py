"""Packed attention on a GPU: which kernel is taken, and that it says the same."""

from __future__ import annotations

import pytest
import torch

from agentgym.learn import attention
from agentgym.learn.attention import Pack


@pytest.mark.parametrize(
    ("dtype", "size", "capability", "fits"),
    [
        (torch.bfloat16, 64, (8, 0), True),
        (torch.float16, 256, (9, 0), True),
        (torch.float32, 64, (9, 0), False),
        (torch.bfloat16, 20, (9, 0), False),
        (torch.bfloat16, 264, (9, 0), False),
        (torch.bfloat16, 64, (7, 5), False),
    ],
)
def test_the_kernel_for_unlike_lengths_is_taken_where_there_is_one(
    dtype: torch.dtype, size: int, capability: tuple[int, int], fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert attention._fits_kernel(dtype, size, torch.device("cuda")) is fits


@pytest.mark.gpu  # left out where there is no CUDA device: see pyproject.toml
def test_the_kernel_says_what_single_sequences_say() -> None:
    torch.manual_seed(0)
    query, key, value = (torch.randn(1, heads, 12, 64, device="cuda", dtype=torch.bfloat16) for heads in (4, 2, 2))
    module, found = torch.nn.Module(), []
    for dropped in (0.0, 1e-9):  # with any dropout the kernel is not taken
        out, _ = attention._attend(module, query, key, value, None, pack=Pack([7, 5]), dropout=dropped)
        found.append(out.float())
    assert found[0].shape == (1, 12, 4, 64)
    assert (found[0] - found[1]).abs().max() < 2e-2
