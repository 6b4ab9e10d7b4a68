"""The nano policy: a decoder of about half a million parameters and its tokenizer, made from an environment's own text.

For learning from nothing in minutes on a CPU. Three choices make that possible. Tokens are words, because what
such a policy must learn is to copy words from the page, and a word in pieces is harder to copy; words that the
corpus does not have are spelled in pieces down to single characters. Case is folded. And one attention head a
layer starts out looking at the previous token: copying ("induction") is a previous-token head followed by a head
that matches, and with the first given the second forms within few updates instead of by luck (Olsson et al.
2022, arXiv 2209.11895, on how induction heads form).

Decoding is exact up to the normal form of the tokenizer: lower case, and blanks only where its rule puts them.
"""

from __future__ import annotations

import collections
import re
import string
from collections.abc import Iterable
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

__all__ = ["NanoConfig", "build_model", "build_tokenizer"]

_TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'assistant' %}<|act|>{{ m['content'] }}<|end|>"
    "{% elif m['role'] == 'system' %}<|sys|>{{ m['content'] }}{% else %}<|obs|>{{ m['content'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|act|>{% endif %}"
)
_SPECIAL = ["<|pad|>", "<|unk|>", "<|sys|>", "<|obs|>", "<|act|>", "<|end|>"]
_WORDS = re.compile(r"\[sep\]|[^\W_]+|[^\w\s]|_|\n")
"""Words and numbers, single marks, line ends; WebShop's separator is a word of its own."""

_NO_BLANK = (
    r" (?=\[(?!sep\]))",  # search[...
    r"(?<=\[) ",
    r" (?=[\])}.,:;!?%'\"/_-])(?<!\[sep )",
    r"(?<=[({$#/@_'-]) ",
    r"(?<=\d[.,]) (?=\d)",  # 17.5
    r"(?<=\n) | (?=\n)",
)
"""Where decoding drops the blank between two tokens."""


class NanoConfig(BaseModel):
    """Size of the nano policy."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    width: int = 96
    """Size of the residual stream; a multiple of ``heads``."""
    layers: int = 3
    """Number of layers, at least 2: copying takes two."""
    heads: int = 3
    """Attention heads a layer."""
    feed_forward: int = 256
    """Hidden size of the feed-forward blocks."""
    max_context: int = 2048
    """Longest sequence, in tokens."""
    max_vocabulary: int = 4096
    """Words kept, most frequent first."""
    initializer_std: float = 0.06
    """Standard deviation of the initial weights."""


def build_tokenizer(corpus: Iterable[str], config: NanoConfig) -> PreTrainedTokenizerFast:
    """A word tokenizer of the words of ``corpus``."""
    counts = collections.Counter(piece for text in corpus for word in _WORDS.findall(text.lower()) for piece in _pieces(word))
    characters = sorted({c for piece in counts for c in piece if c != "\n"} | set(map(chr, range(33, 127))) - set(string.ascii_uppercase))
    base = [*_SPECIAL, "\n", *characters, *("##" + c for c in characters if c.isalnum())]
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
    """Runs of letters and of digits: ``kx42`` is read as ``kx`` and ``##42``."""
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
                initializer_range=config.initializer_std,
                rope_theta=1000.0,
                tie_word_embeddings=True,
                pad_token_id=0,
                eos_token_id=_SPECIAL.index("<|end|>"),
            )
        )
    _look_back(model.model.layers[0].self_attn, model.model.rotary_emb.inv_freq)
    return model.eval()


@torch.no_grad()
def _look_back(attention: Any, frequency_F: torch.Tensor, strength: float = 8.0) -> None:
    """Give the first head a bias towards the previous token.

    With constant key u and query R(-1)u the rotary score at distance d is ∑_f |u_f|² cos((d - 1) f), largest at
    d = 1. Only frequencies that turn within some twenty tokens tell neighbors apart; the others get nothing.
    """
    half = len(frequency_F)
    size_F = torch.where(frequency_F > 0.05, (strength * (2 * half) ** 0.5) ** 0.5, 0.0)
    attention.k_proj.bias[:half] = size_F
    attention.q_proj.bias[:half] = size_F * torch.cos(frequency_F)
    attention.q_proj.bias[half : 2 * half] = -size_F * torch.sin(frequency_F)
