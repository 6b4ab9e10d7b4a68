"""What the REPL needs of a policy, and how to get it from an engine.

The conversation is rendered and tokenised anew each turn, so that it can be cut anywhere by ``:undo``. A rollout
never does that: what is shown here is for people, not for training.
"""

from __future__ import annotations

import itertools
import typing
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from agentgym.engine import Engine, Sampling
from agentgym.errors import UserError
from agentgym.protocol import Protocol
from agentgym.rollout import seed_of
from agentgym.stream import TokenStream
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import Message

__all__ = ["EnginePolicy", "Policy", "Reply"]


class Reply(NamedTuple):
    """What a policy said."""

    text: str
    tokens: tuple[tuple[str, float], ...] = ()
    """Each sampled token and its log-probability, the one that ended the turn included."""

    @property
    def logprob(self) -> float:
        """Log-probability of the whole reply."""
        return sum(logprob for _, logprob in self.tokens)


class Policy(typing.Protocol):
    """Says the next reply of a conversation, in the form of ``protocol``."""

    protocol: Protocol

    async def say(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> Reply:
        """Sample a reply."""

    async def score(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]], replies: Sequence[str]
    ) -> list[float]:
        """Log-probability of each of ``replies``."""


class EnginePolicy:
    """A policy that samples from ``engine``, which is the caller's; asked twice at the same moment it samples twice."""

    def __init__(
        self,
        engine: Engine,
        tokenizer: ChatTokenizer,
        protocol: Protocol,
        *,
        temperature: float = 1.0,
        max_tokens: int = 64,
        seed: int = 0,
    ) -> None:
        self.engine, self.tokenizer, self.protocol = engine, tokenizer, protocol
        self.temperature, self.max_tokens, self.seed = temperature, max_tokens, seed
        self._draws = itertools.count()

    async def say(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> Reply:
        """Sample a reply. Raises EngineError when the conversation leaves no room in the context."""
        prompt, draw = self._stream(messages, tools).prompt, next(self._draws)
        sampling = Sampling(
            temperature=self.temperature,
            max_tokens=max(1, min(self.max_tokens, self.engine.max_context - len(prompt.token_ids))),
            stop_token_ids=self.tokenizer.stop_token_ids,
            seed=seed_of(self.seed, draw) if self.engine.supports_seeds else None,
        )
        if self.engine.speaks_text:
            return Reply(await self.engine.chat(messages, sampling, tools=tools))
        session = f"repl/{draw}"
        try:
            completion = await self.engine.generate(prompt, sampling, session=session)
        finally:
            self.engine.release(session)
        tokens = [self.tokenizer.decode([token]) for token in completion.token_ids]
        text = self.tokenizer.decode_reply(completion.token_ids)
        return Reply(text, tuple(zip(tokens, completion.logprobs, strict=True)))

    async def score(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]], replies: Sequence[str]
    ) -> list[float]:
        """Log-probability of each reply and its end, at temperature 1. Raises UserError where there are no tokens."""
        if self.engine.speaks_text:
            raise UserError("this engine is asked in text, which has no probabilities; use one that takes token ids")
        stream = self._stream(messages, tools)
        prompt = stream.prompt

        async def one(reply: str) -> float:
            ids = [*self.tokenizer.encode_reply(reply, after=stream.text), self.tokenizer.stop_token_ids[0]]
            whole = prompt._replace(token_ids=[*prompt.token_ids, *ids])
            return sum((await self.engine.score(whole))[len(prompt.token_ids) :])

        return [await one(reply) for reply in replies]

    def _stream(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> TokenStream:
        stream = TokenStream(self.tokenizer)
        stream.extend(messages, tools)
        return stream
