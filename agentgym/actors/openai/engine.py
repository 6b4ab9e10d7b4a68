"""Any OpenAI-compatible server as an engine: vLLM, SGLang, llama.cpp, a hosted model.

Where the server takes token ids and returns them with their log-probabilities (vLLM does), the engine speaks
tokens and everything works with it, learning included; where it does not, the engine speaks text and is for
evaluation, judges and experts. Which of the two is found out when the engine starts.

What a server may add on its own account is asked away: vLLM takes filters and penalties of a model's
``generation_config.json`` for its defaults and ends at any end-of-text token; here a completion is drawn from the
distribution that was asked for and ends at ``stop_token_ids`` alone. Sessions are the server's own prefix cache.

The weights of a server follow a learner only where both see one directory: see ``weights``. Without that a
server may return log-probabilities of before temperature and filters, which is of no account in evaluation.

``vllm serve MODEL`` is ``python -m vllm.entrypoints.openai.api_server --model MODEL`` where vLLM is the CPU's package.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from agentgym.actors.openai.client import BadStatus, Client
from agentgym.actors.openai.probe import Found, probe
from agentgym.actors.openai.weights import GENERATE, START, SharedWeights
from agentgym.actors.openai.wire import (
    ChatAnswer,
    Completions,
    GeneratedAnswer,
    as_function,
    as_message,
    completion_of,
    read,
    reply_of,
    versions_of,
)
from agentgym.engine import Completion, Engine, NamedWeights, Prompt, Sampling, text_only
from agentgym.errors import ConfigError, EngineError
from agentgym.extras import installed
from agentgym.loops import to_the_end
from agentgym.registry import register
from agentgym.types import Message

__all__ = ["OpenAIEngine"]

_TEXT_CONTEXT = 2**20
"""Context where a server that speaks text does not tell its own: it will refuse what does not fit."""

_NEWER_KEY = "max_completion_tokens"
"""What some models insist that max_tokens be called."""


@register
class OpenAIEngine(Engine):
    """Samples from the model that a server has.

    ``start`` raises ConfigError when the server cannot be reached, does not serve the model or cannot do what is asked.

    Args:
        module: the learner's, if the server's weights are to follow it
        base_url: the server, up to and with /v1; by default what $OPENAI_BASE_URL says
        model: its name there; not needed where the server has one only
        api_key_env: environment variable that holds the key; servers of one's own need none
        form: "tokens", "text", or "auto" for tokens where the server can
        max_context: tokens of a session; by default what the server says
        max_sessions: requests in flight; further ones wait
        timeout: seconds for one request
        max_retries: how often a request is sent again
        weights: a directory that this machine and the server's both see, for learning
    """

    has_own_model = True
    model: str
    found: Found
    """What the server offers."""

    @classmethod
    def refuse_missing(cls) -> None:
        installed("openai", extra="openai")

    def __init__(
        self,
        module: Any = None,
        *,
        base_url: Annotated[str, Field(pattern=r"^https?://[^/\s]+")] | None = None,
        model: str | None = None,
        api_key_env: Annotated[str, Field(min_length=1)] = "OPENAI_API_KEY",
        form: Literal["auto", "tokens", "text"] = "auto",
        max_context: Annotated[int, Field(ge=2)] | None = None,
        max_sessions: Annotated[int, Field(ge=1)] = 128,
        timeout: Annotated[float, Field(gt=0)] = 600,
        max_retries: Annotated[int, Field(ge=0)] = 2,
        weights: Path | None = None,
    ) -> None:
        self.client = Client(
            _address(base_url),
            api_key=os.environ.get(api_key_env) or "none",
            timeout=timeout,
            max_retries=max_retries,
            max_requests=max_sessions,
        )
        self._weights = None if weights is None else SharedWeights(self.client, module, weights)
        self._probe = functools.partial(probe, self.client, model=model, form=form, key=api_key_env)
        self._asked_context = max_context
        self._max_tokens_key = "max_tokens"

    async def start(self) -> None:
        """Find out what the server can do, and bring it the learner's weights if they are to follow."""
        if self._weights is not None:
            await self._weights.prepare()
        self.found = await self._probe()
        self.model, self.speaks_text = self.found.model, self.found.form == "text"
        self.max_context = _context(self._asked_context, self.found)
        self.supports_seeds = self.found.is_vllm or not self.speaks_text
        if self._weights is not None:
            await self._weights.check(self.found)
        else:
            self.why_untrainable = self.found.why_text or (
                "the server's weights cannot follow a learner; with vLLM they can, through a directory that both "
                f"machines see: {START}, and --engine.weights DIR"
            )

    # -- tokens --------------------------------------------------------------------------------------

    async def generate(self, prompt: Prompt, sampling: Sampling, *, session: str) -> Completion:
        token_ids = text_only(prompt)
        self._check(token_ids, sampling)
        version = self.policy_version
        if self._weights is not None:
            return await self._generate_with_versions(self._weights, token_ids, sampling, version)
        body = {
            "model": self.model,
            "prompt": list(token_ids),
            "logprobs": 1,
            "return_token_ids": True,
            **_exactly(sampling),
        }
        choice = read(Completions, await self.client.post("/completions", body), "/completions").choices[0]
        if choice.prompt_token_ids not in (None, body["prompt"]):
            raise EngineError("the server sampled from another prompt than it was given: it changes token ids")
        return completion_of(choice, sampling, [version] * len(choice.token_ids or ()))

    async def _generate_with_versions(
        self, shared: SharedWeights, token_ids: Sequence[int], sampling: Sampling, version: int
    ) -> Completion:
        """While weights may change in flight: each token with the version that sampled it."""
        settings = {**_exactly(sampling), "logprobs": 0}
        body = {"model": self.model, "token_ids": list(token_ids), "sampling_params": settings}
        answer = read(GeneratedAnswer, await self.client.post(self.client.root + GENERATE, body), GENERATE).choices[0]
        return completion_of(
            answer,
            sampling,
            versions_of(answer, version, newest=max(version, shared.newest)),
            vocabulary=shared.vocabulary,
        )

    async def score(self, prompt: Prompt) -> list[float]:
        token_ids = text_only(prompt)
        self._refuse_text()
        body = {"model": self.model, "prompt": list(token_ids), "echo": True, "max_tokens": 0, "logprobs": 1}
        try:
            answer = await self.client.post("/completions", {**body, "temperature": 1.0, "return_token_ids": True})
        except BadStatus as error:
            raise EngineError(f"this server cannot score a text ({error}); vLLM can") from error
        logprobs = read(Completions, answer, "/completions").choices[0].token_logprobs or []
        if len(logprobs) != len(token_ids) or None in logprobs[1:]:
            raise EngineError(
                f"this server cannot score a text: it gave {len(logprobs)} log-probabilities for {len(token_ids)} "
                "tokens of a prompt; vLLM can"
            )
        return [0.0, *(value for value in logprobs[1:] if value is not None)]

    def _check(self, token_ids: Sequence[int], sampling: Sampling) -> None:
        self._refuse_text()
        needed = len(token_ids) + sampling.max_tokens
        if not token_ids or sampling.max_tokens < 1 or needed > self.max_context:
            raise EngineError(
                f"{len(token_ids)} prompt tokens and {sampling.max_tokens} new ones were asked for; both must be at "
                f"least 1 and together fit the context of {self.max_context}"
            )

    def _refuse_text(self) -> None:
        if self.speaks_text:
            raise EngineError(f"{self.model} is asked in text: {self.found.why_text}; use chat")

    # -- text ----------------------------------------------------------------------------------------

    async def chat(
        self, messages: Sequence[Message], sampling: Sampling, *, tools: Sequence[Mapping[str, Any]] = ()
    ) -> str:
        body = {
            "model": self.model,
            "messages": [as_message(message) for message in messages],
            **self._loosely(sampling),
        }
        if tools:
            body["tools"] = [as_function(tool) for tool in tools]
        answer = await self._chat(body, sampling.max_tokens, self._max_tokens_key)
        return reply_of(read(ChatAnswer, answer, "/chat/completions"))

    async def _chat(self, body: Mapping[str, Any], max_tokens: int, key: str) -> str:
        try:
            return await self.client.post("/chat/completions", {**body, key: max_tokens})
        except BadStatus as error:
            if key == _NEWER_KEY or _NEWER_KEY not in error.said:
                raise
        self._max_tokens_key = _NEWER_KEY
        return await self._chat(body, max_tokens, _NEWER_KEY)

    def _loosely(self, sampling: Sampling) -> dict[str, Any]:
        """What any server understands, and of the rest what matters here."""
        filters = {"top_k": sampling.top_k, "min_p": sampling.min_p}
        settings = {"temperature": sampling.temperature, "top_p": sampling.top_p, **_seed(sampling)}
        if self.found.is_vllm:
            return {**settings, **filters, "repetition_penalty": 1.0}
        return {**settings, **{name: value for name, value in filters.items() if value}}

    # -- weights -------------------------------------------------------------------------------------

    async def update_weights(self, version: int, weights: NamedWeights) -> None:
        if self._weights is None:
            raise EngineError(
                f"the weights of {self.client.base_url} cannot follow a learner; start the server like this: {START}; "
                "and name a directory that both machines see: --engine.weights DIR"
            )
        # To its end even when the caller is cancelled: a server that is left held would answer nobody.
        await to_the_end(self._take_up(self._weights, version, weights))

    async def _take_up(self, shared: SharedWeights, version: int, weights: NamedWeights) -> None:
        await shared.update(version, weights)
        self.policy_version = version

    async def close(self) -> None:
        if self._weights is not None:
            await self._weights.close()
        await self.client.close()


def _address(base_url: str | None) -> str:
    address = base_url or os.environ.get("OPENAI_BASE_URL")
    if not address:
        raise ConfigError(
            "the engine openai needs a server; type: --engine.base_url http://localhost:8000/v1 "
            "(for one of your own: vllm serve MODEL)"
        )
    return address


def _context(asked: int | None, found: Found) -> int:
    """Raises ConfigError for more than the server has, or where nobody knows."""
    limit = found.max_model_len
    if asked is not None and limit is not None and asked > limit:
        raise ConfigError(f"engine.max_context is {asked}, {found.model} is served with {limit} at most")
    if asked is None and limit is None and found.form == "tokens":
        raise ConfigError("the server does not say how many tokens it can hold; type: --engine.max_context N")
    return asked or limit or _TEXT_CONTEXT


def _exactly(sampling: Sampling) -> dict[str, Any]:
    """The whole distribution, said aloud: what is left out, vLLM fills in with the model's own defaults."""
    return {
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "stop_token_ids": list(sampling.stop_token_ids),
        "ignore_eos": True,
        "include_stop_str_in_output": True,
        **_seed(sampling),
    }


def _seed(sampling: Sampling) -> dict[str, int]:
    """Greedy sampling draws nothing, so it needs no seed, and some servers make no generator for free."""
    return {} if sampling.seed is None or sampling.temperature == 0 else {"seed": sampling.seed}
