"""Whatever is said by whom: the stream is the rendered conversation, and its mask the sampled ids.

Replies are any ids a policy may sample, bytes that are no UTF-8 and special tokens in mid-reply included.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import agentgym
from agentgym.engine import Completion
from agentgym.errors import ParseError
from agentgym.protocol import Protocol
from agentgym.stream import TokenStream
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import Action, Message, Observation, Sample
from tests.kit import CHATML, FORGETFUL, RESERVED, SPECIAL, chat

VERBATIM, STRIPPING = chat(CHATML), chat(FORGETFUL)
PROTOCOLS = {id: agentgym.plugins("protocols").get(id)() for id in agentgym.plugins("protocols").ids()}
WORDS = st.text(alphabet=st.characters(codec="utf-8"), max_size=12)
SEEN = st.lists(WORDS | st.sampled_from([*SPECIAL, RESERVED, "</think>"]), max_size=4).map("".join)


class Said(NamedTuple):
    """A sampled reply and the observation that answers it."""

    reply: list[int]
    observation: str


def replies(tokenizer: ChatTokenizer) -> st.SearchStrategy[list[int]]:
    """Formatted actions and thoughts, or any ids at all; ended, or cut off."""
    spoken = st.sampled_from(list(PROTOCOLS.values())).flatmap(
        lambda protocol: st.sampled_from(
            [protocol.format(Action("look")), "<think>hm</think>go", "Thought: x\nAction: y"]
        )
    )
    stops = tokenizer.stop_token_ids
    anything = st.lists(st.integers(0, len(tokenizer.hf) - 1).filter(lambda i: i not in stops), max_size=12)
    end = st.sampled_from([[stops[0]], [stops[0]], [stops[1]], []])
    return st.tuples(spoken.map(tokenizer.encode) | anything, end).map(lambda parts: [*parts[0], *parts[1]])


def conversations(tokenizer: ChatTokenizer) -> st.SearchStrategy[list[Said]]:
    return st.lists(st.builds(Said, replies(tokenizer), SEEN), max_size=5)


def play(
    tokenizer: ChatTokenizer, protocol: Protocol, first: str, turns: list[Said]
) -> tuple[TokenStream, list[Message], list[list[int]]]:
    """As the rollout does it; checks after every ``extend`` that the text is the rendered conversation."""
    stream = TokenStream(tokenizer)
    messages = [*protocol.opening("Play."), protocol.show(Observation(first))]
    go_on(stream, messages, turns, protocol=protocol)
    return stream, messages, [reply for reply, _ in turns]


def go_on(
    stream: TokenStream,
    messages: list[Message],
    turns: list[Said],
    number: int = 0,
    *,
    protocol: Protocol = PROTOCOLS["plain"],
) -> None:
    """``number`` turns were played before."""
    tokenizer = stream.tokenizer
    for reply, observation in turns:
        stream.extend(messages)
        assert stream.text == tokenizer.render(messages)
        stream.append(completion(reply, number))
        number += 1
        messages.append(protocol.said(tokenizer.decode_reply(reply)))
        try:
            protocol.parse(tokenizer.decode_reply(reply))
            messages.append(protocol.show(Observation(observation)))
        except ParseError as error:
            messages.append(protocol.complain(str(error)))
    stream.extend(messages)


def completion(ids: list[int], number: int) -> Completion:
    """Log-probs and versions that tell the turn."""
    return Completion(
        token_ids=list(ids),
        logprobs=[-1.0 - number] * len(ids),
        policy_versions=[number] * len(ids),
        finish_reason="stop",
    )


def runs(sample: Sample) -> list[tuple[int, list[int]]]:
    """(turn, ids) of each run of sampled tokens in a sample."""
    tokens = zip(sample.loss_mask.tolist(), sample.turn_index.tolist(), sample.token_ids.tolist(), strict=True)
    return [(key[1], [t[2] for t in run]) for key, run in itertools.groupby(tokens, lambda t: (t[0], t[1])) if key[0]]


@pytest.mark.parametrize("id", sorted(PROTOCOLS))
@given(first=SEEN, data=st.data())
def test_the_decoded_stream_is_the_rendered_conversation(id: str, first: str, data: st.DataObject) -> None:
    turns = data.draw(conversations(VERBATIM))
    stream, messages, _ = play(VERBATIM, PROTOCOLS[id], first, turns)
    rendered = VERBATIM.render(messages)
    assert stream.text == rendered
    decoded = VERBATIM.hf.decode(stream.token_ids, skip_special_tokens=False)
    if stream.num_forks:  # replies that were tokenized anew spell no control token
        decoded, rendered = (text.replace("| >", "|>") for text in (decoded, rendered))
    assert decoded == rendered


@pytest.mark.parametrize("tokenizer", [VERBATIM, STRIPPING], ids=["verbatim", "stripping"])
@given(first=SEEN, data=st.data())
def test_the_mask_is_exactly_the_sampled_ids(tokenizer: ChatTokenizer, first: str, data: st.DataObject) -> None:
    turns = data.draw(conversations(tokenizer))
    stream, _, sampled = play(tokenizer, PROTOCOLS["plain"], first, turns)
    marked = [run for sample in stream.samples for run in runs(sample)]
    assert marked == [(number, ids) for number, ids in enumerate(sampled) if ids]
    for sample in stream.samples:
        expected = [(-1.0 - t, t) if m else (0.0, -1) for m, t in zip(sample.loss_mask, sample.turn_index, strict=True)]
        assert list(zip(sample.logprobs, sample.policy_versions, strict=True)) == expected
        assert (np.diff(sample.turn_index) >= 0).all()
        assert Sample.model_validate(sample.model_dump()) == sample


@given(first=SEEN, data=st.data())
def test_every_prompt_is_the_stream_and_only_grows(first: str, data: st.DataObject) -> None:
    """What was sampled after a prompt stands right after that prompt, in the same sample, for ever."""
    turns = data.draw(conversations(STRIPPING))
    stream, prompts = TokenStream(STRIPPING), []
    messages: list[Message] = [{"role": "user", "content": first}]
    for number, (reply, observation) in enumerate(turns):
        stream.extend(messages)
        prompts.append((len(stream.samples) - 1, list(stream.token_ids), reply))
        stream.append(completion(reply, number))
        messages += [
            {"role": "assistant", "content": STRIPPING.decode_reply(reply)},
            {"role": "user", "content": observation},
        ]
    for index, prompt, reply in prompts:
        assert stream.samples[index].token_ids[: len(prompt) + len(reply)].tolist() == prompt + reply


@pytest.mark.parametrize("tokenizer", [VERBATIM, STRIPPING], ids=["verbatim", "stripping"])
@given(first=SEEN, data=st.data())
def test_a_fork_at_any_turn_is_a_stream_from_the_start(
    tokenizer: ChatTokenizer, first: str, data: st.DataObject
) -> None:
    """And neither of the two sees what the other goes on with."""
    turns, others = data.draw(conversations(tokenizer)), data.draw(conversations(tokenizer))
    at = data.draw(st.integers(0, len(turns)))
    stream, messages, _ = play(tokenizer, PROTOCOLS["plain"], first, turns[:at])
    fork, told = stream.fork(), list(messages)
    go_on(stream, messages, turns[at:], at)
    go_on(fork, told, others, at)
    for found, way in ((stream, turns), (fork, [*turns[:at], *others])):
        whole, expected, _ = play(tokenizer, PROTOCOLS["plain"], first, way)
        assert (found.samples, found.text, found.num_turns) == (whole.samples, whole.text, whole.num_turns)
        assert expected == (messages if found is stream else told)


def said(text: str) -> list[int]:
    return [*STRIPPING.encode(text), STRIPPING.stop_token_ids[0]]


def test_a_template_that_strips_reasoning_forks() -> None:
    turns = [Said(said("<think>hm</think>look"), "a door"), Said(said("<think>so</think>open"), "a room")]
    stream, messages, _ = play(STRIPPING, PROTOCOLS["plain"], "start", turns)
    assert stream.num_forks == 2
    assert stream.text == STRIPPING.render(messages)
    assert "<think>" not in stream.text
    assert [STRIPPING.decode(runs(sample)[0][1]) for sample in stream.samples[:2]] == [
        "<think>hm</think>look<|im_end|>",
        "<think>so</think>open<|im_end|>",
    ]
    assert stream.samples[2].num_trained == 0
    assert "<think>hm" not in STRIPPING.decode(stream.samples[1].token_ids.tolist())


def test_a_verbatim_template_never_forks_on_the_same_conversation() -> None:
    turns = [Said(said("<think>hm</think>look"), "a door"), Said(said("<think>so</think>open"), "a room")]
    stream, _, sampled = play(VERBATIM, PROTOCOLS["plain"], "start", turns)
    assert stream.num_forks == 0
    assert stream.samples[0].num_trained == sum(map(len, sampled))


def test_an_end_other_than_the_template_s_forks() -> None:
    """The conversation is rendered with <|im_end|>, but <|endoftext|> was sampled: neither may pass for the other."""
    own_end = [*VERBATIM.encode("look"), VERBATIM.stop_token_ids[1]]
    stream, _, _ = play(VERBATIM, PROTOCOLS["plain"], "start", [Said(own_end, "a door")])
    assert stream.num_forks == 1


def test_a_reply_cut_by_the_length_limit_is_closed_by_the_template_unmasked() -> None:
    cut = VERBATIM.encode("loo")
    stream, _, _ = play(VERBATIM, PROTOCOLS["plain"], "start", [Said(cut, "a door")])
    assert stream.num_forks == 0
    assert stream.samples[0].num_trained == 3
    assert "loo<|im_end|>\n" in stream.text


def test_lists_of_different_length_are_refused() -> None:
    bad = Completion(token_ids=[1, 2], logprobs=[0.0], policy_versions=[0, 0], finish_reason="stop")
    with pytest.raises(ValueError, match="2 tokens came with 1 log-probs and 2 versions"):
        TokenStream(VERBATIM).append(bad)


def test_log_probs_that_are_not_finite_are_refused() -> None:
    bad = Completion(token_ids=[1], logprobs=[float("nan")], policy_versions=[0], finish_reason="stop")
    with pytest.raises(ValueError, match="log-prob is not finite"):
        TokenStream(VERBATIM).append(bad)
