"""What the REPL needs of a policy, and how to get it from an engine.

The conversation is rendered and tokenised anew each turn, so that it can be cut anywhere by ``:undo``. A rollout
never does that: what is shown here is for people, not for training.
"""

from __future__ import annotations

import itertools
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from agentgym.engine import Engine, Sampling
from agentgym.errors import UserError
from agentgym.protocol import Protocol
from agentgym.rollout import Rollout, seed_of
from agentgym.stream import TokenStream
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import Message

__all__ = ["EnginePolicy", "Hear", "Place", "Policy", "Reply", "Sent"]

Hear: TypeAlias = Callable[[str, float], object]
"""Is given the text of a sampled token and its log-probability."""


class Reply(NamedTuple):
    """What a policy said."""

    text: str
    tokens: tuple[tuple[str, float], ...] = ()
    """Each sampled token and its log-probability, the one that ended the turn included."""
    token_ids: tuple[int, ...] = ()
    """The same tokens; none where the policy is asked in text."""

    @property
    def logprob(self) -> float:
        """Log-probability of the whole reply."""
        return sum(logprob for _, logprob in self.tokens)


class Place(NamedTuple):
    """A token of a reply among those that might have stood there, at temperature 1."""

    token: str
    logprob: float
    """As it was sampled."""
    entropy: float
    """In nats."""
    likeliest: tuple[tuple[str, float], ...]


class Sent(NamedTuple):
    """What a policy is sent."""

    text: str
    num_tokens: int | None
    """None where only the server can count them."""
    num_images: int
    max_context: int
    """Tokens that prompt and reply may have together."""


class Policy(typing.Protocol):
    """Says the next reply of a conversation, in the form of ``protocol``."""

    protocol: Protocol

    async def say(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]], *, hear: Hear | None = None
    ) -> Reply:
        """Sample a reply; ``hear`` is given its tokens as they come, where that can be told."""

    async def score(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]], replies: Sequence[str]
    ) -> list[float]:
        """Log-probability of each of ``replies``."""


class EnginePolicy:
    """A policy that samples from ``engine``, which is the caller's; asked twice at the same moment it samples twice.

    With a ``rollout`` it can search too.
    """

    def __init__(
        self,
        engine: Engine,
        tokenizer: ChatTokenizer,
        protocol: Protocol,
        *,
        temperature: float = 1.0,
        max_tokens: int = 64,
        seed: int = 0,
        name: str = "policy",
        rollout: Rollout | None = None,
    ) -> None:
        self.engine, self.tokenizer, self.protocol = engine, tokenizer, protocol
        self.temperature, self.max_tokens, self.seed = temperature, max_tokens, seed
        self.name, self.rollout = name, rollout
        self._draws = itertools.count()

    async def say(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]], *, hear: Hear | None = None
    ) -> Reply:
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
        session, heard = f"repl/{draw}", _Heard(self.tokenizer, hear)
        try:
            completion = await self.engine.stream(prompt, sampling, session=session, tell=heard)
        finally:
            self.engine.release(session)
        text = self.tokenizer.decode_reply(completion.token_ids)
        return Reply(text, tuple(heard.tokens), tuple(completion.token_ids))

    async def score(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]], replies: Sequence[str]
    ) -> list[float]:
        """Log-probability of each reply and its end, at temperature 1. Raises UserError where there are no tokens."""
        self._refuse_text()
        stream = self._stream(messages, tools)
        prompt = stream.prompt

        async def one(reply: str) -> float:
            whole = prompt._replace(token_ids=[*prompt.token_ids, *self.ids_of(reply, after=stream.text)])
            return sum((await self.engine.score(whole))[len(prompt.token_ids) :])

        return [await one(reply) for reply in replies]

    async def places(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]], reply: Reply, *, most: int = 5
    ) -> list[Place]:
        """What else might have been said at each token of ``reply``, and how unsure the policy was.

        Raises UserError where there are no tokens, EngineError where the engine knows only what it sampled.
        """
        self._refuse_text()
        prompt = self._stream(messages, tools).prompt
        whole = prompt._replace(token_ids=[*prompt.token_ids, *reply.token_ids])
        outlooks = await self.engine.outlooks(whole, len(reply.token_ids), most=most)
        return [
            Place(
                token,
                logprob,
                seen.entropy,
                tuple((self.tokenizer.decode([id]), logprob) for id, logprob in seen.likeliest),
            )
            for (token, logprob), seen in zip(reply.tokens, outlooks, strict=True)
        ]

    def sent(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> Sent:
        """What the engine is sent for the next reply: exactly that text, or for one that speaks text the messages."""
        if self.engine.speaks_text:
            lines = [f"[{message['role']}]\n{_shown(message['content'])}" for message in messages]
            named = [str(tool.get("function", tool).get("name")) for tool in tools]
            told = [*lines, *([f"[tools]\n{', '.join(named)}"] if named else [])]
            return Sent("\n\n".join(told), None, _num_images(messages), self.engine.max_context)
        stream = self._stream(messages, tools)
        ids, media = stream.prompt
        return Sent(stream.text, len(ids), len(media), self.engine.max_context)

    def ids_of(self, reply: str, *, after: str) -> list[int]:
        """The tokens of a reply that nobody sampled, and of its end."""
        return [*self.tokenizer.encode_reply(reply, after=after), self.tokenizer.stop_token_ids[0]]

    def _refuse_text(self) -> None:
        if self.engine.speaks_text:
            raise UserError("this engine is asked in text, which has no probabilities; use one that takes token ids")

    def _stream(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> TokenStream:
        stream = TokenStream(self.tokenizer)
        stream.extend(messages, tools)
        return stream


class _Heard:
    """Tokens as text, one by one: what only several of them spell is told with the last of these."""

    def __init__(self, tokenizer: ChatTokenizer, hear: Hear | None) -> None:
        self.tokenizer, self.hear = tokenizer, hear
        self.tokens: list[tuple[str, float]] = []
        self._ids: list[int] = []
        self._told = ""

    def __call__(self, token: int, logprob: float) -> None:
        self._ids.append(token)
        text = self.tokenizer.decode(self._ids)
        piece = text.removeprefix(self._told) if text.startswith(self._told) else self.tokenizer.decode([token])
        if piece.endswith("\N{REPLACEMENT CHARACTER}") and token not in self.tokenizer.stop_token_ids:
            piece = ""
        else:
            self._told = text
        self.tokens.append((piece, logprob))
        if self.hear is not None:
            self.hear(piece, logprob)


def _shown(content: Any) -> str:
    if not isinstance(content, list):
        return str(content)
    return "\n".join(part["text"] if part["type"] == "text" else "[image]" for part in content)


def _num_images(messages: Sequence[Message]) -> int:
    contents = [message["content"] for message in messages if isinstance(message["content"], list)]
    return sum(part["type"] == "image" for content in contents for part in content)
