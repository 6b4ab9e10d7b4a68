"""Models that the embedded engine cannot serve are refused by name, when it is made; others are bounded."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    FalconConfig,
    GPT2Config,
    LlamaConfig,
    MptConfig,
    OPTConfig,
    Phi3Config,
)

from agentgym import rope
from agentgym.actors.embedded.engine import EmbeddedEngine
from agentgym.errors import ConfigError, UserError
from agentgym.learn.forward import score
from tests.kit import one_thread, row, tiny_model

__all__ = ["one_thread"]

IDS: dict[str, Any] = {"vocab_size": 37, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
SIZES: dict[str, Any] = {**IDS, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
LONG = {"rope_type": "longrope", "short_factor": [1.0] * 8, "long_factor": [4.0] * 8, "rope_theta": 10000.0}


def made(config: Any) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(config).eval()


def long_model(kind: str = "longrope") -> Any:
    """Made for 64 tokens, of which 16 were trained with its short factors."""
    sizes = {**SIZES, "intermediate_size": 48, "max_position_embeddings": 64}
    if kind == "longrope":
        sizes |= {"num_key_value_heads": 2, "original_max_position_embeddings": 16}
        return made(Phi3Config(**sizes, rope_parameters={**LONG, "original_max_position_embeddings": 16}))
    scaling = {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 4.0}
    return made(LlamaConfig(**sizes, rope_parameters=scaling))


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (OPTConfig(**SIZES, ffn_dim=64, word_embed_proj_dim=32, max_position_embeddings=64), "OPTForCausalLM"),
        (BloomConfig(vocab_size=37, hidden_size=32, n_layer=1, n_head=2), "BloomForCausalLM"),
        (MptConfig(vocab_size=37, d_model=32, n_layers=1, n_heads=2, max_seq_len=64), "MptForCausalLM"),
        (FalconConfig(**SIZES, alibi=True), "FalconForCausalLM"),
    ],
)
def test_positions_that_are_no_argument_are_refused(config: Any, name: str) -> None:
    with pytest.raises(ConfigError, match=rf"cannot serve a {name} .*positions.*type: --engine vllm"):
        EmbeddedEngine(made(config), max_sessions=2)


def test_a_model_that_says_something_else_in_steps_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model()
    forward = model.model.forward
    monkeypatch.setattr(model.model, "forward", lambda *a, position_ids=None, **k: forward(*a, **k))
    with pytest.raises(ConfigError, match=r"a Qwen2ForCausalLM .(token by token|[A-Z]).*--engine vllm"):
        EmbeddedEngine(model, max_sessions=2)


def test_learned_positions_that_are_an_argument_are_served() -> None:
    model = made(GPT2Config(**IDS, n_embd=32, n_layer=1, n_head=2, n_positions=64))
    assert EmbeddedEngine(model, max_sessions=2).max_context == 64


@pytest.mark.parametrize(("kind", "border"), [("longrope", 16), ("dynamic", 64)])
def test_rotary_positions_that_change_bound_the_context(kind: str, border: int) -> None:
    model = long_model(kind)
    assert (rope.border(model.config), rope.kind(model.config)) == (border, kind)
    assert EmbeddedEngine(model, max_sessions=2).max_context == border
    if border < 64:
        with pytest.raises(ConfigError, match=r"max_context is 17, but beyond 16 .*\(\"longrope\"\).*max_context 16"):
            EmbeddedEngine(model, max_sessions=2, max_context=17)
    assert len(score(model, [row(border + 1)])[0]) == border + 1  # its last token is predicted, not read
    with pytest.raises(UserError, match=f"a sequence of {border + 1} tokens .* but beyond {border} tokens"):
        score(model, [row(border), row(border + 2)])


def test_other_positions_have_no_border() -> None:
    assert (rope.border(tiny_model().config), rope.kind(tiny_model().config)) == (None, "")
    assert EmbeddedEngine(tiny_model(), max_sessions=2).max_context == 256
