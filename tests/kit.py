"""What several tests build on: a lossless tokenizer, chat templates, tiny models. Nothing is downloaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from agentgym.learn.byte_tokenizer import CHATML
from agentgym.learn.byte_tokenizer import byte_tokenizer as bytes_and_chatml
from agentgym.tokenizer import ChatTokenizer

__all__ = [
    "CHATML",
    "FORGETFUL",
    "RESERVED",
    "SPECIAL",
    "Notes",
    "byte_tokenizer",
    "chat",
    "one_thread",
    "tiny_model",
]

FORGETFUL = (
    "{% for m in messages %}{% set c = m['content'] %}"
    "{% if m['role'] == 'assistant' and '</think>' in c and not loop.last %}"
    "{% set c = c.split('</think>')[-1] %}{% endif %}"
    "<|im_start|>{{ m['role'] }}\n{{ c }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Strips the reasoning of earlier replies, as Qwen3's template does."""

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
RESERVED = "<|reserved|>"
"""Special as Llama 3's header tokens are: flagged in the vocabulary, but in no list of special tokens."""


class Notes:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def begin(self, stage: str, total: int, unit: str) -> None: ...

    def advance(self, done: int, values: Mapping[str, float]) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """For every test of a module or folder that imports it: small matrices are slower on several."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def byte_tokenizer(template: str = CHATML) -> PreTrainedTokenizerFast:
    """One token a byte, and the special tokens."""
    return bytes_and_chatml(template, reserved=[RESERVED])


def chat(template: str = CHATML) -> ChatTokenizer:
    """A ``ChatTokenizer`` of single bytes."""
    return ChatTokenizer(byte_tokenizer(template))


def tiny_model(seed: int = 0, **changes: Any) -> Any:
    """A decoder of two layers with weights large enough that its choices are sharp."""
    settings: dict[str, Any] = {
        "vocab_size": 37,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": 256,
        "initializer_range": 0.3,
        "tie_word_embeddings": True,
        "pad_token_id": None,
        "eos_token_id": None,
        "bos_token_id": None,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Qwen2ForCausalLM(Qwen2Config(**{**settings, **changes})).eval()
