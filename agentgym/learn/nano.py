"""The nano policy: a decoder of about a quarter million parameters and its tokenizer, made from an environment's own text.

For learning from nothing in minutes on a CPU. Two choices make that possible. Tokens are words, because what such a
policy must learn is to copy words from the page, and a word in pieces is harder to copy; words that the corpus does
not have are spelled in pieces down to single characters. And the model starts out copying: its first two layers are
initialized with an induction circuit, the pair of heads that transformers otherwise find after a long plateau, at a
moment that depends on the seed (Olsson et al. 2022, arXiv 2209.11895).

Case is folded, and decoding is exact only up to the tokenizer's normal form: lower case, blanks where its rule puts
them. An environment in which these matter wants a real model.
"""

from __future__ import annotations

import collections
import re
import string
from collections.abc import Iterable
from typing import Any

import torch
from pydantic import Field, model_validator

from agentgym.config import Settings
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

__all__ = ["NanoConfig", "build_model", "build_tokenizer"]

_TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'assistant' %}<|act|>{{ m['content'] }}<|end|>"
    "{% elif m['role'] == 'system' %}<|sys|>{{ m['content'] }}{% else %}<|obs|>{{ m['content'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|act|>{% endif %}"
)
_SPECIAL = ["<|pad|>", "<|unk|>", "<|sys|>", "<|obs|>", "<|act|>", "<|end|>"]
_WORDS = re.compile(r"\[sep\]|\$?\d+\.\d+|[^\W_]+|[^\w\s]|_|\n")
"""Prices and decimals, words and numbers, single marks, line ends; WebShop's separator is a word of its own."""

_NO_BLANK = (
    r" (?=\[(?!sep\]))",  # search[...
    r"(?<=\[) ",
    r" (?=[\])}.,:;!?%'\"/_-])(?<!\[sep )",
    r"(?<=[({$#/@_'-]) ",
    r"(?<=\d[.,]) (?=\d)",  # 17.5
    r"(?<=\n) | (?=\n)",
)
"""Where decoding drops the blank between two tokens."""


class NanoConfig(Settings):
    """Size of the nano policy."""

    width: int = Field(96, ge=8)
    """Size of the residual stream; a multiple of ``heads``."""
    layers: int = Field(2, ge=2)
    """Number of layers: copying takes two."""
    heads: int = Field(2, ge=2)
    """Attention heads a layer; few and wide, since a head matches words in its own share of the width."""
    feed_forward: int = 256
    """Hidden size of the feed-forward blocks."""
    max_context: int = 2048
    """Longest sequence, in tokens."""
    max_vocabulary: int = 4096
    """Words kept, most frequent first."""

    @model_validator(mode="after")
    def _heads_fit(self) -> NanoConfig:
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} must be a multiple of twice the heads ({self.heads})")
        return self


def build_tokenizer(corpus: Iterable[str], config: NanoConfig) -> PreTrainedTokenizerFast:
    """A word tokenizer of the words of ``corpus``."""
    counts = collections.Counter(piece for text in corpus for word in _WORDS.findall(text.lower()) for piece in _pieces(word))
    characters = sorted({c for piece in counts for c in piece if c != "\n"} | set(map(chr, range(33, 127))) - set(string.ascii_uppercase))
    base = [*_SPECIAL, "\n", *characters, *("##" + c for c in characters)]
    words = [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    vocabulary = list(dict.fromkeys([*base, *words]))[: max(config.max_vocabulary, len(base))]
    tokenizer = Tokenizer(models.WordPiece({token: i for i, token in enumerate(vocabulary)}, unk_token="<|unk|>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_WORDS.pattern), behavior="removed", invert=True)
    spacing = [decoders.Replace(Regex(pattern), "") for pattern in _NO_BLANK]
    tokenizer.decoder = decoders.Sequence([decoders.WordPiece(prefix="##", cleanup=False), decoders.Fuse(), *spacing])
    hf = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|pad|>",
        unk_token="<|unk|>",
        eos_token="<|end|>",
        extra_special_tokens=["<|sys|>", "<|obs|>", "<|act|>"],
    )
    hf.chat_template = _TEMPLATE
    return hf


def _pieces(word: str) -> list[str]:
    """Runs of letters and of digits: ``kx42`` is read as ``kx`` and ``##42``. A decimal stays whole."""
    if "." in word:
        return [word]
    runs = re.findall(r"\d+|\D+", word)
    return [runs[0], *("##" + run for run in runs[1:])]


def build_model(vocabulary: int, config: NanoConfig, *, seed: int) -> Qwen2ForCausalLM:
    """A decoder with fresh weights; its initialization depends on ``seed`` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen2ForCausalLM(
            Qwen2Config(
                vocab_size=vocabulary,
                hidden_size=config.width,
                num_hidden_layers=config.layers,
                num_attention_heads=config.heads,
                num_key_value_heads=config.heads,
                intermediate_size=config.feed_forward,
                max_position_embeddings=config.max_context,
                initializer_range=0.06,
                rope_parameters={"rope_type": "default", "rope_theta": 1e5},
                tie_word_embeddings=True,
                pad_token_id=0,
                eos_token_id=_SPECIAL.index("<|end|>"),
            )
        )
        _start_copying(model)
    return model.eval()


_EMBEDDING_STD = 0.12


@torch.no_grad()
def _start_copying(model: Qwen2ForCausalLM, *, sharpness: float = 3.0, volume: float = 6.0) -> None:
    """Initialize an induction circuit in the first head of the first two layers.

    Layer 0 writes what the previous token was into a subspace B of the residual stream. Layer 1 looks for positions
    whose B says "the previous token was the one I see now" and adds what stands there, as a guess at what comes next.
    Subspaces are random and orthogonal; every other path into the residual stream starts out quiet. The matching head
    uses only rotary frequencies so low that distance hardly turns them.
    """
    for layer in model.model.layers:
        layer.self_attn.o_proj.weight.normal_(0, 0.01)
        layer.mlp.down_proj.weight.normal_(0, 0.01)
    model.model.embed_tokens.weight.normal_(0, _EMBEDDING_STD)
    frequency_F = model.model.rotary_emb.inv_freq
    width, size = model.config.hidden_size, 2 * len(frequency_F)
    basis = torch.linalg.qr(torch.randn(width, width)).Q.T
    seen_DW, before_DW = basis[:size], basis[size : 2 * size]
    value_DW = basis[2 * size : 3 * size] if width >= 3 * size else seen_DW
    back, match = model.model.layers[0].self_attn, model.model.layers[1].self_attn
    _look_back(back, frequency_F)
    back.v_proj.weight[:size] = seen_DW
    back.o_proj.weight[:, :size] = 1.5 * _EMBEDDING_STD * before_DW.T
    slow = torch.nonzero((frequency_F < 0.004).repeat(2))[:, 0]
    match.q_proj.weight[:size], match.k_proj.weight[:size] = 0.0, 0.0
    match.q_proj.weight[slow] = sharpness * seen_DW[: len(slow)]
    match.k_proj.weight[slow] = sharpness * before_DW[: len(slow)]
    match.v_proj.weight[:size] = value_DW
    match.o_proj.weight[:, :size] = volume * _EMBEDDING_STD * value_DW.T


def _look_back(attention: Any, frequency_F: torch.Tensor, strength: float = 20.0) -> None:
    """Give the first head a strong bias towards the previous token.

    With constant key u and query R(-1)u the rotary score at distance d is ∑_f |u_f|² cos((d - 1) f), largest at
    d = 1. Only frequencies that turn within some twenty tokens tell neighbors apart; the others get nothing.
    """
    half = len(frequency_F)
    size_F = torch.where(frequency_F > 0.05, (strength * (2 * half) ** 0.5) ** 0.5, 0.0)
    attention.q_proj.weight[: 2 * half] *= 0.3
    attention.k_proj.weight[: 2 * half] *= 0.3
    attention.k_proj.bias[:half] = size_F
    attention.q_proj.bias[:half] = size_F * torch.cos(frequency_F)
    attention.q_proj.bias[half : 2 * half] = -size_F * torch.sin(frequency_F)
