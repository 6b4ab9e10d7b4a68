"""Small models as GGUF files, written by the gguf package, and the same models as transformers has them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.convert_slow_tokenizer import bytes_to_unicode

from agentgym.learn.byte_tokenizer import CHATML

__all__ = ["LETTERS", "tiny_llama", "written"]

LETTERS = list(bytes_to_unicode().values())
"""The 256 bytes as byte-level vocabularies write them."""
_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
_MERGES = ["Ġ Ġ", "h e", "Ġ 1", "1 2"]
_TOKENS = [*_SPECIAL, *LETTERS, *(merge.replace(" ", "") for merge in _MERGES)]
_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
_HEADS = {"attn_q": 4, "attn_k": 2}


def tiny_llama(width: int = 32, **changes: Any) -> Any:
    """Two layers with four heads, two for keys and values, and a head that is the embedding."""
    settings: dict[str, Any] = {
        "vocab_size": len(_TOKENS),
        "hidden_size": width,
        "intermediate_size": width,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "initializer_range": 0.3,
        "tie_word_embeddings": True,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 2,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return LlamaForCausalLM(LlamaConfig(**{**settings, **changes})).eval()


def written(
    file: Path,
    model: Any,
    *,
    architecture: str = "llama",
    quantized: dict[str, Any] | None = None,
    tensors: dict[str, np.ndarray | None] | None = None,
    **metadata: Any,
) -> Path:
    """``model`` as ``file``.

    ``quantized`` has the type and the bytes of tensors by their name in the file, ``tensors`` others or None for none,
    and ``metadata`` keys with "__" for each dot.
    """
    import gguf

    config = model.config
    logging.getLogger("gguf.gguf_writer").setLevel(logging.WARNING)  # a library that another test loads may show it
    writer = gguf.GGUFWriter(file, architecture)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(getattr(config, "intermediate_size", None) or 4 * config.hidden_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(getattr(config, "num_key_value_heads", config.num_attention_heads))
    if architecture == "llama":
        writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base((getattr(config, "rope_parameters", None) or {}).get("rope_theta", 10000.0))
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_layer_norm_eps(1e-5)
    writer.add_vocab_size(config.vocab_size)
    keys = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": _TOKENS,
        "tokenizer.ggml.token_type": [3] * 3 + [1] * (len(_TOKENS) - 3),
        "tokenizer.ggml.merges": _MERGES,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.padding_token_id": 2,
        "tokenizer.chat_template": CHATML,
        **{name.replace("__", "."): value for name, value in metadata.items()},
    }
    for key, value in keys.items():
        add: Any = {str: writer.add_string, int: writer.add_uint32, float: writer.add_float32}.get(
            type(value), writer.add_array
        )
        add(key, value)
    arrays = _arrays(model) if isinstance(model, LlamaForCausalLM) else _named(model, architecture)
    for name, array in {**arrays, **(tensors or {})}.items():
        if name in (quantized or {}):
            kind, raw = (quantized or {})[name]
            writer.add_tensor(name, raw, raw_dtype=kind)
        elif array is not None:
            writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _named(model: Any, architecture: str) -> dict[str, np.ndarray | None]:
    """The weights of another type, by the package's own names; some have norms with one added, or matrices turned."""
    import gguf

    kinds = {name: kind for kind, name in gguf.MODEL_ARCH_NAMES.items()}
    names = gguf.get_tensor_name_map(kinds[architecture], model.config.num_hidden_layers)
    found: dict[str, np.ndarray | None] = {}
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and model.config.tie_word_embeddings:
            continue
        short = str(names.get_name(name, try_suffixes=(".weight", ".bias")))
        adds_one = architecture in ("gemma2", "nemotron") and short.endswith("norm.weight")
        is_turned = architecture == "gpt2" and short.startswith("blk.") and tensor.ndim == 2
        found[short] = np.ascontiguousarray((tensor + adds_one).T.numpy() if is_turned else (tensor + adds_one).numpy())
    return found


def _arrays(model: Any) -> dict[str, np.ndarray | None]:
    """The weights under the names and in the order of heads that files have."""
    state = model.state_dict()
    found: dict[str, np.ndarray | None] = {
        "token_embd.weight": state["model.embed_tokens.weight"].numpy(),
        "output_norm.weight": state["model.norm.weight"].numpy(),
    }
    if not model.config.tie_word_embeddings:
        found["output.weight"] = state["lm_head.weight"].numpy()
    for layer in range(model.config.num_hidden_layers):
        for name, short in _NAMES.items():
            weight = state[f"model.layers.{layer}.{name}.weight"].numpy()
            if short in _HEADS:  # pairs that rotate together stand side by side
                parts = weight.reshape(_HEADS[short], 2, -1, weight.shape[1])
                weight = parts.swapaxes(1, 2).reshape(weight.shape)
            found[f"blk.{layer}.{short}.weight"] = np.ascontiguousarray(weight)
    return found
