"""Who judges in a run: what the settings of rewards name, made and started."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from agentgym.config import Choice
from agentgym.critic import Critic
from agentgym.engine import Engine, Sampling
from agentgym.errors import ConfigError, JudgeError, UserError
from agentgym.judge import BYTES_A_TOKEN, Answer, Asking, Judge
from agentgym.launch.models import make_engine
from agentgym.learn.policy import Policy, load_policy
from agentgym.learn.sources import policy_source
from agentgym.loops import settled
from agentgym.own_files import function_from
from agentgym.registry import plugins
from agentgym.reward import Shaper
from agentgym.search import Search
from agentgym.stream import TokenStream
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import Message

__all__ = ["EngineJudge", "FunctionJudge", "appoint"]


class EngineJudge(Judge):
    """The model behind an engine, which is the caller's."""

    def __init__(self, engine: Engine, tokenizer: ChatTokenizer | None = None) -> None:
        self.engine, self.tokenizer = engine, tokenizer
        self._count = itertools.count()

    @property
    def version(self) -> int:
        return self.engine.policy_version

    async def ask(self, messages: Sequence[Message], *, max_tokens: int) -> Answer:
        if self.engine.speaks_text or self.tokenizer is None:
            text = await self.engine.chat(messages, Sampling(temperature=0.0, max_tokens=max_tokens))
            said = [*(str(message["content"]) for message in messages), text]
            return Answer(text, sum(len(each.encode("utf-8", "replace")) for each in said) // BYTES_A_TOKEN)
        stream = TokenStream(self.tokenizer)
        stream.extend(messages)
        prompt, session = stream.prompt, f"judge/{next(self._count)}"
        sampling = Sampling(temperature=0.0, max_tokens=max_tokens, stop_token_ids=self.tokenizer.stop_token_ids)
        try:
            completion = await self.engine.generate(prompt, sampling, session=session)
        finally:
            self.engine.release(session)
        text = self.tokenizer.decode_reply(completion.token_ids)
        return Answer(text, len(prompt.token_ids) + len(completion.token_ids))


class FunctionJudge(Judge):
    """A function of somebody's own, plain or ``async``: chat messages → text."""

    def __init__(self, function: Callable[[Sequence[Message]], str | Awaitable[str]]) -> None:
        self.function = function

    async def ask(self, messages: Sequence[Message], *, max_tokens: int) -> Answer:
        text: Any = await settled(self.function(messages))
        if not isinstance(text, str):
            raise JudgeError(f"the function that judges gave {text!r:.80}, expected text")
        said = [*(str(message["content"]) for message in messages), text]
        return Answer(text, sum(len(each.encode("utf-8", "replace")) for each in said) // BYTES_A_TOKEN)


async def appoint(
    parts: Iterable[Shaper | Critic | Search],
    engine: Engine,
    policy: Policy,
    *,
    sessions: int,
    closing: contextlib.AsyncExitStack,
) -> None:
    """Give each of ``parts`` that asks its judge, and the critic of each that has one, which may ask too.

    A judge that several name is made once, and ``closing`` closes it. Raises UserError for one that there is not, or
    that cannot be started.
    """
    judges: dict[str, Judge] = {"policy": EngineJudge(engine, policy.tokenizer)}
    for part in parts:
        for each in (part, getattr(part, "critic", None)):
            if isinstance(each, Asking):
                name = each.asks.judge
                if name not in judges:
                    judges[name] = await _judge(name, sessions=sessions, closing=closing)
                each.appoint(judges[name])


async def _judge(name: str, *, sessions: int, closing: contextlib.AsyncExitStack) -> Judge:
    if ".py:" in name:
        return FunctionJudge(function_from(name))
    kind, _, rest = name.partition(":")
    tokenizer = None
    if kind == "openai":
        address, _, model = rest.partition("#")
        if not address.startswith(("http://", "https://")):
            raise UserError(f'the judge "{name}" has no address; type such as openai:http://localhost:8000/v1#MODEL')
        engine: Engine = plugins("engines").build(
            "openai",
            {"base_url": address, "form": "text", "max_sessions": sessions, **({"model": model} if model else {})},
        )
    else:
        own = load_policy(policy_source(name))
        engine, tokenizer = make_engine(Choice(id="embedded"), own.module, sessions=sessions), own.tokenizer
    closing.push_async_callback(engine.close)
    try:
        await engine.start()
    except ConfigError as error:
        raise ConfigError(f'the judge "{name}" cannot be asked: {error}') from error
    return EngineJudge(engine, tokenizer)
