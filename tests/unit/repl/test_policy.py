"""What an engine is asked for a reply, and what is made of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agentgym.actors.scripted import ScriptedEngine
from agentgym.engine import Prompt, Sampling
from agentgym.errors import EngineError, UserError
from agentgym.protocols.react import React
from agentgym.repl import EnginePolicy, Reply
from tests.kit import chat

HELLO = [{"role": "user", "content": "hello"}]
PROMPT = "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"
CHAT = chat()
LENGTH = len(CHAT.encode(PROMPT))
END = CHAT.stop_token_ids[0]


class Engine(ScriptedEngine):
    """Says "hi" and writes down what it is asked; a token's log-prob is a hundredth of its place, negative."""

    supports_seeds = True

    def __init__(self, said: str = "hi", **options: Any) -> None:
        super().__init__(lambda _: [*CHAT.encode(said), END], **options)
        self.asked: list[tuple[Prompt, Sampling, str]] = []
        self.released: list[str] = []
        self.scored: list[Prompt] = []
        self.breaks = False

    async def generate(self, prompt: Prompt, sampling: Sampling, *, session: str) -> Any:
        self.asked.append((prompt, sampling, session))
        if self.breaks:
            raise EngineError("no room")
        completion = await super().generate(prompt, sampling, session=session)
        return completion.__class__(
            token_ids=completion.token_ids,
            logprobs=[-0.01 * (i + 1) for i in range(len(completion.token_ids))],
            policy_versions=completion.policy_versions,
            finish_reason=completion.finish_reason,
        )

    def release(self, session: str) -> None:
        self.released.append(session)

    async def score(self, prompt: Prompt) -> list[float]:
        self.scored.append(prompt)
        return [-float(i) for i in range(len(prompt.token_ids))]


def said(policy: EnginePolicy, messages: Any = HELLO, tools: Any = ()) -> Reply:
    return asyncio.run(policy.say(messages, tools))


def test_a_reply_has_its_text_and_every_token_with_its_log_probability() -> None:
    reply = said(EnginePolicy(Engine(), CHAT, React()))
    assert reply.text == "hi"
    assert reply.tokens == (("h", -0.01), ("i", -0.02), ("<|im_end|>", -0.03))
    assert reply.logprob == pytest.approx(-0.06)
    assert Reply("nothing").logprob == 0


def test_what_several_tokens_spell_is_told_with_the_last_of_them() -> None:
    heard: list[tuple[str, float]] = []
    policy = EnginePolicy(Engine("né\N{SNOWMAN}"), CHAT, React())
    reply = asyncio.run(policy.say(HELLO, (), hear=lambda *token: heard.append(token)))
    assert [token for token, _ in reply.tokens] == ["n", "", "é", "", "", "\N{SNOWMAN}", "<|im_end|>"]
    assert heard == list(reply.tokens)
    assert reply.token_ids == (*CHAT.encode("né\N{SNOWMAN}"), END)
    assert reply.text == "né\N{SNOWMAN}"


def test_what_no_tokens_spell_is_told_at_the_end() -> None:
    engine = Engine()
    engine.reply = lambda _: [CHAT.encode("é")[0], END]
    reply = said(EnginePolicy(engine, CHAT, React()))
    assert [token for token, _ in reply.tokens] == ["", "\N{REPLACEMENT CHARACTER}<|im_end|>"]


def test_the_engine_is_asked_with_the_whole_conversation_and_the_settings() -> None:
    engine = Engine()
    said(EnginePolicy(engine, CHAT, React(), temperature=0.5, max_tokens=20))
    ((prompt, sampling, session),) = engine.asked
    assert CHAT.decode(prompt.token_ids) == PROMPT
    assert (sampling.temperature, sampling.max_tokens, session) == (0.5, 20, "repl/0")
    assert sampling.stop_token_ids == CHAT.stop_token_ids
    said(EnginePolicy(engine, CHAT, React()))
    assert (engine.asked[1][1].temperature, engine.asked[1][1].max_tokens) == (1.0, 64)


def test_tools_are_rendered_into_the_prompt() -> None:
    template = "{% for t in tools or [] %}{{ t['name'] }};{% endfor %}" + CHAT.hf.chat_template
    engine = Engine()
    said(EnginePolicy(engine, chat(template), React()), tools=[{"name": "look"}])
    assert CHAT.decode(engine.asked[0][0].token_ids) == f"look;{PROMPT}"


@pytest.mark.parametrize(("room", "tokens"), [(100, 64), (64, 64), (63, 63), (1, 1), (0, 1), (-5, 1)])
def test_a_reply_may_be_as_long_as_there_is_room_and_one_token_at_least(room: int, tokens: int) -> None:
    engine = Engine(max_context=LENGTH + room)
    said(EnginePolicy(engine, CHAT, React()))
    assert engine.asked[0][1].max_tokens == tokens


def test_every_reply_is_another_draw_and_a_policy_draws_the_same_again() -> None:
    def drawn(seed: int) -> list[Any]:
        engine = Engine()
        policy = EnginePolicy(engine, CHAT, React(), seed=seed)
        for _ in range(3):
            said(policy)
        assert [session for *_, session in engine.asked] == ["repl/0", "repl/1", "repl/2"]
        return [sampling.seed for _, sampling, _ in engine.asked]

    assert drawn(1) == drawn(1)
    assert len({*drawn(1), *drawn(2)}) == 6
    engine = Engine()
    engine.supports_seeds = False
    said(EnginePolicy(engine, CHAT, React()))
    assert engine.asked[0][1].seed is None


def test_the_session_is_released_also_after_a_failure() -> None:
    engine = Engine()
    policy = EnginePolicy(engine, CHAT, React())
    said(policy)
    engine.breaks = True
    with pytest.raises(EngineError, match="no room"):
        said(policy)
    assert engine.released == ["repl/0", "repl/1"]


def test_the_log_probability_of_a_reply_is_that_of_its_tokens_and_its_end() -> None:
    engine = Engine()
    policy = EnginePolicy(engine, CHAT, React())
    found = asyncio.run(policy.score(HELLO, (), ["a", "bc"]))
    assert [CHAT.decode(prompt.token_ids) for prompt in engine.scored] == [
        f"{PROMPT}a<|im_end|>",
        f"{PROMPT}bc<|im_end|>",
    ]
    assert found == [-(LENGTH + LENGTH + 1), -(LENGTH + LENGTH + 1 + LENGTH + 2)]


class Talks(ScriptedEngine):
    """Is asked in text."""

    speaks_text, supports_seeds = True, False

    async def chat(self, messages: Any, sampling: Sampling, *, tools: Any = ()) -> str:
        return f"search[{len(messages)} {sampling.temperature} {sampling.max_tokens} {tools}]"


def test_a_policy_that_is_asked_in_text_speaks_and_has_no_odds() -> None:
    policy = EnginePolicy(Talks(lambda _: []), CHAT, React(), temperature=0.25, max_tokens=5)
    reply = said(policy, tools=["t"] and [{"name": "t"}])
    assert (reply.text, reply.tokens) == ("search[1 0.25 5 [{'name': 't'}]]", ())
    with pytest.raises(UserError, match="this engine is asked in text"):
        asyncio.run(policy.score(HELLO, (), ["a"]))
