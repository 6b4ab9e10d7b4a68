"""How a GGUF file's vocabulary splits text before merging bytes: transformers' reader knows a part of these ways.

A file names its way in ``tokenizer.ggml.pre``, by llama.cpp's names. For a name that the reader does not know it takes
GPT-2's, and the same text becomes other tokens than those that the model was trained on.
"""

from __future__ import annotations

from typing import Any

from agentgym.errors import UserError
from agentgym.learn.gguf_header import Header

__all__ = ["refuse_unknown_splits", "split_as_trained"]

_GPT2 = {
    "default",
    "exaone4",
    "gigachat",
    "gpt-2",
    "granite-docling",
    "jais",
    "mellum",
    "mpt",
    "olmo",
    "phi-2",
    "trillion",
}
_SINGLE_DIGITS = {"codeshell", "command-r", "exaone", "minerva-7b", "refact", "smollm", "starcoder"}
_AS_QWEN2 = {"hunyuan", "stablelm2"}
_WORDS = {"bloom", "gpt3-finnish", "poro-chat"}
_WORD = r" ?[^(\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"
_FALCON = "falcon"
_WHOLE_WORDS = {"llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "tekken"}
"""A word that is in the vocabulary is one token, whatever the merges say."""


def refuse_unknown_splits(header: Header) -> None:
    """Raise UserError for a way of splitting that is not known here."""
    name = _name(header)
    known = _GPT2 | _SINGLE_DIGITS | _AS_QWEN2 | _WORDS | {_FALCON} | _known_to_the_reader().keys()
    if name is not None and name not in known:
        raise UserError(
            f'cannot load the model "{header.file}": its tokenizer splits text as "{name}" (tokenizer.ggml.pre), which '
            f"is none of {', '.join(sorted(known))}: its tokens would be wrong; choose the model's directory in the "
            "form of transformers, or its Hugging Face id"
        )


def split_as_trained(tokenizer: Any, header: Header) -> None:
    """Have ``tokenizer``, as the reader made it, split text as the file says."""
    from tokenizers import Regex
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Punctuation, Sequence, Split

    name, backend = _name(header), tokenizer.backend_tokenizer
    bytes_alone = ByteLevel(add_prefix_space=False, use_regex=False)
    if name in _WHOLE_WORDS:
        backend.model.ignore_merges = True
    if name in _SINGLE_DIGITS:
        backend.pre_tokenizer = Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)])
    elif name in _AS_QWEN2:
        split = Split(Regex(_known_to_the_reader()["qwen2"]), behavior="isolated")
        backend.pre_tokenizer = Sequence([split, bytes_alone])
    elif name in _WORDS:
        split = Split(Regex(_WORD), behavior="isolated")
        backend.pre_tokenizer = Sequence([split, bytes_alone])
    elif name == _FALCON:
        threes = Split(Regex("[0-9][0-9][0-9]"), behavior="isolated")
        runs = [Punctuation(behavior="contiguous"), ByteLevel(add_prefix_space=False), Digits(), threes]
        backend.pre_tokenizer = Sequence(runs)


def _name(header: Header) -> str | None:
    """None for a vocabulary that is not of merged bytes."""
    if header.metadata.get("tokenizer.ggml.model") != "gpt2":
        return None
    return str(header.metadata.get("tokenizer.ggml.pre", "default"))


def _known_to_the_reader() -> dict[str, str]:
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    return dict(GGUF_PRE_TOKENIZER_SPLITS)
