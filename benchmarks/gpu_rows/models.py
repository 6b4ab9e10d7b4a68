"""The models of the table and the rows that they learn from.

Speed and memory go by shapes alone, so weights are random, but for the smaller model where its own are on the machine.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedConfig, Qwen3Config

from agentgym.learn.byte_tokenizer import byte_tokenizer
from agentgym.learn.rows import Row
from benchmarks.gpu_rows.bench import Bench, NotHereError

__all__ = ["MODELS", "PRETRAINED", "config_of", "make", "make_adapted", "random_tokens", "rows_of", "write", "written"]

PRETRAINED = "HuggingFaceTB/SmolLM2-135M-Instruct"

MODELS: dict[str, tuple[type[PreTrainedConfig], dict[str, Any], dict[str, Any]]] = {
    "135M": (
        LlamaConfig,
        {
            "vocab_size": 49_152,
            "hidden_size": 576,
            "intermediate_size": 1536,
            "num_hidden_layers": 30,
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
            "max_position_embeddings": 8192,
            "rope_parameters": {"rope_type": "default", "rope_theta": 100_000.0},
        },
        {"num_attention_heads": 3, "num_key_value_heads": 1, "hidden_size": 96, "intermediate_size": 128},
    ),
    "0.6B": (
        Qwen3Config,
        {
            "vocab_size": 151_936,
            "hidden_size": 1024,
            "intermediate_size": 3072,
            "num_hidden_layers": 28,
            "num_attention_heads": 16,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "max_position_embeddings": 8192,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1_000_000.0},
        },
        {
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "hidden_size": 64,
            "intermediate_size": 96,
            "head_dim": 32,
        },
    ),
}
"""Name → kind of configuration, the shape of SmolLM2-135M or Qwen3-0.6B, and what is smaller in tiny."""

TINY = {"vocab_size": 512, "num_hidden_layers": 2}


def config_of(bench: Bench, name: str) -> Any:
    kind: Any
    kind, sizes, smaller = MODELS[name]
    sizes = {**sizes, **smaller, **TINY} if bench.is_tiny else sizes
    return kind(**sizes, tie_word_embeddings=True, pad_token_id=None, bos_token_id=None, eos_token_id=None)


def make(bench: Bench, name: str, dtype: torch.dtype) -> Any:
    """The model, in evaluation mode on the device."""
    config = config_of(bench, name)
    if name == "135M" and (place := written(bench)) is not None:
        model: Any = AutoModelForCausalLM.from_pretrained(place, dtype=dtype)
        return model.to(bench.device).eval()
    torch.manual_seed(0)
    with bench.device:
        return AutoModelForCausalLM.from_config(config, dtype=dtype).eval()


def make_adapted(bench: Bench, name: str, dtype: torch.dtype) -> Any:
    """The model under a fresh low-rank adapter."""
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError:
        raise NotHereError("peft is not installed; type: pip install 'agentgym-lab[lora]'") from None
    lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    return get_peft_model(make(bench, name, dtype), lora).eval()


def written(bench: Bench) -> Path | None:
    """Where the weights of the smaller model are on this machine; None where they are not, or all is tiny."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    if bench.is_tiny:
        return None
    try:
        place = Path(snapshot_download(PRETRAINED, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    return place if (place / "model.safetensors").exists() else None


def write(bench: Bench, name: str, folder: Path, **changes: Any) -> Path:
    """The model with a tokenizer of single bytes, as a directory that ``agentgym train --model`` takes."""
    config = config_of(bench, name)
    tokenizer = byte_tokenizer()
    for key, value in {**changes, "eos_token_id": tokenizer.eos_token_id}.items():
        setattr(config, key, value)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def random_tokens(vocabulary: int, length: int, seed: int) -> list[int]:
    return random.Random(seed).choices(range(10, vocabulary), k=length)


def rows_of(vocabulary: int, lengths: Sequence[int]) -> list[Row]:
    """Rows of random tokens in random order; the second half of each is the policy's."""
    rng = np.random.default_rng(0)
    return [
        Row(
            token_ids=rng.integers(10, vocabulary, length),
            loss_mask=np.arange(length) >= length // 2,
            behavior_logprobs=np.full(length, -5.0),
            advantages=np.full(length, rng.normal()),
        )
        for length in rng.permutation(lengths)
    ]
