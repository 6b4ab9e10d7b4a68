"""What a server's answers hold, checked before anything is believed: JSON in, completions and replies out.

Unknown keys are ignored, since every server adds its own; what is used must be there and of its type. Token ids
and log-probabilities that do not belong together are an error: nothing here is repaired.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias, TypeVar, cast

from pydantic import BaseModel, Field, ValidationError

from agentgym.engine import Completion, Sampling
from agentgym.errors import EngineError
from agentgym.media import data_url

__all__ = [
    "ChatAnswer",
    "Choice",
    "Completions",
    "GeneratedAnswer",
    "Models",
    "Pause",
    "Reset",
    "Served",
    "as_function",
    "as_message",
    "completion_of",
    "read",
    "reply_of",
    "versions_of",
]


TokenId: TypeAlias = Annotated[int, Field(strict=True, ge=0, lt=2**31)]
"""What can be the id of a token; records hold it in four bytes."""
Logprob: TypeAlias = Annotated[float, Field(strict=True, ge=-1e5, le=1e-3, allow_inf_nan=False)]
"""What can be a log-probability: a rounding above 0 at most. Servers write -9999 for tokens that cannot be."""


class Served(BaseModel):
    """One entry of /models."""

    id: str
    owned_by: str | None = None
    root: str | None = None
    max_model_len: int | None = Field(None, ge=1)


class Models(BaseModel):
    """/models."""

    data: list[Served]


class TokenLogprobs(BaseModel):
    """How likely the tokens themselves were, None for a first one, and the likeliest in their place."""

    token_logprobs: list[Logprob | None] | None = None
    top_logprobs: list[dict[str, Logprob] | None] | None = None


class Choice(BaseModel):
    """One completion of /completions."""

    token_ids: list[TokenId] | None = None
    prompt_token_ids: list[TokenId] | None = None
    logprobs: TokenLogprobs | None = None
    finish_reason: str | None = None

    @property
    def token_logprobs(self) -> list[float | None] | None:
        return self.logprobs.token_logprobs if self.logprobs else None


class Completions(BaseModel):
    """/completions."""

    choices: list[Choice] = Field(min_length=1)


class VersionSpan(BaseModel):
    """Tokens [start, end) of a completion were sampled by the weights ``version``."""

    version: Annotated[str, Field(max_length=64)]
    start: Annotated[int, Field(strict=True, ge=0)]
    end: Annotated[int, Field(strict=True, ge=0)]


class GeneratedToken(BaseModel):
    """One token of /inference/v1/generate."""

    token_id: TokenId
    logprob: Logprob


class GeneratedLogprobs(BaseModel):
    content: list[GeneratedToken]


class Generated(BaseModel):
    """One completion of /inference/v1/generate."""

    token_ids: list[TokenId]
    logprobs: GeneratedLogprobs
    finish_reason: str | None = None
    weight_versions: list[VersionSpan] | None = None

    @property
    def token_logprobs(self) -> list[float | None]:
        """Raises EngineError when they are those of other tokens."""
        if [token.token_id for token in self.logprobs.content] != self.token_ids:
            raise EngineError("the server's log-probabilities are those of other tokens than it sampled")
        return [token.logprob for token in self.logprobs.content]


class GeneratedAnswer(BaseModel):
    """/inference/v1/generate."""

    choices: list[Generated] = Field(min_length=1)


class Pause(BaseModel):
    """/is_paused."""

    is_paused: bool


class Reset(BaseModel):
    """/reset_prefix_cache."""

    success: bool


class Function(BaseModel):
    name: str
    arguments: Any = "{}"
    """JSON as text; an object from servers that read the interface freely."""


class Call(BaseModel):
    function: Function


class Message(BaseModel):
    """What the assistant said."""

    content: str | list[Any] | None = None
    refusal: str | None = None
    tool_calls: list[Call] | None = None


class ChatChoice(BaseModel):
    message: Message


class ChatAnswer(BaseModel):
    """/chat/completions."""

    choices: list[ChatChoice] = Field(min_length=1)


M = TypeVar("M", bound=BaseModel)


def read(model: type[M], body: str, path: str) -> M:
    """``body`` as a ``model``. Raises EngineError, with what was wrong and how the body begins."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        begins = body[:200] + ("…" if len(body) > 200 else "")
        raise EngineError(
            f"the server's answer to {path} cannot be read: {where}: {first['msg']}; {begins!r}"
        ) from None


_REASONS: dict[str | None, Literal["stop", "length", "aborted"]] = {
    "stop": "stop",
    "length": "length",
    "abort": "aborted",
}


def completion_of(
    choice: Choice | Generated, sampling: Sampling, versions: Sequence[int], *, vocabulary: int | None = None
) -> Completion:
    """The sampled tokens. Raises EngineError unless ids, log-probabilities, versions and reason agree.

    A completion ends with one of ``stop_token_ids`` exactly if it was stopped, and has none before its end.
    ``vocabulary`` is how many tokens the model has, where that is known.
    """
    ids, logprobs = choice.token_ids, choice.token_logprobs
    if ids is None or logprobs is None:
        raise EngineError("the server's completion lacks " + ("token ids" if ids is None else "log-probabilities"))
    if len(ids) != len(logprobs) or len(versions) != len(ids) or None in logprobs:
        known = sum(value is not None for value in logprobs)
        raise EngineError(
            f"the server sent {len(ids)} token ids with {known} log-probabilities and {len(versions)} versions of "
            "weights, expected one of each for each token"
        )
    if vocabulary is not None and ids and max(ids) >= vocabulary:
        raise EngineError(f"the server sampled token {max(ids)}, the model has {vocabulary}: it serves another model")
    reason = _REASONS.get(choice.finish_reason)
    if reason is None:
        raise EngineError(f'the server ended a completion because of "{choice.finish_reason}", expected stop or length')
    _check_end(ids, reason, sampling)
    return Completion(
        token_ids=ids, logprobs=cast(list[float], logprobs), policy_versions=list(versions), finish_reason=reason
    )


def _check_end(ids: Sequence[int], reason: str, sampling: Sampling) -> None:
    stops = sampling.stop_token_ids
    if len(ids) > sampling.max_tokens or (not ids and reason != "aborted"):
        raise EngineError(f"the server sampled {len(ids)} tokens, expected 1 to {sampling.max_tokens}")
    if any(token in stops for token in ids[:-1]):
        raise EngineError(f"the server sampled past a stop token; they are {stops}, the completion is {list(ids)[:50]}")
    if reason == "stop" and ids[-1] not in stops:
        raise EngineError(
            f"the server keeps the token that ended a completion to itself: stopped after {ids[-1]}, expected one of "
            f"{stops} there; a server that tells it is vLLM"
        )


def versions_of(generated: Generated, started: int, *, newest: int) -> list[int]:
    """The version of the weights that sampled each token; ``started`` where the server has no name for them yet.

    Raises EngineError for spans that are not one after the other within the completion, and for a version above
    ``newest``, the last that it was brought.
    """
    versions, before = [started] * len(generated.token_ids), 0
    for span in generated.weight_versions or ():
        if not before <= span.start <= span.end <= len(versions):
            raise EngineError(
                f"the server tells weights of the tokens {span.start} to {span.end}, expected a span between {before} "
                f"and {len(versions)}"
            )
        if span.version.isascii() and span.version.isdecimal():
            if int(span.version) > newest:
                raise EngineError(
                    f"the server sampled with weights {span.version}, the last it was brought are {newest}"
                )
            versions[span.start : span.end] = [int(span.version)] * (span.end - span.start)
        before = span.end
    return versions


def reply_of(answer: ChatAnswer) -> str:
    """What was said as text; tool calls as the protocol "tools" writes them, so that it can read them.

    Arguments that are no JSON stay as they are: the protocol tells the policy so.
    """
    message = answer.choices[0].message
    calls = [_call_text(call.function) for call in message.tool_calls or ()]
    return "\n".join(filter(None, [_text(message.content) or message.refusal, *calls]))


def _text(content: str | list[Any] | None) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, Mapping))
    return content or ""


def _call_text(function: Function) -> str:
    name = json.dumps(function.name)
    arguments = function.arguments if isinstance(function.arguments, str) else json.dumps(function.arguments)
    call = f'{{"name": {name}, "arguments": {arguments or "{}"}}}'
    for end in ("</tool_call>", "</think>"):  # the same text to JSON, and no end of the call or of a thought
        call = call.replace(end, end.replace("/", r"\/"))
    return f"<tool_call>{call}</tool_call>"


def as_function(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A tool's schema as the interface wants it, whether it comes bare or wrapped."""
    return dict(tool) if "function" in tool else {"type": "function", "function": dict(tool)}


def as_message(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message as the interface wants it: its images as URLs that hold them."""
    content = message.get("content")
    if not isinstance(content, list):
        return dict(message)
    return {**message, "content": [_as_part(part) for part in content]}


def _as_part(part: Mapping[str, Any]) -> dict[str, Any]:
    if part["type"] != "image":
        return dict(part)
    return {"type": "image_url", "image_url": {"url": data_url(part["image"])}}
