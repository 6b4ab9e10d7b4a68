"""Judges: who is asked what an episode is worth, and what all rewards and critics that ask one have in common.

One that asks derives from ``Asking`` beside ``Shaper``, ``EpisodeShaper`` or ``Critic``; who sets up a run appoints the
judge that its settings name. Replies are kept by what was asked, so that nothing is asked twice of the same weights;
calls and tokens have a budget. Whatever a judge fails to do is a JudgeError, which keeps the episode out of learning
with a count: never a 0.
"""

from __future__ import annotations

import abc
import asyncio
import collections
import hashlib
import json
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from pydantic import BaseModel, Field

from agentgym.config import Settings
from agentgym.errors import EngineError, JudgeError, UserError
from agentgym.loops import together
from agentgym.types import Message
from agentgym.verdict import Question, Scale, one_of, question

__all__ = ["BYTES_A_TOKEN", "Answer", "Asking", "Judge", "JudgeSettings"]

BYTES_A_TOKEN = 4
"""Roughly, where nobody counts tokens."""
_MAX_KEPT = 4096
"""Replies that are kept, the newest."""

_WINS = {"A": 1.0, "B": 0.0, "tie": 0.5}


class Answer(NamedTuple):
    """What a judge replied."""

    text: str
    num_tokens: int
    """Of question and reply; roughly, where the judge does not count them."""


class Judge(abc.ABC):
    """Answers questions in text."""

    @property
    def version(self) -> int:
        """Another number when the same question may be answered otherwise: of the weights, where they change."""
        return 0

    @abc.abstractmethod
    async def ask(self, messages: Sequence[Message], *, max_tokens: int) -> Answer:
        """The reply to a conversation, greedily sampled, of so many tokens at most.

        Raises JudgeError, EngineError or OSError where there is none.
        """


class JudgeSettings(Settings):
    """Who judges, and what that may cost."""

    judge: str = Field("policy", min_length=1)
    """Who judges: "policy", the one that is trained; openai:URL or openai:URL#MODEL, a server's model; a directory or
    Hugging Face id of another model; or my.py:name, a function from chat messages to text."""
    max_reply_tokens: int = Field(512, ge=1)
    """Tokens that a reply of the judge may have."""
    seconds: float = Field(120.0, gt=0)
    """How long a reply may take."""
    max_calls: int | None = Field(None, ge=1)
    """Replies that a run may ask for; what it asks beyond is not judged. A run that is gone on with has as many again.
    """
    max_tokens: int | None = Field(None, ge=1)
    """Tokens that questions and replies of a run may have together, likewise."""


class Asking:
    """What a reward or critic that asks a judge is, beside that. ``ask`` is all that most of them need."""

    shared_settings: ClassVar[type[BaseModel]] = JudgeSettings
    asks: JudgeSettings = JudgeSettings()
    flag = ""
    """Where its settings are typed, for errors; none said: where those of a reward are."""
    num_calls = 0
    num_tokens = 0
    """Spent, or set aside for what is being asked."""
    _judge: Judge | None = None

    def take(self, settings: JudgeSettings) -> None:
        """Take up what the user says of the judge."""
        self.asks = settings

    def appoint(self, judge: Judge) -> None:
        """Have ``judge`` asked from now on."""
        self._judge = judge
        self._replies: collections.OrderedDict[str, str] = collections.OrderedDict()
        self._asked_now: dict[str, asyncio.Lock] = {}

    async def ask(self, question: Question) -> str:
        """The verdict on ``question``, as it stands in its brackets. Raises JudgeError; UserError without a judge."""
        return question.verdict(await self.reply(question))

    async def reply(self, question: Question) -> str:
        """All that the judge says to ``question``, a verdict or not. Raises as ``ask`` does."""
        if self._judge is None:
            raise UserError(f"{self._name} has no judge to ask; hand it one: reward.appoint(judge)")
        key = _key(self._judge.version, question.messages)
        lock = self._asked_now.setdefault(key, asyncio.Lock())
        try:
            async with lock:  # who asks the same at the same time waits for the one reply
                if key not in self._replies:
                    self._replies[key] = await self._asked_anew(self._judge, question)
                    while len(self._replies) > _MAX_KEPT:
                        self._replies.popitem(last=False)
                return self._replies[key]
        finally:
            if not lock.locked():
                self._asked_now.pop(key, None)

    async def _asked_anew(self, judge: Judge, question: Question) -> str:
        """Within the budget."""
        settings = self.asks
        set_aside = question.num_bytes // BYTES_A_TOKEN + settings.max_reply_tokens
        self._spend("max_calls", settings.max_calls, self.num_calls, 1)
        self._spend("max_tokens", settings.max_tokens, self.num_tokens, set_aside)
        self.num_calls, self.num_tokens = self.num_calls + 1, self.num_tokens + set_aside
        try:
            async with asyncio.timeout(settings.seconds) as deadline:
                answer = await judge.ask(question.messages, max_tokens=settings.max_reply_tokens)
        except (EngineError, OSError) as error:  # a TimeoutError is an OSError
            if deadline.expired():
                raise JudgeError(
                    f"the judge did not reply in {settings.seconds:g} s; raise --{self._name}.seconds if it may"
                ) from None
            raise JudgeError(f"the judge did not reply: {error}") from error
        self.num_tokens += answer.num_tokens - set_aside
        return answer.text

    async def graded(self, rubric: str, episode: str, scale: Scale) -> float:
        """A quoted ``episode`` by ``rubric``, from 0 to 1. Raises JudgeError."""
        return scale.share(await self.ask(question(rubric, scale.form, {"episode": episode})))

    async def preferred(self, rubric: str, one: str, other: str) -> float:
        """Of the two orders in which two quoted episodes can stand, in how many ``one`` wins; a tie is half a win.

        Raises JudgeError.
        """
        first, second = await together([self._wins(rubric, one, other), self._wins(rubric, other, one)])
        return (first + 1 - second) / 2

    async def _wins(self, rubric: str, one: str, other: str) -> float:
        asked = question(rubric, "A, B or tie: which is better", {"A": one, "B": other})
        return _WINS[one_of(await self.ask(asked), list(_WINS))]

    def _spend(self, key: str, limit: int | None, spent: int, more: int) -> None:
        if limit is not None and spent + more > limit:
            raise JudgeError(
                f"the judge's budget is spent: {spent} of --{self._name}.{key} {limit}, and a question needs {more}; "
                "raise it to go on judging"
            )

    @property
    def _name(self) -> str:
        return self.flag or f"rewards.{getattr(self, 'plugin_id', type(self).__name__)}"


def _key(version: int, messages: Sequence[Message]) -> str:
    asked = json.dumps([version, *messages], sort_keys=True)
    return hashlib.blake2b(asked.encode(), digest_size=16).hexdigest()
