"""What has a row say the same whatever rows stand beside it: lengths of keys, and how a module is run."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from agentgym.actors.embedded.alone import (
    activations_of,
    in_pieces,
    is_alone,
    padded,
    padded_keys,
    shared_keys,
)
from tests.kit import tiny_model


def test_lengths_of_keys_follow_from_a_row_s_own() -> None:
    lengths = [1, 64, 65, 128, 129, 256, 257, 512, 513, 1024, 1025]
    assert [padded_keys(length) for length in lengths] == [64, 64, 128, 128, 256, 256, 512, 512, 1024, 1024, 1536]
    assert [shared_keys(length) for length in (64, 65, 512, 513, 5000)] == [64, 128, 512, 513, 513]
    assert [padded(length) for length in (1, 8, 9)] == [8, 8, 16]


def test_a_model_whose_rows_notice_each_other_is_found_out() -> None:
    model = tiny_model()
    assert is_alone(model)
    plain = model.forward

    def noticing(**given: Any) -> Any:
        output = plain(**given)
        output.logits = output.logits + 1e-6 * len(given["input_ids"])
        return output

    def in_place(**given: Any) -> Any:
        output = plain(**given)
        output.logits = output.logits + 1e-6 * torch.arange(len(output.logits))[:, None, None]
        return output

    for other in (noticing, in_place):
        model.forward = other
        assert not is_alone(model)


def calls(activation: Any, x: torch.Tensor) -> tuple[torch.Tensor, list[int]]:
    """What it says within ``in_pieces``, and how many numbers it was given at a time."""
    given: list[int] = []
    hook = activation.forward

    def noted(x: torch.Tensor) -> torch.Tensor:
        given.append(x.numel())
        found: torch.Tensor = hook(x)
        return found

    activation.forward = noted
    with in_pieces([activation]):
        return activation(x), given


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(
    ("shape", "sizes"), [((4, 16), [64]), ((3, 15), [64]), ((5, 1, 13), [128]), ((9, 7300), [32768, 32768, 192])]
)
def test_activations_see_whole_vectors_that_no_second_thread_has_a_part_of(
    shape: tuple[int, ...], sizes: list[int]
) -> None:
    """3 x 15 = 45 are filled up to 64, 5 x 13 = 65 to 128, and 9 x 7300 = 65,700 to 65,728 = 2 x 32,768 + 192."""
    x = torch.linspace(-6, 6, torch.Size(shape).numel()).reshape(shape)
    found, given = calls(torch.nn.SiLU(), x)
    assert given == sizes
    assert found.shape == x.shape
    assert torch.allclose(found, functional.silu(x), atol=1e-6)


def test_a_module_has_its_activations_back() -> None:
    model = tiny_model()
    found = activations_of(model)
    assert len(found) == 2
    with in_pieces(found):
        assert all("forward" in part.__dict__ for part in found)
    assert not any("forward" in part.__dict__ for part in found)


def test_what_needs_several_numbers_at_once_is_left_whole() -> None:
    whole = [torch.nn.MultiheadAttention(4, 2), torch.nn.Softmax(-1), torch.nn.GLU(), torch.nn.PReLU(3)]
    parts = torch.nn.ModuleList([torch.nn.GELU(), *whole, torch.nn.SiLU()])
    assert [type(part).__name__ for part in activations_of(parts)] == ["GELU", "SiLU"]
