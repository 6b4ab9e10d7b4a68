"""The engine over OpenAI-compatible servers, against one that says what it is told, over real HTTP."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import importlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from agentgym.actors.openai import client as openai_client
from agentgym.actors.openai.engine import OpenAIEngine
from agentgym.actors.openai.weights import EXTENSION
from agentgym.actors.openai.wire import ChatAnswer, reply_of
from agentgym.engine import Completion, Prompt, Sampling
from agentgym.errors import ConfigError, EngineError, ParseError
from agentgym.media import as_media
from agentgym.protocols.tools import Tools
from agentgym.registry import plugins
from agentgym.types import Observation, ToolCall
from agentgym.weights import put, weights_of
from tests.kit import eventually, tiny_model, until
from tests.openai_server import EOS, Asked, FakeServer, Fault, logprob
from tests.unit.actors.kit import one_loop, run

pytest.importorskip("openai", reason="needs the extra openai")

__all__ = ["one_loop"]

STOP = (EOS,)
SAID = [(1 + 2 + 3 + i) % 30 + 8 for i in range(3)] + [EOS]
"""What the server completes (1, 2, 3) with."""
TOOL = {"name": "add", "description": "Adds.", "parameters": {"type": "object", "properties": {}}}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "MY_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(openai_client, "FIRST_WAIT", 0.01)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as server:
        yield server


@pytest.fixture
def connect(server: FakeServer) -> Iterator[Callable[..., OpenAIEngine]]:
    """Starts engines on the server, and closes them."""
    engines = []

    def connected(module: Any = None, **options: Any) -> OpenAIEngine:
        engines.append(made(server, module, **options))
        run(engines[-1].start)
        server.forget()
        return engines[-1]

    yield connected
    for engine in engines:
        run(engine.close)


def made(server: FakeServer, module: Any = None, **options: Any) -> OpenAIEngine:
    engine: OpenAIEngine
    engine = plugins("engines").build("openai", {"base_url": server.url, "timeout": 20, **options}, module)
    return engine


def sampling(**changes: Any) -> Sampling:
    return Sampling(**{"max_tokens": 8, "stop_token_ids": STOP, "seed": 1, **changes})


def generated(engine: OpenAIEngine, prompt: Sequence[int] = (1, 2, 3), **changes: Any) -> Completion:
    completion: Completion = run(lambda: engine.generate(Prompt(prompt), sampling(**changes), session="s"))
    return completion


def refused(server: FakeServer, match: str, module: Any = None, **options: Any) -> None:
    engine = made(server, module, **{"max_retries": 0, **options})
    with pytest.raises(ConfigError, match=match):
        run(engine.start)
    run(engine.close)


# -- what it finds out ----------------------------------------------------------------------------------------------


def test_importing_the_engine_imports_no_client() -> None:
    code = "import sys, agentgym.actors.openai; sys.exit('openai' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_nothing_is_asked_before_it_starts(server: FakeServer) -> None:
    engine = made(server)
    run(engine.close)
    assert server.asked == []


def test_takes_the_only_model_its_context_and_tokens(connect: Callable[..., OpenAIEngine]) -> None:
    engine = connect()
    assert (engine.model, engine.max_context, engine.speaks_text) == ("tiny", 256, False)
    assert "cannot follow a learner" in engine.why_untrainable
    assert engine.supports_seeds
    assert [connect(max_context=number).max_context for number in (100, 256)] == [100, 256]


def test_the_address_may_come_from_the_environment(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    engine = OpenAIEngine()
    run(engine.start)
    assert engine.model == "tiny"
    run(engine.close)
    monkeypatch.setenv("OPENAI_BASE_URL", "localhost:8000")
    engine = OpenAIEngine(max_retries=0)
    with pytest.raises(ConfigError, match=r"no connection to localhost:8000: UnsupportedProtocol: .*correct --engine"):
        run(engine.start)


def test_the_key_comes_from_the_named_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeServer(api_key="secret") as server:
        refused(server, r"refuses the key \(401: Unauthorized\); set it: export MY_KEY=", api_key_env="MY_KEY")
        monkeypatch.setenv("MY_KEY", "wrong")
        refused(server, "refuses the key", api_key_env="MY_KEY")
        monkeypatch.setenv("MY_KEY", "secret")
        engine = OpenAIEngine(base_url=server.url, api_key_env="MY_KEY")
        run(engine.start)
        assert generated(engine).token_ids == SAID
        run(engine.close)


def test_a_server_that_is_not_there_is_refused() -> None:
    engine = OpenAIEngine(base_url="http://127.0.0.1:9/v1", max_retries=1)
    with pytest.raises(ConfigError, match=r"no connection to http://127\.0\.0\.1:9/v1: .*; start the server"):
        run(engine.start)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"base_url": None}, r"needs a server; type: --engine\.base_url http://localhost:8000/v1"),
        ({"base_url": "localhost:8000"}, r"engine\.base_url: .*found 'localhost:8000'"),
        ({"form": "token"}, r'engine\.form is "token"\. Did you mean "tokens"\? Known: auto, tokens, text'),
        ({"max_sessions": 0}, r"engine\.max_sessions: .*found 0"),
        ({"timeout": 0}, r"engine\.timeout: .*found 0"),
        ({"max_retries": -1}, r"engine\.max_retries: .*found -1"),
        ({"max_context": "many"}, r"engine\.max_context: .*found 'many'"),
        ({"weights": "w"}, r"engine\.weights has no effect without a model that learns"),
    ],
)
def test_bad_options_are_refused_when_it_is_made(server: FakeServer, options: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        made(server, **options)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (
            {"model": "tiyn"},
            r'does not serve "tiyn"\. Did you mean "tiny"\? It serves tiny; type: --engine\.model NAME',
        ),
        ({"max_context": 257}, r"engine\.max_context is 257, tiny is served with 256 at most"),
    ],
)
def test_what_the_server_does_not_have_is_refused(server: FakeServer, options: dict[str, Any], match: str) -> None:
    refused(server, match, **options)


def test_the_model_must_be_named_where_there_are_several(server: FakeServer) -> None:
    server.models = [{"id": "base"}, {"id": "tiny", "max_model_len": 64}]
    refused(server, r"serves base, tiny; choose one: --engine\.model NAME")
    engine = made(server, model="tiny")
    run(engine.start)
    assert engine.max_context == 64
    run(engine.close)


def test_of_many_models_the_first_eight_are_named(server: FakeServer) -> None:
    server.models = [{"id": f"m{number}"} for number in range(8)]
    refused(server, r"serves m0, m1, m2, m3, m4, m5, m6, m7; choose one")
    server.models.append({"id": "m8"})
    refused(server, r"serves m0, m1, m2, m3, m4, m5, m6, m7, …; choose one")


def test_an_address_without_v1_is_told_so(server: FakeServer) -> None:
    root = server.url.removesuffix("/v1")
    refused(server, rf"usually ends in /v1: --engine\.base_url {root}/v1", base_url=root)


@pytest.mark.parametrize(
    ("lacks", "reason"),
    [
        ({"returns_token_ids": False}, "the server returns no token ids"),
        ({"returns_logprobs": False}, "the server returns no log-probabilities"),
        ({"has_completions": False}, r"refuses /completions with token ids as the prompt \(404: This is a chat model"),
    ],
)
def test_without_tokens_it_speaks_text_or_is_refused(
    server: FakeServer, connect: Callable[..., OpenAIEngine], lacks: dict[str, bool], reason: str
) -> None:
    vars(server).update(lacks)
    start = r"vLLM 0\.10\.2 or newer .*, or evaluate with --engine\.form text"
    refused(server, rf'engine\.form "tokens" cannot be had from .*{reason}.*; start a server .*{start}', form="tokens")
    engine = connect()
    assert engine.speaks_text
    with pytest.raises(EngineError, match=f"tiny is asked in text: .*{reason}"):
        generated(engine)
    with pytest.raises(EngineError, match="is asked in text"):
        run(lambda: engine.score(Prompt([1, 2])))


def test_text_can_be_asked_for(connect: Callable[..., OpenAIEngine]) -> None:
    assert connect(form="text").speaks_text


def test_a_server_that_reads_other_token_ids_is_not_asked_with_them(
    server: FakeServer, connect: Callable[..., OpenAIEngine]
) -> None:
    """One that writes a token of its own before the prompt, for instance."""
    server.edit = lambda choice: choice.update(prompt_token_ids=[0, *choice["prompt_token_ids"]])
    refused(server, r"read the prompt \[1, 2\] as \[0, 1, 2\]", form="tokens")
    assert connect().speaks_text


def test_a_key_that_is_refused_only_for_completions_is_no_reason_to_speak_text(server: FakeServer) -> None:
    server.fault = lambda asked: Fault(status=401) if "completions" in asked.path else None
    refused(server, r"refuses the key \(401: scripted\); set it: export OPENAI_API_KEY=")


def test_a_server_that_fails_is_no_server_that_speaks_text(server: FakeServer) -> None:
    server.fault = lambda asked: Fault(status=503) if "completions" in asked.path else None
    refused(server, r"answered /completions with 503: scripted")


def test_a_server_without_chat_is_told_so(server: FakeServer) -> None:
    server.fault = lambda asked: Fault(status=404) if "completions" in asked.path else None
    refused(server, "answered /chat/completions with 404")


def test_the_context_must_be_known(server: FakeServer, connect: Callable[..., OpenAIEngine]) -> None:
    server.models = [{"id": "tiny"}]
    refused(server, r"does not say how many tokens it can hold; type: --engine\.max_context N")
    assert connect(max_context=32).max_context == 32
    assert connect(form="text").max_context == 2**20


def test_a_page_is_no_server(server: FakeServer) -> None:
    server.fault = lambda asked: Fault(body="<html>Hello</html>")
    refused(server, r"is no OpenAI-compatible server: .*'<html>Hello</html>'")


def test_a_server_that_lists_no_models_is_taken_at_the_user_s_word(
    server: FakeServer, connect: Callable[..., OpenAIEngine]
) -> None:
    server.fault = lambda asked: Fault(status=404) if asked.path == "/v1/models" else None
    refused(server, "answered /models with 404")
    assert connect(model="tiny", max_context=32).model == "tiny"


# -- tokens ---------------------------------------------------------------------------------------------------------


def test_generates_exactly_what_the_server_sampled(server: FakeServer, connect: Callable[..., OpenAIEngine]) -> None:
    engine = connect()
    completion = generated(engine, temperature=2.0)
    assert completion.token_ids == SAID
    assert completion.logprobs == [logprob(token, 2.0) for token in SAID]
    assert completion.policy_versions == [0, 0, 0, 0]
    assert completion.finish_reason == "stop"
    cut = generated(engine, max_tokens=2)
    assert (cut.token_ids, cut.finish_reason) == (SAID[:2], "length")


def test_asks_for_the_whole_distribution(server: FakeServer, connect: Callable[..., OpenAIEngine]) -> None:
    """vLLM would fill in what is left out with defaults of the model's own."""
    engine = connect()
    generated(engine, temperature=0.5, top_p=0.9, top_k=3, min_p=0.1, seed=2**62)
    generated(engine, temperature=0)
    first, second = server.bodies("/v1/completions")
    assert first == {
        "model": "tiny",
        "prompt": [1, 2, 3],
        "max_tokens": 8,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 3,
        "min_p": 0.1,
        "seed": 2**62,
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "stop_token_ids": [EOS],
        "ignore_eos": True,
        "include_stop_str_in_output": True,
        "logprobs": 1,
        "return_token_ids": True,
    }
    assert "seed" not in second  # greedy
    server.forget()
    generated(engine, seed=None)
    assert "seed" not in server.bodies("/v1/completions")[0]


@pytest.mark.parametrize(("prompt", "max_tokens"), [([], 1), ([1], 0), ([1] * 250, 7)])
def test_what_does_not_fit_is_refused_unasked(
    server: FakeServer, connect: Callable[..., OpenAIEngine], prompt: list[int], max_tokens: int
) -> None:
    engine = connect()
    with pytest.raises(EngineError, match="together fit the context of 256"):
        generated(engine, prompt, max_tokens=max_tokens)
    assert server.asked == []
    generated(engine, [1] * 250, max_tokens=6)


def lose(key: str, value: Any = None) -> Callable[[dict[str, Any]], None]:
    return lambda choice: choice.update({key: value})


MISALIGNED: list[tuple[Callable[[dict[str, Any]], None], str]] = [
    (lambda choice: choice["token_ids"].pop(), r"3 token ids with 4 log-probabilities"),
    (lambda choice: choice["logprobs"]["token_logprobs"].pop(), r"4 token ids with 3 log-probabilities"),
    (lambda choice: choice["logprobs"].update(token_logprobs=[-1.0, None, -1.0, -1.0]), "with 3 log-probabilities"),
    (lose("logprobs"), "lacks log-probabilities"),
    (lose("token_ids"), "lacks token ids"),
    (lose("finish_reason"), 'because of "None"'),
    (lose("finish_reason", "content_filter"), 'because of "content_filter"'),
    (lose("prompt_token_ids", [9, 1, 2, 3]), "another prompt than it was given"),
    (lose("token_ids", [EOS, 8, 9, EOS]), r"sampled past a stop token; they are \(7,\)"),
    (lose("token_ids", [8, 9, 10, 11]), r"keeps the token that ended a completion to itself: stopped after 11"),
    (lambda choice: choice.update(token_ids=[], logprobs={"token_logprobs": []}), "sampled 0 tokens, expected 1 to 8"),
    (
        lambda choice: choice.update(token_ids=[8] * 9, logprobs={"token_logprobs": [-1.0] * 9}),
        "sampled 9 tokens, expected 1 to 8",
    ),
    (lambda choice: choice["logprobs"].update(token_logprobs=[float("nan")] * 4), "cannot be read: .*finite number"),
]


@pytest.mark.parametrize(("edit", "match"), MISALIGNED)
def test_a_completion_that_does_not_add_up_is_refused(
    server: FakeServer, connect: Callable[..., OpenAIEngine], edit: Callable[[dict[str, Any]], None], match: str
) -> None:
    engine = connect()
    server.edit = edit
    with pytest.raises(EngineError, match=match):
        generated(engine)


def test_a_server_need_not_tell_what_it_was_asked(server: FakeServer, connect: Callable[..., OpenAIEngine]) -> None:
    server.edit = lose("prompt_token_ids")
    assert generated(connect()).token_ids == SAID


def test_an_aborted_completion_says_so(server: FakeServer, connect: Callable[..., OpenAIEngine]) -> None:
    engine = connect()
    server.edit = lose("finish_reason", "abort")
    assert generated(engine).finish_reason == "aborted"


def test_scores_a_text(server: FakeServer, connect: Callable[..., OpenAIEngine]) -> None:
    engine = connect()
    assert run(lambda: engine.score(Prompt([4, 5, 6]))) == [0.0, logprob(5, 1.0), logprob(6, 1.0)]
    server.echoes = False
    with pytest.raises(EngineError, match="cannot score a text: it gave 1 log-probabilities for 3 tokens"):
        run(lambda: engine.score(Prompt([4, 5, 6])))
    server.fault = lambda asked: Fault(status=400)
    with pytest.raises(EngineError, match=r"cannot score a text .*400"):
        run(lambda: engine.score(Prompt([4, 5, 6])))


# -- text -----------------------------------------------------------------------------------------------------------

ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]


def chatted(engine: OpenAIEngine, tools: Sequence[dict[str, Any]] = (), **changes: Any) -> str:
    reply: str = run(lambda: engine.chat(ASKED, sampling(**changes), tools=tools))
    return reply


def test_chats(server: FakeServer, connect: Callable[..., OpenAIEngine]) -> None:
    server.models[0]["owned_by"] = "someone"
    engine = connect(form="text")
    assert not engine.supports_seeds
    assert chatted(engine, temperature=0.5, top_k=4) == "hello"
    assert server.bodies("/v1/chat/completions") == [
        {"model": "tiny", "messages": ASKED, "max_tokens": 8, "temperature": 0.5, "top_p": 1.0, "top_k": 4, "seed": 1}
    ]


def test_images_of_a_message_travel_as_urls_that_hold_them(
    server: FakeServer, connect: Callable[..., OpenAIEngine]
) -> None:
    engine, image = connect(form="text"), as_media(np.zeros((2, 2, 3), np.uint8))
    message = Tools().show(Observation("What is it?", images=[image]))
    assert run(lambda: engine.chat([message], sampling())) == "hello"
    (body,) = server.bodies("/v1/chat/completions")
    (sent,) = body["messages"]
    url, text = sent["content"]
    assert (sent["role"], text) == ("user", {"type": "text", "text": "What is it?"})
    assert url["type"] == "image_url"
    header, data = url["image_url"]["url"].split(",")
    assert (header, base64.b64decode(data)) == ("data:image/png;base64", image.data)


def test_a_prompt_with_images_is_refused_where_tokens_are_sent(connect: Callable[..., OpenAIEngine]) -> None:
    engine, prompt = connect(), Prompt([1, 2], [as_media(np.zeros((2, 2, 3), np.uint8))])
    with pytest.raises(EngineError, match="the prompt shows 1 images, which this engine does not; use embedded"):
        run(lambda: engine.score(prompt))


def test_vllm_is_told_to_leave_out_the_model_s_own_defaults(
    server: FakeServer, connect: Callable[..., OpenAIEngine]
) -> None:
    engine = connect(form="text")
    chatted(engine)
    (body,) = server.bodies("/v1/chat/completions")
    assert (body["top_k"], body["min_p"], body["repetition_penalty"]) == (0, 0.0, 1.0)


def test_a_newer_name_of_max_tokens_is_learned_once(server: FakeServer, connect: Callable[..., OpenAIEngine]) -> None:
    message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    answer = json.dumps({"error": {"message": message, "code": "unsupported_parameter"}})
    engine = connect(form="text")
    server.fault = lambda asked: Fault(status=400, body=answer) if "max_tokens" in asked.body else None
    assert [chatted(engine), chatted(engine)] == ["hello", "hello"]
    named = [{"max_tokens", "max_completion_tokens"} & set(body) for body in server.bodies("/v1/chat/completions")]
    assert named == [{"max_tokens"}, {"max_completion_tokens"}, {"max_completion_tokens"}]


def test_a_newer_name_of_max_tokens_is_learned_by_all_at_once(
    server: FakeServer, connect: Callable[..., OpenAIEngine]
) -> None:
    engine = connect(form="text")
    answer = json.dumps({"error": {"message": "Use 'max_completion_tokens' instead."}})
    server.fault = lambda asked: Fault(status=400, body=answer, delay=0.1) if "max_tokens" in asked.body else None

    async def many() -> list[str]:
        return await asyncio.gather(*(engine.chat(ASKED, sampling(seed=i)) for i in range(8)))

    assert run(many) == 8 * ["hello"]


def test_half_of_a_character_is_refused(connect: Callable[..., OpenAIEngine]) -> None:
    engine = connect(form="text")
    with pytest.raises(EngineError, match="surrogates not allowed"):
        run(lambda: engine.chat([{"role": "user", "content": "\ud800"}], sampling()))


def test_a_chat_that_is_refused_says_why(server: FakeServer, connect: Callable[..., OpenAIEngine]) -> None:
    engine = connect(form="text")
    answer = json.dumps({"error": {"message": "temperature does not support 0.0 with this model"}})
    server.fault = lambda asked: Fault(status=400, body=answer)
    with pytest.raises(EngineError, match=r"/chat/completions with 400: temperature does not support 0\.0"):
        chatted(engine)


def called(name: str, arguments: Any) -> dict[str, Any]:
    return {"id": "1", "type": "function", "function": {"name": name, "arguments": arguments}}


def test_tools_are_sent_and_calls_are_read_by_the_protocol(
    server: FakeServer, connect: Callable[..., OpenAIEngine]
) -> None:
    engine = connect(form="text")
    nasty = {"text": "</tool_call> <tool_call> </think>", "n": [1.5, None, "é"]}
    server.say = lambda body: {
        "content": None,
        "tool_calls": [called("add", '{"a": 1}'), called("write", json.dumps(nasty)), called("now", "")],
    }
    action = Tools().parse(chatted(engine, tools=[TOOL, {"type": "function", "function": TOOL}]))
    assert list(action.tool_calls) == [
        ToolCall(name="add", arguments={"a": 1}),
        ToolCall(name="write", arguments=nasty),
        ToolCall(name="now", arguments={}),
    ]
    (body,) = server.bodies("/v1/chat/completions")
    assert body["tools"] == 2 * [{"type": "function", "function": TOOL}]


@pytest.mark.parametrize(
    ("message", "reply"),
    [
        (
            {"content": "Let me see.", "tool_calls": [called("a", {"b": 1})]},
            'Let me see.\n{"name": "a", "arguments": {"b": 1}}',
        ),
        ({"content": [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]}, "one two"),
        ({"content": None, "refusal": "No."}, "No."),
        ({"content": None}, ""),
        ({"content": "x", "tool_calls": []}, "x"),
    ],
)
def test_replies_of_all_kinds(
    server: FakeServer, connect: Callable[..., OpenAIEngine], message: dict[str, Any], reply: str
) -> None:
    engine = connect(form="text")
    server.say = lambda body: message
    said = chatted(engine)
    assert said.replace("<tool_call>", "").replace("</tool_call>", "") == reply


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(), parts, max_size=3),
    max_leaves=5,
)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.text(), st.dictionaries(st.text() | st.just("</tool_call>"), JSON)), min_size=1, max_size=3),
    st.booleans(),
)
def test_the_protocol_reads_every_call_as_it_was_made(calls: list[tuple[str, dict[str, Any]]], as_object: bool) -> None:
    made = [called(name, arguments if as_object else json.dumps(arguments)) for name, arguments in calls]
    answer = ChatAnswer.model_validate({"choices": [{"message": {"content": "So:", "tool_calls": made}}]})
    read = Tools().parse(reply_of(answer)).tool_calls
    assert [(call.name, call.arguments) for call in read] == calls


def test_arguments_that_are_no_json_are_the_policy_s_mistake(
    server: FakeServer, connect: Callable[..., OpenAIEngine]
) -> None:
    engine = connect(form="text")
    server.say = lambda body: {"tool_calls": [called("add", '{"a": ')]}
    with pytest.raises(ParseError, match="not valid JSON"):
        Tools().parse(chatted(engine))


# -- failures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=429, headers={"retry-after": "0.01"}),
        Fault(status=429, headers={"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}),
        Fault(status=500),
        Fault(status=503),
        Fault(drop="before"),
        Fault(drop="head"),
        Fault(drop="middle"),
    ],
    ids=lambda fault: f"{fault.status}{fault.drop}",
)
def test_what_may_pass_is_tried_again(server: FakeServer, connect: Callable[..., OpenAIEngine], fault: Fault) -> None:
    engine = connect(max_retries=2)
    server.fault = lambda asked: fault if asked.attempt < 2 else None
    assert generated(engine).token_ids == SAID
    assert len(server.asked) == 3
    assert engine.client.num_retries == 2
    server.forget()
    server.fault = lambda asked: fault
    with pytest.raises(EngineError):
        generated(engine)
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422, 501])
def test_what_will_not_pass_is_not_tried_again(
    server: FakeServer, connect: Callable[..., OpenAIEngine], status: int
) -> None:
    engine = connect()
    server.fault = lambda asked: Fault(status=status)
    with pytest.raises(EngineError, match=f"answered /completions with {status}: scripted"):
        generated(engine)
    assert len(server.asked) == 1


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"choices": []}', '{"choices": [{"token_ids": "x"}]}', "null"])
def test_an_answer_that_cannot_be_read_is_an_error(
    server: FakeServer, connect: Callable[..., OpenAIEngine], body: str
) -> None:
    engine = connect()
    server.fault = lambda asked: Fault(body=body)
    with pytest.raises(EngineError, match="the server's answer to /completions cannot be read"):
        generated(engine)
    assert len(server.asked) == 1


def test_cancelling_closes_the_request(server: FakeServer, connect: Callable[..., OpenAIEngine]) -> None:
    engine = connect()
    server.fault = lambda asked: Fault(delay=20)

    async def begin_and_cancel() -> None:
        task = asyncio.create_task(engine.generate(Prompt([1, 2, 3]), sampling(), session="s"))
        await until(lambda: bool(server.asked))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(begin_and_cancel)
    assert eventually(lambda: server.num_abandoned == 1)
    server.fault = lambda asked: None
    assert generated(engine).token_ids == SAID


def test_a_connection_that_is_never_made_is_told_from_a_slow_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_client, "CONNECT_TIMEOUT", 0.3)
    with socket.socket() as full, contextlib.ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # nobody accepts, so the line of those who wait is full soon
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        address = f"http://127.0.0.1:{full.getsockname()[1]}/v1"
        engine = OpenAIEngine(base_url=address, timeout=10, max_retries=0)
        with pytest.raises(ConfigError, match=r"no connection to .*ConnectTimeout.*start the server"):
            run(engine.start)


def test_what_is_asked_while_it_closes_is_refused(
    connect: Callable[..., OpenAIEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect().client
    close = client._client.close

    async def ask_late() -> None:
        with pytest.raises(EngineError, match="the engine is closed"):
            await client.get("/models")
        await close()

    monkeypatch.setattr(client._client, "close", ask_late)
    run(client.close)


def test_no_more_than_max_sessions_are_in_flight(server: FakeServer, connect: Callable[..., OpenAIEngine]) -> None:
    engine = connect(max_sessions=4)

    async def many() -> list[Completion]:
        held = await held_in_flight(engine, server, [[i] for i in range(20)], 4)
        return await asyncio.gather(*held)

    assert len(run(many)) == 20
    assert server.max_in_flight == 4 + 1  # and what let them go


async def held_in_flight(
    engine: OpenAIEngine, server: FakeServer, prompts: Sequence[Sequence[int]], number: int
) -> list[asyncio.Task[Completion]]:
    """Asks for completions that the server holds until ``number`` of them are in flight."""
    root = engine.client.root
    await engine.client.command(f"{root}/pause?mode=keep")
    began = server.num_in_flight
    held = [asyncio.create_task(engine.generate(Prompt(prompt), sampling(), session=str(prompt))) for prompt in prompts]
    await until(lambda: server.num_in_flight - began == number)
    await engine.client.command(f"{root}/resume")
    return held


DROPS: tuple[Literal["before", "head", "middle"], ...] = ("before", "head", "middle")


def unlucky(asked: Asked) -> Fault | None:
    """Five of a hundred requests break, at one place or another; which ones depends on what they are alone."""
    digest = hashlib.blake2b(f"{asked.body} {asked.attempt}".encode(), digest_size=4).digest()
    if int.from_bytes(digest[:2], "big") >= 0.05 * 2**16:
        return Fault(delay=digest[2] / 255 * 0.01)
    return Fault(drop=DROPS[digest[2] % 3])


@pytest.mark.slow
def test_no_completion_is_lost_or_doubled_when_connections_break(
    server: FakeServer, connect: Callable[..., OpenAIEngine]
) -> None:
    engine = connect(max_sessions=64)
    server.reply = lambda prompt, body: [*prompt, EOS]
    server.fault = lambda asked: unlucky(asked) if "completions" in asked.path else None
    prompts = [[100 + i % 50, 10 + i // 50, 9] for i in range(800)]

    async def many() -> list[Completion]:
        return await asyncio.gather(*await held_in_flight(engine, server, prompts, 64))

    completions = run(many)
    assert [completion.token_ids for completion in completions] == [[*prompt, EOS] for prompt in prompts]
    assert server.num_dropped >= 20
    assert server.max_in_flight == 64 + 1  # and what let them go
    num_sent = len(server.bodies("/v1/completions"))
    assert num_sent == len(prompts) + server.num_dropped  # each sent again exactly as often as it broke


def test_a_closed_engine_refuses(connect: Callable[..., OpenAIEngine]) -> None:
    engine = connect()
    run(engine.close)
    run(engine.close)
    with pytest.raises(EngineError, match="the engine is closed"):
        generated(engine)


# -- weights --------------------------------------------------------------------------------------------------------


def filled(value: float) -> list[tuple[str, torch.Tensor]]:
    """Weights that are all ``value``."""
    return [(name, torch.full_like(tensor, value)) for name, tensor in weights_of(tiny_model())]


@pytest.fixture
def learner() -> Any:
    """A model whose weights are all 0."""
    module = tiny_model()
    put(module, filled(0))
    return module


@pytest.fixture
def loaded(server: FakeServer) -> list[str]:
    """What number fills the weights that the server's workers read where they are told to; None where it is none."""
    read: list[str] = []

    def load(body: dict[str, Any]) -> list[Any]:
        assert body["method"] == "agentgym_load"
        (path,) = body["args"]
        read.append(path and f"{load_file(Path(path) / 'model.safetensors')['model.norm.weight'][0].item():.0f}")
        return [None]

    server.rpc = load
    return read


def updated(engine: OpenAIEngine, version: int, value: float = 0) -> None:
    run(lambda: engine.update_weights(version, filled(value)))


EXCHANGE = ["pause keep", "rpc agentgym_load", "reset true", "label", "resume"]


def steps(server: FakeServer) -> list[str]:
    """What was done to the weights, without paths and labels."""
    log = [" ".join(step.split(" ")[:2]) if step.startswith("rpc") else step for step in server.weights.log]
    server.weights.log.clear()
    return [step.split(" ")[0] if step.startswith("label") else step for step in log]


def test_without_a_shared_directory_weights_cannot_follow(connect: Callable[..., OpenAIEngine]) -> None:
    engine = connect(tiny_model())
    with pytest.raises(EngineError, match=r"cannot follow a learner; start .*--engine\.weights DIR"):
        run(lambda: engine.update_weights(1, filled(0)))


def test_weights_go_through_the_directory(
    server: FakeServer, connect: Callable[..., OpenAIEngine], learner: Any, loaded: list[str], tmp_path: Path
) -> None:
    engine = connect(learner, weights=tmp_path / "shared")
    assert not engine.why_untrainable
    assert (loaded, steps(server), engine.policy_version) == (["0"], EXCHANGE, 0)
    updated(engine, 3, 5)
    assert (loaded, steps(server), engine.policy_version) == (["0", "5"], EXCHANGE, 3)
    assert generated(engine).policy_versions == [3] * 4
    (only,) = (tmp_path / "shared").iterdir()
    assert only.name.startswith("version-3-")
    assert (only / "model.safetensors").stat().st_mode & 0o777 == 0o644
    run(engine.close)
    assert list((tmp_path / "shared").iterdir()) == []


def test_each_token_has_the_version_that_sampled_it(
    server: FakeServer, connect: Callable[..., OpenAIEngine], learner: Any, loaded: list[str], tmp_path: Path
) -> None:
    engine = connect(learner, weights=tmp_path)
    updated(engine, 9)
    engine.policy_version = 0
    spans = [{"version": "default", "start": 0, "end": 1}, {"version": "8", "start": 1, "end": 3}]
    server.edit = lose("weight_versions", [*spans, {"version": "9", "start": 3, "end": 4}])
    completion = generated(engine, temperature=0.5)
    assert completion.policy_versions == [0, 8, 8, 9]
    assert completion.logprobs == [logprob(token, 0.5) for token in SAID]
    (body,) = server.bodies("/inference/v1/generate")
    assert body["sampling_params"]["ignore_eos"] is True
    assert body["token_ids"] == [1, 2, 3]
    server.edit = lambda choice: choice["token_ids"].reverse()
    with pytest.raises(EngineError, match="log-probabilities are those of other tokens"):
        generated(engine)


def test_a_token_that_the_learner_does_not_have_is_refused(
    server: FakeServer, connect: Callable[..., OpenAIEngine], learner: Any, loaded: list[str], tmp_path: Path
) -> None:
    """The model has 37; the server may have another one by now."""
    engine = connect(learner, weights=tmp_path)
    server.reply = lambda prompt, body: [36, 36, 36]
    assert generated(engine, max_tokens=3).token_ids == [36, 36, 36]
    server.reply = lambda prompt, body: [36, 37, 36]
    with pytest.raises(EngineError, match="the server sampled token 37, the model has 37: it serves another model"):
        generated(engine, max_tokens=3)


def test_weights_that_the_server_was_never_brought_have_sampled_nothing(
    server: FakeServer, connect: Callable[..., OpenAIEngine], learner: Any, loaded: list[str], tmp_path: Path
) -> None:
    engine = connect(learner, weights=tmp_path)
    updated(engine, 3)
    server.edit = lose("weight_versions", [{"version": "4", "start": 0, "end": 4}])
    with pytest.raises(EngineError, match="the server sampled with weights 4, the last it was brought are 3"):
        generated(engine)


def test_an_update_waits_for_no_completion(
    server: FakeServer, connect: Callable[..., OpenAIEngine], learner: Any, loaded: list[str], tmp_path: Path
) -> None:
    """A server holds them during an update: one that stood in line behind them would wait for ever."""
    engine = connect(learner, weights=tmp_path, max_sessions=1)
    server.fault = lambda asked: Fault(delay=600) if "generate" in asked.path else None

    async def both() -> None:
        completion = asyncio.create_task(engine.generate(Prompt([1, 2, 3]), sampling(), session="s"))
        await until(lambda: bool(server.asked))
        await engine.update_weights(1, filled(0))
        assert engine.policy_version == 1
        assert not completion.done()
        completion.cancel()

    run(both, 20)


def test_a_failed_update_leaves_the_old_weights(
    server: FakeServer, connect: Callable[..., OpenAIEngine], learner: Any, loaded: list[str], tmp_path: Path
) -> None:
    engine = connect(learner, weights=tmp_path)
    steps(server)
    load = server.rpc

    def fail_on_new(body: dict[str, Any]) -> list[Any]:
        load(body)
        if loaded[-1] == "6":
            raise OSError("half read")
        return [None]

    server.rpc = fail_on_new
    with pytest.raises(EngineError, match=r"version 1 was not taken up, the old one goes on: .*half read"):
        updated(engine, 1, 6)
    assert loaded == ["0", "6", "0"]
    assert steps(server) == ["pause keep", "rpc agentgym_load", "reset true", "resume"]
    assert (engine.policy_version, len(list(tmp_path.iterdir()))) == (0, 1)
    assert generated(engine).policy_versions == [0] * 4
    updated(engine, 2, 7)
    assert generated(engine).policy_versions == [2] * 4


def test_a_mixture_of_weights_never_samples(
    server: FakeServer, connect: Callable[..., OpenAIEngine], learner: Any, loaded: list[str], tmp_path: Path
) -> None:
    engine = connect(learner, weights=tmp_path)
    load = server.rpc

    def fail(body: dict[str, Any]) -> list[Any]:
        raise OSError("half read")

    server.rpc = fail
    with pytest.raises(EngineError, match="may hold a mixture of weights and was left held; start it anew"):
        updated(engine, 1)
    assert server.weights.is_paused
    server.rpc = load
    updated(engine, 2)  # whole weights make it whole again
    assert generated(engine).policy_versions == [2] * 4


def test_a_cancelled_update_is_finished(
    server: FakeServer, connect: Callable[..., OpenAIEngine], learner: Any, loaded: list[str], tmp_path: Path
) -> None:
    engine = connect(learner, weights=tmp_path)
    steps(server)
    load, cancelled = server.rpc, threading.Event()

    def load_late(body: dict[str, Any]) -> list[Any]:  # the workers take until it is cancelled
        assert cancelled.wait(60)
        return load(body)

    server.rpc = load_late

    async def begin_and_cancel() -> None:
        update = asyncio.create_task(engine.update_weights(1, filled(0)))
        await until(lambda: server.weights.is_paused)
        update.cancel()
        with pytest.raises(asyncio.CancelledError):
            await update

    run(begin_and_cancel)
    assert engine.policy_version == 0
    cancelled.set()
    run(engine.close)
    assert (steps(server), engine.policy_version) == (EXCHANGE, 1)


def test_a_first_update_that_fails_brings_back_what_the_server_started_with(
    server: FakeServer, learner: Any, tmp_path: Path
) -> None:
    def load_start_only(body: dict[str, Any]) -> list[Any]:
        if body["args"] != ["start"]:
            raise OSError("not found")
        return [None]

    server.rpc = load_start_only
    refused(server, "version 0 was not taken up, the old one goes on: .*not found", module=learner, weights=tmp_path)
    assert server.weights.log == ["pause keep", "rpc agentgym_load start", "reset true", "resume"]


def test_a_server_that_an_earlier_run_left_held_samples_once_it_is_whole(
    server: FakeServer, connect: Callable[..., OpenAIEngine], learner: Any, loaded: list[str], tmp_path: Path
) -> None:
    earlier = connect()
    run(lambda: earlier.client.command(f"{earlier.client.root}/pause?mode=keep"))
    server.weights.log.clear()
    assert generated(connect(learner, weights=tmp_path)).token_ids == SAID
    assert steps(server) == EXCHANGE + EXCHANGE


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda server: setattr(server, "is_in_dev_mode", False), "takes commands: .*404.*VLLM_SERVER_DEV_MODE=1"),
        (lambda server: setattr(server, "tempers", False), "start it with --logprobs-mode processed_logprobs"),
        (lambda server: setattr(server, "returns_token_ids", False), "has no effect on a server that is asked in text"),
        (
            lambda server: setattr(server, "fault", lambda a: Fault(status=403) if "generate" in a.path else None),
            "cannot follow the learner .*403.*--enable-scale-out",
        ),
        (
            lambda server: setattr(server, "rpc", lambda body: 1 / 0),
            r"cannot follow .*ZeroDivisionError.*same path on both.*-cls agentgym\.actors\.vllm\.worker\.Weights",
        ),
    ],
)
def test_servers_that_cannot_follow_are_refused(
    server: FakeServer, learner: Any, tmp_path: Path, change: Callable[[FakeServer], None], match: str
) -> None:
    change(server)
    refused(server, match, module=learner, weights=tmp_path)


def test_a_directory_that_is_none_is_refused(server: FakeServer, learner: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(server, "cannot write to .*file: Not a directory", module=learner, weights=tmp_path / "file")


def test_the_worker_extension_is_where_the_server_is_told() -> None:
    module, _, name = EXTENSION.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name).agentgym_load)
