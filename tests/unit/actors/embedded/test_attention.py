"""Attention of the embedded engine: rows with their own keys, single tokens in one thread, heads that are shared."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional
from transformers import AttentionInterface

from agentgym.actors.embedded.attention import attending, configs_of, is_attended_apart
from tests.kit import tiny_model


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(("width", "threads"), [(1, 1), (2, 2)])
def test_single_tokens_are_attended_to_by_one_thread(width: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model, found = tiny_model(), []
    ids_1Q = torch.tensor([[3, 4][:width]])
    expected = model(input_ids=ids_1Q).logits

    def noted(*given: Any, **options: Any) -> Any:
        found.append(torch.get_num_threads())
        return plain(*given, **options)

    plain = functional.scaled_dot_product_attention
    monkeypatch.setattr(functional, "scaled_dot_product_attention", noted)
    with attending(configs_of(model), in_one_thread=True):
        here = model(input_ids=ids_1Q).logits
    assert found == [threads] * 2
    assert torch.get_num_threads() == 2
    assert torch.allclose(here, expected, atol=1e-5)
    assert model.config._attn_implementation == "sdpa"


def test_rows_are_attended_for_with_their_own_number_of_keys() -> None:
    """What lies behind a row's own keys may be anything: here it would spoil all that looks at it."""
    module, configs = tiny_model().model.layers[0].self_attn, configs_of(tiny_model())
    heads, shared = module.config.num_attention_heads, module.config.num_key_value_heads
    generator = torch.Generator().manual_seed(0)
    query_3H1D = torch.randn(3, heads, 1, 8, generator=generator)
    key_3H6D, value_3H6D = (torch.randn(3, shared, 6, 8, generator=generator) for _ in range(2))
    lengths = (2, 2, 5)
    for row, length in enumerate(lengths):
        key_3H6D[row, :, length:] = value_3H6D[row, :, length:] = float("nan")
    mask_316 = torch.zeros(3, 1, 1, 6)
    attend = AttentionInterface()["agentgym_alone"]
    with attending(configs, [(slice(0, 2), 2), (slice(2, 3), 5)]):
        found_31HD, _ = attend(module, query_3H1D, key_3H6D, value_3H6D, mask_316)
    for row, length in enumerate(lengths):
        seen = key_3H6D[row, None, :, :length], value_3H6D[row, None, :, :length]
        alone_1H1D = functional.scaled_dot_product_attention(query_3H1D[row, None], *seen, enable_gqa=True)
        assert torch.allclose(found_31HD[row], alone_1H1D[0].transpose(0, 1), atol=1e-6)


def test_only_where_all_is_pytorch_s_attention_are_rows_attended_for_apart() -> None:
    configs = configs_of(tiny_model())
    assert is_attended_apart(configs)
    configs[0]._attn_implementation = "eager"
    assert not is_attended_apart(configs)


@pytest.mark.parametrize("width", [1, 3])
def test_heads_that_are_shared_are_not_repeated(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four heads ask two: for a single token two and two stand beside each other as tokens do."""
    model, given = tiny_model(), []
    ids_2Q = torch.tensor([[3, 4, 5], [6, 7, 8]])[:, :width]
    mask_21Q4 = torch.zeros(2, 1, width, 4).masked_fill(torch.ones(width, 4).triu(4 - width + 1).bool(), -torch.inf)
    before_24 = torch.tensor([[9, 8, 7, 6], [1, 2, 3, 4]])[:, : 4 - width]
    expected_2QV = model(input_ids=torch.cat([before_24, ids_2Q], 1)).logits[:, -width:]
    past = model(input_ids=before_24, use_cache=True).past_key_values

    def noted(query: Any, key: Any, value: Any, mask: Any, **options: Any) -> Any:
        given.append((query.shape, key.shape, value.shape, options.get("enable_gqa", False)))
        return plain(query, key, value, mask, **options)

    plain = functional.scaled_dot_product_attention
    monkeypatch.setattr(functional, "scaled_dot_product_attention", noted)
    with attending(configs_of(model)):
        found_2QV = model(input_ids=ids_2Q, attention_mask=mask_21Q4, past_key_values=past).logits
    queries = {1: (2, 2, 2, 8), 3: (2, 4, 3, 8)}[width]
    assert given == [(queries, (2, 2, 4, 8), (2, 2, 4, 8), width > 1)] * 2
    assert torch.allclose(found_2QV, expected_2QV, atol=1e-5)
