"""What a server can do, asked before anything is written: the model it serves, token ids, log-probabilities.

A few requests for one token each. Whatever stands in the way is a ConfigError that says what to type.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from agentgym.actors.openai.client import BadStatus, Client, NoAnswer
from agentgym.actors.openai.wire import Choice, Completions, Models, Served, read
from agentgym.errors import ConfigError, EngineError, did_you_mean

__all__ = ["Found", "probe"]

_PROMPT = [1, 2]
"""Token ids that every vocabulary has."""
_SERVE = "vllm serve MODEL --logprobs-mode processed_logprobs"
_MAX_NAMES = 8
_COOL, _HOT = 0.1, 2.0
"""Temperatures that every server takes."""
_NOISE = 1e-3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a server offers."""

    model: str
    root: str | None
    """Where the server has it from."""
    max_model_len: int | None
    is_vllm: bool
    form: Literal["tokens", "text"]
    why_text: str
    """Why it is asked in text; empty where it is not."""
    tempered: bool
    """Whether log-probabilities are those of the distribution after temperature and filters."""


async def probe(client: Client, *, model: str | None, form: Literal["auto", "tokens", "text"], key: str) -> Found:
    """Ask the server. ``key`` names the environment variable of its key. Raises ConfigError."""
    try:
        served = await _served(client, model)
        why_not = "that was asked for" if form == "text" else await _why_no_tokens(client, served.id)
        if why_not and form == "tokens":
            raise ConfigError(
                f'engine.form "tokens" cannot be had from {client.base_url}: {why_not}; start a server that returns '
                f"token ids, vLLM 0.10.2 or newer ({_SERVE}), or evaluate with --engine.form text"
            )
        if why_not:
            await _check_chat(client, served.id)
        tempered = not why_not and await _is_tempered(client, served.id)
    except NoAnswer as error:
        raise ConfigError(f"{error}; start the server ({_SERVE}), or correct --engine.base_url URL") from error
    except BadStatus as error:
        raise ConfigError(_advice(client, error, key)) from error
    except EngineError as error:
        raise ConfigError(f"{client.base_url} is no OpenAI-compatible server: {error}") from error
    return Found(
        model=served.id,
        root=served.root,
        max_model_len=served.max_model_len,
        is_vllm=served.owned_by == "vllm",
        form="text" if why_not else "tokens",
        why_text=why_not,
        tempered=tempered,
    )


async def _served(client: Client, model: str | None) -> Served:
    """The model asked for, or the only one there is."""
    try:
        models = read(Models, await client.get("/models"), "/models").data
    except BadStatus as error:
        if model is None or error.status not in (404, 405, 501):
            raise
        return Served(id=model)  # a server that lists none: it will say so itself when the model is not there
    by_name = {served.id: served for served in models}
    if model is None and len(models) == 1:
        return models[0]
    if model in by_name:
        return by_name[model]
    names = ", ".join([*by_name][:_MAX_NAMES]) + (", …" if len(by_name) > _MAX_NAMES else "")
    if model is None:
        raise ConfigError(f"{client.base_url} serves {names or 'no model'}; choose one: --engine.model NAME")
    raise ConfigError(
        f'{client.base_url} does not serve "{model}".{did_you_mean(model, by_name)} It serves {names or "nothing"}; '
        "type: --engine.model NAME"
    )


async def _why_no_tokens(client: Client, model: str) -> str:
    """Why this server cannot be asked with token ids; empty if it can."""
    try:
        choice = await _one_token(client, model)
    except BadStatus as error:
        if error.status not in (400, 404, 405, 415, 422, 501):
            raise
        return f"it refuses /completions with token ids as the prompt ({error.status}: {error.said})"
    except NoAnswer:
        raise
    except EngineError as error:
        return str(error)
    if not choice.token_ids:
        return "the server returns no token ids"
    if choice.prompt_token_ids not in (None, _PROMPT):
        return f"the server read the prompt {_PROMPT} as {choice.prompt_token_ids}"
    if choice.token_logprobs is None or len(choice.token_logprobs) != len(choice.token_ids):
        return "the server returns no log-probabilities"
    return ""


async def _is_tempered(client: Client, model: str) -> bool:
    """Whether temperature changes the log-probabilities that are returned.

    The likeliest token's own, so that it does not matter which was sampled: heat makes it
    less likely.
    """
    cool, hot = [await _likeliest(client, model, temperature) for temperature in (_COOL, _HOT)]
    return abs(cool - hot) > _NOISE


async def _likeliest(client: Client, model: str, temperature: float) -> float:
    choice = await _one_token(client, model, temperature=temperature)
    tops = (choice.logprobs and choice.logprobs.top_logprobs) or [None]
    return max((tops[0] or {}).values(), default=0.0)


async def _check_chat(client: Client, model: str) -> None:
    """Raise BadStatus where there is no chat, or not with this key. What else a short question may meet is no proof."""
    question = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 16}
    try:
        await client.post("/chat/completions", question)
    except BadStatus as error:
        if error.status in (401, 403, 404, 405):
            raise


async def _one_token(client: Client, model: str, *, temperature: float = 1.0) -> Choice:
    question = {"model": model, "prompt": _PROMPT, "max_tokens": 1, "temperature": temperature, "logprobs": 1}
    body = await client.post("/completions", {**question, "return_token_ids": True})
    return read(Completions, body, "/completions").choices[0]


def _advice(client: Client, error: BadStatus, key: str) -> str:
    """What to do about a refusal."""
    if error.status in (401, 403):
        return f"{client.base_url} refuses the key ({error.status}: {error.said}); set it: export {key}=..."
    if error.status == 404 and client.root == client.base_url:
        return f"{error}; the address usually ends in /v1: --engine.base_url {client.base_url}/v1"
    return f"{error}; correct --engine.base_url URL or look at the server's own messages"
