"""Models whose speech is broken, planted: each is named with what it means and what mends it."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from agentgym.doctor import Finding, speech_findings
from agentgym.tokenizer import ChatTokenizer
from tests.kit import CHATML, chat
from tests.templates import chat_of


def found(tokenizer: ChatTokenizer, form: str = "") -> dict[str, Finding]:
    return {each.name: each for each in speech_findings(tokenizer, form=form)}


def test_a_model_that_speaks_plainly_passes() -> None:
    seen = found(chat_of("qwen3"), "hermes")
    assert seen["comes_back_token_by_token"].detail == "5 texts of several kinds come back as they were"
    assert seen["ends_replies"].detail == "a reply ends with <|im_end|>"
    assert (
        seen["shows_tools"].detail == "the chat template writes the schemas of tools; calls are written as hermes does"
    )
    assert {name: each.status for name, each in found(chat()).items()} == {
        "keeps_the_prefix": "pass",
        "comes_back_token_by_token": "pass",
        "ends_replies": "pass",
        "shows_tools": "info",
        "takes_roles": "pass",
    }


def test_a_template_that_rewrites_every_reply_keeps_no_prefix() -> None:
    rewrites = CHATML.replace("m['content']", "(m['content'] if loop.last else m['content'] | upper)")
    assert rewrites != CHATML
    (ill,) = (each for each in speech_findings(chat(rewrites)) if each.name == "keeps_the_prefix")
    assert ill.status == "FAIL"
    assert "each turn becomes a sample of its own" in ill.detail
    assert "save_pretrained" in ill.cure


def test_a_template_that_strips_thoughts_is_something_to_know() -> None:
    seen = found(chat_of("qwen3"))["keeps_the_prefix"]
    assert (seen.status, "changes earlier replies with a thought" in seen.detail) == ("info", True)
    assert "save_pretrained" in seen.cure


def words(*, lower: bool) -> ChatTokenizer:
    """A tokenizer of a few words, or of single bytes in lower case."""
    if lower:
        hf = chat().hf
        hf.backend_tokenizer.normalizer = normalizers.Lowercase()
        return ChatTokenizer(hf)
    vocabulary = {"<unk>": 0, "<|im_start|>": 1, "<|im_end|>": 2, "Search": 3, "for": 4, "user": 5, "assistant": 6}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    hf = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        unk_token="<unk>",
        eos_token="<|im_end|>",
        additional_special_tokens=["<|im_start|>"],
        chat_template=CHATML,
    )
    return ChatTokenizer(hf)


@pytest.mark.parametrize(
    ("lower", "told"),
    [
        (True, "comes back from its tokens as 'search for a red mug"),
        (False, "stand for what the tokenizer does not know"),
    ],
)
def test_a_tokenizer_without_a_round_trip_is_named(lower: bool, told: str) -> None:
    ill = found(words(lower=lower))["comes_back_token_by_token"]
    assert (ill.status, told in ill.detail) == ("FAIL", True)
    assert ill.cure.startswith("agentgym train --model ID")


def test_a_template_that_never_ends_a_reply_is_named() -> None:
    endless = "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}" + (
        "{% if add_generation_prompt %}[assistant] {% endif %}"
    )
    seen = found(chat(endless))["ends_replies"]
    assert (seen.status, "writes none of them" in seen.detail) == ("info", True)


def test_what_else_is_out_of_the_ordinary_is_told() -> None:
    seen = found(chat_of("llama3"))["takes_roles"]
    assert (seen.status, "a date is written" in seen.detail) == ("info", True)
