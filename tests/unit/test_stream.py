"""A token stream, letter by letter: what is written where, whose it is, and when it forks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest

from agentgym.engine import Completion
from agentgym.media import as_media
from agentgym.stream import TokenStream
from agentgym.types import Media, Message

ONE, TWO = (as_media(np.full((2, 2, 3), shade, np.uint8)) for shade in (1, 2))


class Letters:
    """A letter is a token, so is an image, "." ends a reply; a conversation is what was said in it."""

    sees_images = True

    def __init__(self) -> None:
        self.tools: list[Any] = []

    def render(self, messages: Sequence[Message], tools: Sequence[Any] = ()) -> str:
        self.tools.append(list(tools))
        return "".join(
            part["text"] if part["type"] == "text" else "#" for message in messages for part in message["content"]
        )

    def encode(self, text: str, media: Sequence[Media] = (), *, after: str = "") -> list[int]:
        assert text.count("#") == len(media)
        return [ord(letter) for letter in text]

    def retold(self, messages: Sequence[Message]) -> list[Message]:
        return list(messages)

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))


def stream() -> TokenStream:
    return TokenStream(cast(Any, Letters()))


def seen(*parts: str | Media) -> Message:
    return {
        "content": [
            {"type": "text", "text": part} if isinstance(part, str) else {"type": "image", "image": part}
            for part in parts
        ]
    }


def said(text: str, version: int = 0, logprob: float = -0.5) -> Completion:
    return Completion(
        token_ids=[ord(letter) for letter in text],
        logprobs=[logprob - number for number in range(len(text))],
        policy_versions=[version] * len(text),
        finish_reason="stop",
    )


def letters(ids: Any) -> str:
    return "".join(map(chr, ids))


def played() -> TokenStream:
    """Two turns: "ab" was seen, "cd" said, "e" seen, "f" said."""
    one = stream()
    one.extend([seen("ab")])
    one.append(said("cd", version=0, logprob=-0.25))
    one.extend([seen("ab"), seen("cd"), seen("e")])
    one.append(said("f", version=4))
    return one


def test_every_column_tells_its_token() -> None:
    (sample,) = played().samples
    assert letters(sample.token_ids) == "abcdef"
    assert sample.loss_mask.tolist() == [False, False, True, True, False, True]
    assert sample.logprobs.tolist() == [0.0, 0.0, -0.25, -1.25, 0.0, -0.5]
    assert sample.turn_index.tolist() == [0, 0, 0, 0, 1, 1]
    assert sample.policy_versions.tolist() == [-1, -1, 0, 0, -1, 4]


def test_what_is_prepared_is_not_written_before_it_is_taken() -> None:
    one = played()
    extension = one.prepare([seen("abcdef"), seen("gh")])
    assert (letters(extension.token_ids), extension.text) == ("gh", "abcdefgh")
    assert (extension.num_tokens, extension.is_fork) == (8, False)
    assert (letters(one.token_ids), one.text) == ("abcdef", "abcdef")
    one.take(extension)
    assert (letters(one.token_ids), one.text, one.num_turns, one.num_forks) == ("abcdefgh", "abcdefgh", 2, 0)


def test_a_conversation_that_begins_otherwise_is_another_sample() -> None:
    one = played()
    extension = one.prepare([seen("xyz")])
    assert (letters(extension.token_ids), extension.num_tokens, extension.is_fork) == ("xyz", 3, True)
    one.take(extension)
    one.append(said("!", version=5))
    assert (one.num_forks, one.num_turns, letters(one.token_ids)) == (1, 3, "xyz!")
    first, second = one.samples
    assert first == played().samples[0]
    assert second.turn_index.tolist() == [2, 2, 2, 2]
    assert second.policy_versions.tolist() == [-1, -1, -1, 5]


def test_a_conversation_that_is_shorter_than_the_stream_forks() -> None:
    one = played()
    one.extend([seen("abcde")])
    assert (one.num_forks, letters(one.token_ids)) == (1, "abcde")


def test_nothing_new_is_no_fork() -> None:
    one = played()
    one.extend([seen("abcdef")])
    assert (one.num_forks, letters(one.token_ids)) == (0, "abcdef")


def test_tools_are_rendered_with_the_conversation() -> None:
    one = stream()
    one.extend([seen("a")], [{"name": "add"}])
    one.prepare([seen("a")], [{"name": "sub"}])
    assert cast(Any, one.tokenizer).tools == [[{"name": "add"}], [{"name": "sub"}]]


def test_images_are_those_of_the_running_sample_in_order() -> None:
    one = stream()
    one.extend([seen("a", ONE)])
    assert one.prompt.media == [ONE]
    one.append(said("b"))
    one.extend([seen("a", ONE, "b"), seen(TWO, "c")])
    assert (one.num_forks, letters(one.prompt.token_ids)) == (0, "a#b#c")
    assert one.prompt.media == [ONE, TWO]
    assert one.samples[0].media == [ONE.digest, TWO.digest]


def test_another_image_under_the_same_text_is_another_sample() -> None:
    one = stream()
    one.extend([seen("a", ONE)])
    one.append(said("b"))
    one.extend([seen("a", TWO, "b")])
    assert (one.num_forks, one.prompt.media) == (1, [TWO])
    assert [sample.media for sample in one.samples] == [[ONE.digest], [TWO.digest]]


def test_a_policy_that_sees_nothing_is_shown_no_image() -> None:
    one = stream()
    cast(Any, one.tokenizer).sees_images = False
    cast(Any, one.tokenizer).encode = lambda text, media, after="": [ord(letter) for letter in text] + list(media)
    one.extend([seen("a", ONE)])
    assert (letters(one.token_ids), one.prompt.media) == ("a#", [])


def test_a_twin_goes_on_by_itself() -> None:
    one = played()
    twin = one.fork()
    one.extend([seen("abcdef", "g", ONE)])
    one.append(said("h", version=7))
    assert (letters(twin.token_ids), twin.text, twin.num_turns, twin.prompt.media) == ("abcdef", "abcdef", 2, [])
    assert twin.samples == played().samples
    twin.extend([seen("other")])
    assert (one.num_forks, twin.num_forks) == (0, 1)


@pytest.mark.parametrize("logprobs", [[-0.5, float("nan")], [float("inf"), -0.5], [float("-inf"), -0.5]])
def test_broken_log_probs_are_refused_and_nothing_is_written(logprobs: list[float]) -> None:
    one = played()
    broken = Completion(token_ids=[1, 2], logprobs=logprobs, policy_versions=[0, 0], finish_reason="stop")
    with pytest.raises(ValueError, match="a sampled token's log-prob is not finite: the policy's weights are broken"):
        one.append(broken)
    assert (one.samples, one.num_turns) == (played().samples, 2)


@pytest.mark.parametrize("short", ["logprobs", "policy_versions"])
def test_columns_of_unequal_length_are_refused(short: str) -> None:
    given: dict[str, Any] = {"token_ids": [1, 2], "logprobs": [0.0, 0.0], "policy_versions": [0, 0], short: [0]}
    logprobs, versions = len(given["logprobs"]), len(given["policy_versions"])
    with pytest.raises(ValueError, match=f"2 tokens came with {logprobs} log-probs and {versions} versions"):
        stream().append(Completion(**given, finish_reason="stop"))


def test_a_stream_that_was_not_begun_is_one_empty_sample() -> None:
    (sample,) = stream().samples
    assert (len(sample.token_ids), sample.num_trained) == (0, 0)
