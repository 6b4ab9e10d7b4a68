"""Text is encoded as it stands: after what stands before it, where that decides its tokens."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from agentgym.continuation import encoded_after
from agentgym.engine import Completion
from agentgym.stream import TokenStream
from agentgym.tokenizer import ChatTokenizer
from tests.kit import byte_tokenizer

PIECES = ["<unk>", "<s>", "</s>", "\n", "|", ".", "a", "b", "u", "x", "▁", "ba", "▁ba", ".b"]
MERGES = [("b", "a"), ("▁", "ba"), (".", "b")]
ZEPHYR = (
    "{% for m in messages %}|{{ 'u' if m['role'] == 'user' else 'a' }}|\n{{ m['content'] }}{{ eos_token }}\n"
    "{% endfor %}{% if add_generation_prompt %}|a|\n{% endif %}"
)


def marking(scheme: Literal["first", "legacy"]) -> PreTrainedTokenizerFast:
    """Puts a space mark in front of a text, as Llama 2 and Mistral do, with few pieces."""
    vocabulary = {piece: number for number, piece in enumerate(PIECES)}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=MERGES, unk_token="<unk>"))
    if scheme == "first":
        inner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=True)
    else:
        inner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    inner.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    hf = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    hf.chat_template = ZEPHYR
    return hf


def byte_level(**options: Any) -> PreTrainedTokenizerFast:
    vocabulary = {piece: number for number, piece in enumerate(["Ċ", "Ġ", "a", "b", "ba", "Ġba", ">", ">b"])}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=[("b", "a"), ("Ġ", "ba"), (">", "b")]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(**options)
    return PreTrainedTokenizerFast(tokenizer_object=inner)


def pieces(hf: Any, before: str, text: str) -> list[str]:
    found: list[str] = hf.convert_ids_to_tokens(encoded_after(hf, before, text))
    return found


@pytest.mark.parametrize("scheme", ["first", "legacy"])
@pytest.mark.parametrize(
    ("before", "text", "expected"),
    [
        ("", "ba", ["▁ba"]),
        ("|a|\n", "ba", ["ba"]),
        ("|a|\n", " ba", ["▁ba"]),
        ("|a|\n", "", []),
        ("x.", "ba", ["ba"]),
        ("x", "b", ["b"]),
        ("x.", "b", ["b"]),  # ".b" is one piece: the border would be inside it
    ],
)
def test_a_text_that_goes_on_has_no_mark_of_its_own(
    scheme: Literal["first", "legacy"], before: str, text: str, expected: list[str]
) -> None:
    assert pieces(marking(scheme), before, text) == expected


def test_what_follows_a_special_token_is_what_the_tokenizer_says() -> None:
    assert pieces(marking("first"), "|a|\nba</s>", "\nba") == ["\n", "ba"]
    assert pieces(marking("legacy"), "|a|\nba</s>", "ba") == ["▁ba"]


def test_bytes_are_encoded_alone_whatever_stands_before_them() -> None:
    plain, spaced = byte_level(add_prefix_space=False), byte_level(add_prefix_space=True)
    assert pieces(plain, ">", "ba") == plain.convert_ids_to_tokens(plain.encode("ba")) == ["ba"]
    assert pieces(plain, "\n", "\nba") == ["Ċ", "ba"]
    assert (pieces(spaced, "", "ba"), pieces(spaced, "\n", "ba")) == (["Ġba"], ["ba"])
    hf = byte_tokenizer()
    assert encoded_after(hf, "<|im_start|>assistant\n", "no") == hf.encode("no")


@pytest.mark.parametrize("scheme", ["first", "legacy"])
def test_an_episode_has_the_tokens_of_its_text(scheme: Literal["first", "legacy"]) -> None:
    tokenizer = ChatTokenizer(marking(scheme))
    stream, messages = TokenStream(tokenizer), [{"role": "user", "content": "ba"}]
    for seen in ("ba x", "x"):
        stream.extend(messages)
        ids = [*tokenizer.encode_reply("ba", after=stream.text), tokenizer.stop_token_ids[0]]
        assert tokenizer.hf.convert_ids_to_tokens(ids) == ["ba", "</s>"]
        stream.append(Completion(token_ids=ids, logprobs=[0.0] * 2, policy_versions=[-1] * 2, finish_reason="stop"))
        messages += [{"role": "assistant", "content": "ba"}, {"role": "user", "content": seen}]
    stream.extend(messages)
    assert stream.num_forks == 0
    assert stream.token_ids == tokenizer.hf.encode(tokenizer.render(messages), add_special_tokens=False)
