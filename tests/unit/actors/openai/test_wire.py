"""What a server's answers are taken for, without a server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentgym.actors.openai.wire import (
    Choice,
    Completions,
    Generated,
    GeneratedAnswer,
    Models,
    as_function,
    as_message,
    completion_of,
    read,
    versions_of,
)
from agentgym.engine import Completion
from agentgym.errors import EngineError
from tests.kit import sampling

END = 7


def completion(ids: list[int], reason: str, *, versions: list[int] | None = None, **changes: Any) -> Completion:
    choice = {"token_ids": ids, "logprobs": {"token_logprobs": [-0.5] * len(ids)}, "finish_reason": reason, **changes}
    asked = sampling(max_tokens=3, stop_token_ids=(9, END))
    return completion_of(Choice.model_validate(choice), asked, [4] * len(ids) if versions is None else versions)


@pytest.mark.parametrize(
    ("ids", "reason", "said"),
    [
        ([END], "stop", "stop"),
        ([8, 8, END], "stop", "stop"),
        ([8, 9], "stop", "stop"),
        ([8, 8, 8], "length", "length"),
        ([8, END], "length", "length"),
        ([8], "abort", "aborted"),
        ([], "abort", "aborted"),
    ],
)
def test_what_adds_up_is_taken_as_it_is(ids: list[int], reason: str, said: str) -> None:
    found = completion(ids, reason)
    assert found == Completion(
        token_ids=ids,
        logprobs=[-0.5] * len(ids),
        policy_versions=[4] * len(ids),
        finish_reason=said,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("ids", "reason", "changes", "told"),
    [
        ([8] * 4, "length", {}, "sampled 4 tokens, expected 1 to 3"),
        ([], "length", {}, "sampled 0 tokens, expected 1 to 3"),
        ([8, 8], "stop", {}, r"stopped after 8, expected one of \(9, 7\) there"),
        ([END, 8], "length", {}, r"sampled past a stop token; they are \(9, 7\), the completion is \[7, 8\]"),
        ([8], "length", {"token_ids": None}, "lacks token ids"),
        ([8], "length", {"logprobs": None}, "lacks log-probabilities"),
        ([8, 8], "length", {"versions": [4]}, "2 token ids with 2 log-probabilities and 1 versions"),
        (
            [8, 8],
            "length",
            {"logprobs": {"token_logprobs": [None, -1.0]}},
            "with 1 log-probabilities and 2",
        ),
        ([8], "tool_calls", {}, 'because of "tool_calls", expected stop or length'),
    ],
)
def test_what_does_not_add_up_is_told(ids: list[int], reason: str, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(EngineError, match=told):
        completion(ids, reason, **changes)


def generated(*spans: tuple[str, int, int], ids: tuple[int, ...] = (5, 6, 7, 8)) -> Generated:
    content = [{"token_id": token, "logprob": -0.25} for token in ids]
    named = [{"version": version, "start": start, "end": end} for version, start, end in spans]
    return Generated.model_validate(
        {"token_ids": list(ids), "logprobs": {"content": content}, "weight_versions": named or None}
    )


def test_a_span_of_versions_ends_before_its_end() -> None:
    assert versions_of(generated(("8", 1, 3), ("9", 3, 4)), 2, newest=9) == [2, 8, 8, 9]
    assert versions_of(generated(("default", 0, 2), ("11", 2, 4)), 2, newest=11) == [2, 2, 11, 11]
    assert versions_of(generated(), 2, newest=2) == [2] * 4


@pytest.mark.parametrize(
    ("spans", "told"),
    [
        ([("8", 0, 5)], "tokens 0 to 5, expected a span between 0 and 4"),
        ([("8", 0, 10**12)], "tokens 0 to 1000000000000, expected"),
        ([("8", 3, 2)], "tokens 3 to 2, expected"),
        ([("8", 0, 3), ("9", 2, 4)], "tokens 2 to 4, expected a span between 3 and 4"),
        ([("8", 2, 4), ("9", 0, 2)], "tokens 0 to 2, expected a span between 4 and 4"),
        ([("10", 0, 4)], "sampled with weights 10, the last it was brought are 9"),
        ([("9" * 64, 0, 4)], "the last it was brought are 9"),
    ],
)
def test_spans_lie_one_after_the_other_in_the_completion(spans: list[tuple[str, int, int]], told: str) -> None:
    with pytest.raises(EngineError, match=told):
        versions_of(generated(*spans), 2, newest=9)
    assert versions_of(generated(("\u0663", 0, 4)), 2, newest=9) == [2] * 4  # no digit of ours


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"token_ids": [8, -1]}, r"token_ids\.1: Input should be greater than or equal to 0"),
        ({"token_ids": [8, 2**31]}, r"token_ids\.1: Input should be less than 2147483648"),
        ({"token_ids": [8, True]}, r"token_ids\.1: Input should be a valid integer"),
        ({"token_ids": [8, "9"]}, r"token_ids\.1: Input should be a valid integer"),
        ({"token_ids": [8, 1.5]}, r"token_ids\.1: Input should be a valid integer"),
        ({"prompt_token_ids": [-1]}, r"prompt_token_ids\.0: Input should be greater"),
        ({"logprobs": {"token_logprobs": [-0.5, 0.25]}}, r"token_logprobs\.1: Input should be less than or equal to 0"),
        ({"logprobs": {"token_logprobs": [-0.5, -1e30]}}, r"token_logprobs\.1: Input should be greater"),
        ({"logprobs": {"token_logprobs": [-0.5, "-1"]}}, r"token_logprobs\.1: Input should be a valid number"),
        ({"logprobs": {"top_logprobs": [{"x": 3.0}]}}, r"top_logprobs\.0\.x: Input should be less"),
    ],
)
def test_ids_and_log_probabilities_are_in_range_or_refused(changes: dict[str, Any], where: str) -> None:
    choice = {"token_ids": [8, 8], "logprobs": {"token_logprobs": [-0.5, 1e-7]}, "finish_reason": "length"}
    assert read(Completions, json.dumps({"choices": [choice]}), "/x").choices[0].token_ids == [8, 8]
    with pytest.raises(EngineError, match=where):
        read(Completions, json.dumps({"choices": [{**choice, **changes}]}), "/x")


@pytest.mark.parametrize("token", [{"token_id": -5, "logprob": -0.25}, {"token_id": 5, "logprob": 0.25}])
def test_the_same_where_each_token_is_told_by_itself(token: dict[str, Any]) -> None:
    answer = {"choices": [{"token_ids": [5], "logprobs": {"content": [token]}}]}
    with pytest.raises(EngineError, match="Input should be"):
        read(GeneratedAnswer, json.dumps(answer), "/x")


def test_a_token_that_the_model_does_not_have_is_refused() -> None:
    choice = Choice.model_validate(
        {"token_ids": [8, 9], "logprobs": {"token_logprobs": [-0.5, -0.5]}, "finish_reason": "length"}
    )
    assert completion_of(choice, sampling(), [1, 1], vocabulary=10).token_ids == [8, 9]
    with pytest.raises(EngineError, match="sampled token 9, the model has 9: it serves another model"):
        completion_of(choice, sampling(), [1, 1], vocabulary=9)


def test_log_probabilities_are_those_of_the_tokens_beside_them() -> None:
    own = generated()
    assert own.token_logprobs == [-0.25] * 4
    own.token_ids = [5, 6, 8, 7]
    with pytest.raises(EngineError, match="those of other tokens than it sampled"):
        _ = own.token_logprobs


def test_what_cannot_be_read_is_told_with_where_and_its_beginning() -> None:
    long = json.dumps({"choices": [], "x": "y" * 300})
    with pytest.raises(EngineError, match=r"/completions cannot be read: choices: List should have at") as told:
        read(Completions, long, "/completions")
    assert repr(long[:200] + "…") in str(told.value)
    short = '{"data": [{"id": "tiny", "max_model_len": 0}]}'
    with pytest.raises(EngineError, match=r"data\.0\.max_model_len: Input should be greater") as told:
        read(Models, short, "/models")
    assert str(told.value).endswith(repr(short))
    with pytest.raises(EngineError, match="cannot be read: the body: Invalid JSON"):
        read(Models, "<html>", "/models")


def test_a_tool_is_wrapped_once_and_a_message_of_text_stays_as_it_is() -> None:
    bare = {"name": "add"}
    wrapped = {"type": "function", "function": bare}
    assert as_function(bare) == as_function(wrapped) == wrapped
    assert as_message({"role": "user", "content": "hi"}) == {"role": "user", "content": "hi"}
