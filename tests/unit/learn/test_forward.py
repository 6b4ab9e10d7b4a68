"""The forward pass: packed, padded and one row at a time are the same, whatever the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from agentgym.errors import DataError
from agentgym.learn.batch import Microbatch, microbatches
from agentgym.learn.forward import Predictions, _like_lengths, attending, predict, predictive_hidden, score
from agentgym.learn.rows import Row
from tests.kit import one_thread, row, tiny_model

__all__ = ["one_thread"]

SIZES: dict[str, Any] = {
    "vocab_size": 37,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
    "pad_token_id": None,
    "eos_token_id": None,
    "bos_token_id": None,
}
NO_IDS: dict[str, Any] = {"pad_token_id": None, "eos_token_id": None, "bos_token_id": None}


def gpt2() -> Any:
    """Learned positions, dropout, biases, a tied head."""
    return GPT2LMHeadModel(GPT2Config(vocab_size=37, n_embd=16, n_layer=2, n_head=4, n_positions=64, **NO_IDS))


def gemma2() -> Any:
    """Soft-capped attention and logits, every other layer with a sliding window."""
    capped: dict[str, Any] = {"final_logit_softcapping": 3.0, "attn_logit_softcapping": 2.0, "sliding_window": 6}
    config = Gemma2Config(**SIZES, **capped, head_dim=4)
    config._attn_implementation = "eager"  # the only kernel that caps attention
    return Gemma2ForCausalLM(config)


def mamba() -> Any:
    return MambaForCausalLM(MambaConfig(vocab_size=37, hidden_size=16, num_hidden_layers=2, state_size=4, **NO_IDS))


MODELS: dict[str, Callable[[], Any]] = {
    "qwen2": tiny_model,
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SIZES)),
    "gpt2": gpt2,
    "gemma2": gemma2,
    "mistral, window 8": lambda: MistralForCausalLM(MistralConfig(**SIZES, sliding_window=8)),
    "cohere, scaled logits": lambda: CohereForCausalLM(CohereConfig(**SIZES, logit_scale=0.3)),
    "mamba": mamba,
}


def made(name: str) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = MODELS[name]().eval()
    return model if name == "mamba" else model.double()


ROWS = [row(9, 1), row(4, 2), row(15, 3), row(9, 4), row(3, 5)]
SHORT = [row(6, 1), row(4, 2), row(7, 3)]
"""No longer than any window."""


def packed(rows: list[Row]) -> Microbatch:
    (batch,) = microbatches(rows, [1.0] * len(rows), max_tokens=10_000)
    return batch


def slow(model: Any, rows: list[Row], temperature: float) -> dict[tuple[int, int], tuple[torch.Tensor, ...]]:
    """By row and position: the three, from a forward of that row alone."""
    found: dict[tuple[int, int], tuple[torch.Tensor, ...]] = {}
    for n, r in enumerate(rows):
        z_TV = model(input_ids=torch.tensor(r.token_ids[None])).logits[0] / temperature
        for t in range(1, len(r.token_ids)):
            if r.loss_mask[t]:
                p_V = z_TV[t - 1].softmax(-1)
                found[n, t] = (p_V[r.token_ids[t]].log(), -(p_V * p_V.log()).sum(), z_TV[t - 1].exp().sum().log())
    return found


def stacked(found: dict[tuple[int, int], tuple[torch.Tensor, ...]], batch: Microbatch, rows: list[Row]) -> torch.Tensor:
    """The same [3, N] in the microbatch's order."""
    places = [[t for t in range(1, len(r.token_ids)) if r.loss_mask[t]] for r in rows]
    order = [(n, t) for n in dict.fromkeys(batch.rows_N.tolist()) for t in places[n]]
    return torch.stack([torch.stack(found[key]) for key in order], 1)


def three(predictions: Predictions) -> torch.Tensor:
    return torch.stack([predictions.logprobs_N, predictions.entropies_N, predictions.logsumexps_N])


def gradient(model: Any, value: torch.Tensor) -> torch.Tensor:
    slopes = torch.autograd.grad(value, list(model.parameters()), allow_unused=True)
    return torch.cat([slope.flatten() for slope in slopes if slope is not None])


@pytest.mark.parametrize("rows", [ROWS, SHORT, [row(7, 1), row(7, 2)], [row(5)]], ids=["long", "short", "equal", "one"])
@pytest.mark.parametrize("name", MODELS)
def test_as_one_row_at_a_time(name: str, rows: list[Row]) -> None:
    """All three values, and the gradient through a random mix of them."""
    model, batch = made(name), packed(rows)
    found = three(predict(model, batch, temperature=0.7))
    expected = stacked(slow(model, rows, 0.7), batch, rows)
    tolerance = {"mamba": 1e-4, "gemma2": 1e-5}.get(name, 1e-6)  # which run in float32, as a whole and in part
    assert torch.allclose(found, expected.to(found.dtype), atol=tolerance, rtol=tolerance)
    scales = torch.randn(found.shape, dtype=found.dtype, generator=torch.Generator().manual_seed(1))
    one, other = gradient(model, (found * scales).sum()), gradient(model, (expected * scales).sum())
    assert torch.allclose(one, other, atol=tolerance, rtol=tolerance)


def shapes_seen(model: Any, rows: list[Row]) -> list[tuple[int, ...]]:
    """Shapes of the token ids that the model is run on."""
    predict(model, packed(rows))  # whatever is found out about a model is found out once
    seen: list[tuple[int, ...]] = []
    watch = model.get_input_embeddings().register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    predict(model, packed(rows))
    watch.remove()
    return [tuple(shape) for shape in seen]


@pytest.mark.parametrize("name", ["qwen2", "llama", "gpt2", "mistral, window 8", "cohere, scaled logits"])
def test_packed_where_that_is_possible(name: str) -> None:
    assert shapes_seen(made(name), SHORT) == [(1, sum(packed(SHORT).lengths))]


@pytest.mark.parametrize("name", ["gemma2", "mamba"])
def test_padded_where_packing_is_not_possible(name: str) -> None:
    """5, 4 and 3 tokens are needed: together 15 places for 12 tokens, which is a quarter more and no worse."""
    assert shapes_seen(made(name), SHORT) == [(3, 5)]


def test_padded_where_a_row_is_longer_than_the_window() -> None:
    """14, 7, 7, 3 and 2 tokens are needed: 14 + 7 would take 28 places, 7 + 7 + 3 take 21, with 2 it would be 28."""
    assert shapes_seen(made("mistral, window 8"), ROWS) == [(1, 14), (3, 7), (1, 2)]


@pytest.mark.parametrize(("longest", "seen"), [(8, [(1, 11)]), (9, [(1, 9), (1, 3)])])
def test_a_row_as_long_as_the_window_is_packed(longest: int, seen: list[tuple[int, ...]]) -> None:
    rows = [row(n + 1, loss_mask=[False] * n + [True]) for n in (longest, 3)]
    assert shapes_seen(made("mistral, window 8"), rows) == seen


def test_rows_of_one_length_are_neither_packed_nor_padded() -> None:
    assert shapes_seen(made("qwen2"), [row(7, 1), row(7, 4)]) == [(2, 6)]


@pytest.mark.parametrize("name", ["qwen2", "gemma2", "gpt2"])
def test_the_module_attends_as_before_afterwards(name: str) -> None:
    model = made(name)
    before = model.config._attn_implementation
    ids = torch.tensor([ROWS[2].token_ids])
    expected = model(input_ids=ids).logits
    predict(model, packed(SHORT))
    assert model.config._attn_implementation == before
    assert torch.equal(model(input_ids=ids).logits, expected)
    with pytest.raises(KeyError), attending(model, packed(SHORT)):
        raise KeyError
    assert model.config._attn_implementation == before


def test_nothing_is_found_out_in_a_way_that_shows() -> None:
    """Training mode, gradients and the random numbers are as they were."""
    model = made("gpt2").train()
    model.transformer.h[0].eval()
    state = torch.get_rng_state()
    hidden_ND = predictive_hidden(model.eval(), packed(SHORT))
    assert torch.equal(torch.get_rng_state(), state)
    assert hidden_ND.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())


def test_hidden_states_are_those_before_the_head() -> None:
    model, batch = made("llama"), packed(ROWS)
    logits_NV = model.lm_head(predictive_hidden(model, batch))
    predictions = predict(model, batch)
    assert torch.allclose(logits_NV.logsumexp(-1), predictions.logsumexps_N)


def test_a_trunk_without_a_head_has_hidden_states() -> None:
    model, batch = made("llama"), packed(ROWS)
    assert torch.allclose(predictive_hidden(model.model, batch), predictive_hidden(model, batch))


def test_logits_changed_in_an_unknown_way_are_those_of_the_model() -> None:
    class Odd(LlamaForCausalLM):
        def forward(self, *args: Any, **kwargs: Any) -> Any:
            output = super().forward(*args, **kwargs)
            output.logits = output.logits * 2 - output.logits.abs()
            return output

    model, batch = Odd(LlamaConfig(**SIZES)).eval().double(), packed(ROWS)
    assert torch.allclose(three(predict(model, batch)), stacked(slow(model, ROWS, 1.0), batch, ROWS), atol=1e-6)


@pytest.mark.parametrize("max_logits", [37, 400, 10_000])
@pytest.mark.parametrize("name", ["qwen2", "gemma2", "cohere, scaled logits"])
def test_the_limit_on_logits_changes_nothing(name: str, max_logits: int) -> None:
    model, batch = made(name), packed(ROWS)
    found = three(predict(model, batch, max_logits=max_logits))
    expected = three(predict(model, batch))
    assert torch.allclose(found, expected, atol=1e-10)
    assert torch.allclose(gradient(model, found.sum()), gradient(model, expected.sum()), atol=1e-9)


def adapted(*targets: str) -> Any:
    """A Qwen2 with a low-rank adapter that is not at its start, where it does nothing."""
    peft = pytest.importorskip("peft")
    settings = peft.LoraConfig(r=2, target_modules=list(targets), task_type="CAUSAL_LM", lora_dropout=0.3)
    model = peft.get_peft_model(tiny_model(tie_word_embeddings=False), settings).eval().double()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.3)
    return model


@pytest.mark.parametrize("targets", [("q_proj", "v_proj", "down_proj"), ("q_proj", "lm_head")], ids=["body", "head"])
@pytest.mark.parametrize("max_logits", [300, 10_000])
def test_with_an_adapter(targets: tuple[str, ...], max_logits: int) -> None:
    model, batch = adapted(*targets), packed(ROWS)
    found = three(predict(model, batch, max_logits=max_logits))
    expected = stacked(slow(model, ROWS, 1.0), batch, ROWS)
    assert torch.allclose(found, expected, atol=1e-6)
    found.sum().backward()
    slopes = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert slopes
    assert all("lora_" in name for name in slopes)
    model.zero_grad()
    expected.sum().backward()
    for name, p in model.named_parameters():
        if p.grad is not None:
            assert torch.allclose(slopes[name], p.grad, atol=1e-6)
    assert shapes_seen(model, ROWS) == [(1, len(batch.ids_T))]


def test_gradient_checkpointing_without_the_attention_held_is_refused() -> None:
    model = made("qwen2")
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    model.train()
    with pytest.raises(RuntimeError, match=r"hold attending\(module, batch\)"):
        predict(model, packed(ROWS))
    with attending(model, packed(ROWS)):
        predict(model, packed(ROWS)).logprobs_N.sum().backward()


def test_scores_stand_at_their_tokens() -> None:
    model = made("qwen2")
    silent = Row(token_ids=[1, 2], loss_mask=[True, False], behavior_logprobs=[0.0] * 2, advantages=[0.0] * 2)
    rows = [*ROWS, silent]
    for max_tokens in (1, 20, 10_000):
        found = score(model, rows, temperature=0.7, max_tokens=max_tokens)
        expected = slow(model, rows, 0.7)
        for n, r in enumerate(rows):
            assert len(found[n]) == len(r.token_ids)
            for t, value in enumerate(found[n]):
                assert value == (pytest.approx(expected[n, t][0].item(), abs=1e-6) if (n, t) in expected else 0.0)


def test_what_is_no_language_model_is_told() -> None:
    with pytest.raises(TypeError, match="expected a Hugging Face model or a module that holds one, found Linear"):
        predict(torch.nn.Linear(2, 2), packed(ROWS))


@pytest.mark.parametrize("lengths", [[5, 1, 5, 4, 1, 1, 9], [1], [3] * 7, list(range(1, 40))])
def test_groups_of_like_length_hold_every_row_once_and_little_padding(lengths: list[int]) -> None:
    groups = _like_lengths(lengths)
    assert sorted(i for group in groups for i in group) == list(range(len(lengths)))
    for group in groups:
        assert max(lengths[i] for i in group) * len(group) <= 1.25 * sum(lengths[i] for i in group)


@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_token_that_the_model_does_not_have_is_told_with_its_episode(place: int) -> None:
    """The model has 37. The last of a row is predicted alone."""
    module, known = tiny_model(), row(5, loss_mask=[False, True, True, True, True], episode="e7")
    unknown = known.model_copy(update={"token_ids": known.token_ids.copy()})
    unknown.token_ids[place] = 36
    assert len(score(module, [known, unknown])) == 2
    unknown.token_ids[place] = 37
    with pytest.raises(
        DataError, match="episodes e7: there is a token 37, the model has 37; record episodes with this"
    ):
        score(module, [unknown])
