"""Weights in pieces."""

from __future__ import annotations

import pytest
import torch

from agentgym.cluster.parcels import packed, unpacked

WEIGHTS = {
    "a": torch.arange(6.0).view(2, 3),
    "b": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    "c": torch.arange(8.0)[::2],
}


@pytest.mark.parametrize(("most", "sizes"), [(1, [1, 1, 1]), (30, [2, 1]), (1000, [3])])
def test_they_come_back_as_they_were(most: int, sizes: list[int]) -> None:
    parcels = list(packed(WEIGHTS.items(), most=most))
    assert [len(list(unpacked([parcel]))) for parcel in parcels] == sizes
    found = dict(unpacked(parcels))
    assert found.keys() == WEIGHTS.keys()
    for name, tensor in WEIGHTS.items():
        assert found[name].dtype is tensor.dtype
        assert torch.equal(found[name], tensor)


def test_nothing_is_no_parcel() -> None:
    assert list(packed([])) == []
