"""The nano policy: a small decoder and its tokenizer, made from an environment's own text.

For learning from nothing in minutes on a CPU. Three choices make that possible. Tokens are words, because what such a
policy must learn is to copy words from the page, and a word in pieces is harder to copy; words that the corpus does
not have are spelled in pieces down to single characters. What every page says in the same words is one token, which
shortens episodes and gives what follows it a landmark. And the model starts out copying: its heads are
initialized as copiers and two of them as an induction circuit, which transformers otherwise find after a long plateau,
at a moment that depends on the seed (Olsson et al. 2022, arXiv 2209.11895).

Case is folded, and decoding is exact only up to the tokenizer's normal form: lower case, blanks where its rule puts
them. An environment in which these matter wants a real model.
"""

from __future__ import annotations

import collections
import itertools
import re
import string
from collections.abc import Iterator, Sequence, Set
from typing import Any, TypeAlias

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from agentgym.learn.nano_settings import NanoConfig
from agentgym.tokenizer import SHOWS_TOOLS

__all__ = ["NanoConfig", "build_model", "build_tokenizer"]

_TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'assistant' %}<|act|>{{ m['content'] }}<|end|>"
    "{% elif m['role'] == 'system' %}<|sys|>{{ m['content'] }}"
    "{% else %}<|obs|>{{ m['content'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|act|>{% endif %}"
)
_SPECIAL = ["<|pad|>", "<|unk|>", "<|sys|>", "<|obs|>", "<|act|>", "<|end|>"]
_WORDS = re.compile(r"\[sep\]|\$?\d+\.\d+|[^\W_]+|[^\w\s]|_|\n")
"""Prices and decimals, words and numbers, single marks, line ends; WebShop's separator is a word of its own."""

_AMOUNTS = re.compile(r"\$?\d+\.\d+")

_NO_BLANK = (
    r" (?=\[(?!sep\]))",  # search[...
    r"(?<=\[) ",
    r" (?=[\])}.,:;!?%'\"/_-])(?<!\[sep )",
    r"(?<=[({$#/@_'-]) ",
    r"(?<=\d[.,]) (?=\d)",  # 17.5
    r"(?<=\n) | (?=\n)",
)
"""Where decoding drops the blank between two tokens."""


def build_tokenizer(observed: Sequence[str], said: Sequence[str], config: NanoConfig) -> PreTrainedTokenizerFast:
    """A word tokenizer from texts that an environment showed and actions that were said in it."""
    counts = collections.Counter(
        piece for text in [*observed, *said] for word in _words(text) for piece in _pieces(word)
    )
    characters = sorted(
        {c for piece in counts for c in piece if c != "\n"}
        | set(map(chr, range(33, 127))) - set(string.ascii_uppercase)
    )
    phrases = _phrases(observed, said)
    base = [*_SPECIAL, "\n", *characters, *("##" + c for c in characters), *phrases]
    words = [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    vocabulary = list(dict.fromkeys([*base, *words]))[: max(config.max_vocabulary, len(base))]
    tokenizer = Tokenizer(
        models.WordPiece(
            {token: i for i, token in enumerate(vocabulary)}, unk_token="<|unk|>", max_input_chars_per_word=1000
        )
    )
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_pattern(phrases)), behavior="removed", invert=True)
    spacing = [decoders.Replace(Regex(pattern), "") for pattern in _NO_BLANK]
    tokenizer.decoder = decoders.Sequence([decoders.WordPiece(prefix="##", cleanup=False), decoders.Fuse(), *spacing])
    hf = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|pad|>",
        unk_token="<|unk|>",
        eos_token="<|end|>",
        extra_special_tokens=["<|sys|>", "<|obs|>", "<|act|>"],
        **{SHOWS_TOOLS: False},  # JSON would be spelled letter by letter
    )
    hf.chat_template = _TEMPLATE
    return hf


def _words(text: str) -> list[str]:
    return _WORDS.findall(text.lower())


def _pattern(phrases: Sequence[str]) -> str:
    """Phrases first, the longest that fits, then single words."""
    longest_first = sorted(phrases, key=len, reverse=True)
    return "|".join([*(rf"(?<![^\W_]){re.escape(phrase)}(?![^\W_])" for phrase in longest_first), _WORDS.pattern])


def _phrases(observed: Sequence[str], said: Sequence[str], *, share: float = 0.12, limit: int = 256) -> list[str]:
    """Runs of words that come again in at least ``share`` of the texts: what a page always says becomes one token.

    Found as byte-pair encoding finds its pairs, with words for bytes. A word that was ever said in an action stays a
    word of its own, so that it can be copied; so does an amount, so that it can be compared.
    """
    spoken = {word for text in [*said, *_AMOUNTS.findall(" ".join(observed[:_PHRASE_TEXTS]))] for word in _words(text)}
    texts = [_spans(text.lower()) for text in observed[:_PHRASE_TEXTS]]
    pairs = [set(_mergeable(text, spoken)) for text in texts]
    found = collections.Counter(itertools.chain.from_iterable(pairs))
    for _ in range(limit):
        best = max(found, key=lambda pair: (found[pair], pair), default=None)
        if best is None or found[best] < share * len(texts):
            break
        for i in [i for i, present in enumerate(pairs) if best in present]:
            found.subtract(pairs[i])
            texts[i] = _merged(texts[i], best)
            pairs[i] = set(_mergeable(texts[i], spoken))
            found.update(pairs[i])
    return sorted({word for text in texts for word, _ in text if word not in spoken and len(_words(word)) > 1})


_PHRASE_TEXTS = 500
"""Texts that are searched for phrases."""

_Span: TypeAlias = tuple[str, str]
"""A word or phrase, and what stands between it and the next."""


def _spans(text: str) -> list[_Span]:
    found = list(_WORDS.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    return [(match[0], text[match.end() : end]) for match, end in zip(found, ends, strict=False)]  # no words, no spans


def _mergeable(text: Sequence[_Span], spoken: Set[str]) -> Iterator[tuple[str, str, str]]:
    for (left, between), (right, _) in itertools.pairwise(text):
        if left not in spoken and right not in spoken:
            yield left, between, right


def _merged(text: Sequence[_Span], pair: tuple[str, str, str]) -> list[_Span]:
    merged: list[_Span] = []
    for word, after in text:
        if merged and (*merged[-1], word) == pair:
            merged[-1] = ("".join(pair), after)
        else:
            merged.append((word, after))
    return merged


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
    model.eval()
    return model


_EMBEDDING_STD = 0.12


@torch.no_grad()
def _start_copying(model: Qwen2ForCausalLM) -> None:
    """Initialize the heads as copiers, and an induction circuit in the first head of the first two layers.

    Layer 0 writes what the previous token was into a subspace B of the residual stream. Layer 1 looks for positions
    whose B says "the previous token was the one I see now" and adds what stands there, as a guess at what comes next.
    All heads above layer 0 add what they look at in the same way, so that only *where* to look is left to learn; with
    random value and output matrices both have to be found at once, and the loss stays on a plateau. Subspaces are
    random; every other path into the residual stream starts out quiet.
    """
    model.model.embed_tokens.weight.normal_(0, _EMBEDDING_STD)
    for depth, layer in enumerate(model.model.layers):
        layer.mlp.down_proj.weight.normal_(0, 0.01)
        layer.self_attn.o_proj.weight.normal_(0, 0.01)
        for head in range(model.config.num_attention_heads if depth else 0):
            _copy_what_is_seen(layer.self_attn, head, volume=6.0 if (depth, head) == (1, 0) else 3.0)
    _look_back(model)
    _match(model)


def _directions(attention: Any) -> torch.Tensor:
    """An orthonormal basis of the residual stream [W, W], random, cut by the callers into subspaces."""
    width = attention.o_proj.out_features
    basis: torch.Tensor = torch.linalg.qr(torch.randn(width, width)).Q
    return basis


def _copy_what_is_seen(attention: Any, head: int, *, volume: float) -> None:
    """Value and output matrices that bring the part of a token in a random subspace over unchanged."""
    rows = slice(head * attention.head_dim, (head + 1) * attention.head_dim)
    subspace_DW = _directions(attention)[: attention.head_dim]
    attention.v_proj.weight[rows] = subspace_DW
    attention.o_proj.weight[:, rows] = volume * _EMBEDDING_STD * subspace_DW.T


def _match(model: Qwen2ForCausalLM, *, sharpness: float = 3.0) -> None:
    """The two ends of the induction circuit, joined by the subspace that layer 0 writes and layer 1 reads.

    The matching head uses only rotary frequencies so low that distance hardly turns them.
    """
    back, match = model.model.layers[0].self_attn, model.model.layers[1].self_attn
    size = back.head_dim
    basis = _directions(back)
    seen_DW, before_DW = basis[:size], basis[size : 2 * size]
    back.v_proj.weight[:size] = seen_DW
    back.o_proj.weight[:, :size] = 1.5 * _EMBEDDING_STD * before_DW.T
    slow = torch.nonzero((model.model.rotary_emb.inv_freq < 0.004).repeat(2))[:, 0]
    match.q_proj.weight[:size], match.k_proj.weight[:size] = 0.0, 0.0
    match.q_proj.weight[slow] = sharpness * seen_DW[: len(slow)]
    match.k_proj.weight[slow] = sharpness * before_DW[: len(slow)]


def _look_back(model: Qwen2ForCausalLM, *, strength: float = 20.0) -> None:
    """Give the first head of layer 0 a strong bias towards the previous token.

    With constant key u and query R(-1)u the rotary score at distance d is ∑_f |u_f|² cos((d - 1) f), largest at
    d = 1. Only frequencies that turn within some twenty tokens tell neighbors apart; the others get nothing.
    """
    attention, frequency_F = model.model.layers[0].self_attn, model.model.rotary_emb.inv_freq
    half = len(frequency_F)
    size_F = torch.where(frequency_F > 0.05, (strength * (2 * half) ** 0.5) ** 0.5, 0.0)
    attention.q_proj.weight[: 2 * half] *= 0.3
    attention.k_proj.weight[: 2 * half] *= 0.3
    attention.k_proj.bias[:half] = size_F
    attention.q_proj.bias[:half] = size_F * torch.cos(frequency_F)
    attention.q_proj.bias[half : 2 * half] = -size_F * torch.sin(frequency_F)
