"""The engine contract: tokens in, sampled tokens and their log-probabilities out.

Engines live in ``agentgym/actors``, one file or folder each. A session is one live episode: an engine that keeps
key/value state finds it by the session's name and computes only the tokens it has not seen; one that does
not may ignore the name.
"""

from __future__ import annotations

import abc
import collections
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

from agentgym.errors import EngineError
from agentgym.types import Media, Message

__all__ = ["Completion", "Engine", "NamedWeights", "Outlook", "Prompt", "Sampling", "Tell", "text_only"]

NamedWeights: TypeAlias = Iterable[tuple[str, Any]]
"""A policy's weights as torch tensors, by the names of its state dict, a shared one once; read once, front to back."""


Tell: TypeAlias = Callable[[int, float], object]
"""Is given a sampled token and its log-probability."""


class Prompt(NamedTuple):
    """What an engine goes on from."""

    token_ids: Sequence[int]
    media: Sequence[Media] = ()
    """Images, in the order of their placeholders in ``token_ids``."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How to sample one completion.

    ``temperature`` 0 means greedy. ``seed`` makes the completion a pure function of weights, prompt
    and seed, whatever else the engine is doing, where the engine ``supports_seeds``. ``stop_token_ids`` end a
    completion and are part of it. ``top_p``, ``top_k`` and ``min_p`` keep the likeliest tokens only: a completion's
    log-probabilities are then those among the kept ones, which no learner here recomputes, so they are for
    evaluation.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    """Keep the likeliest tokens that together have this probability; 1 keeps all."""
    top_k: int = 0
    """Keep so many of the likeliest tokens; 0 keeps all."""
    min_p: float = 0.0
    """Keep tokens at least this probable, relative to the likeliest; 0 keeps all."""
    max_tokens: int = 64
    stop_token_ids: tuple[int, ...] = ()
    seed: int | None = None

    @property
    def is_truncated(self) -> bool:
        """Whether less likely tokens are left out."""
        return self.top_p < 1 or self.top_k > 0 or self.min_p > 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """Sampled tokens and what the sampler knew about them; the lists have equal length."""

    token_ids: list[int]
    logprobs: list[float]
    """Log-probability of each token under the distribution it was drawn from (temperature applied)."""
    policy_versions: list[int]
    """Version of the weights that sampled each token."""
    finish_reason: Literal["stop", "length", "aborted"]


class Outlook(NamedTuple):
    """What might have stood at one place of a text, at temperature 1."""

    likeliest: tuple[tuple[int, float], ...]
    """(token id, log-probability), the likeliest first."""
    entropy: float
    """Of the whole distribution, in nats."""


def text_only(prompt: Prompt) -> Sequence[int]:
    """The tokens of a prompt without images. Raises EngineError for one with some."""
    if prompt.media:
        raise EngineError(f"the prompt shows {len(prompt.media)} images, which this engine does not; use embedded")
    return prompt.token_ids


class Engine(abc.ABC):
    """Samples for many sessions at once."""

    plugin_kind: ClassVar[str] = "engines"
    max_context: int
    """Tokens of prompt and completion together that fit one session."""
    policy_version: int = 0
    """Version of the weights that the next sampled token comes from."""
    supports_seeds: bool = True
    """Whether ``Sampling.seed`` makes a completion repeatable."""
    speaks_text: bool = False
    """True where there are no token ids: ``chat`` is then the only way to ask."""
    supports_images: bool = False
    """Whether a prompt's images get to the model."""
    why_untrainable: str = ""
    """Why nothing can be trained with it; empty where ``update_weights`` can follow a learner."""
    nano: ClassVar[Mapping[str, Any]] = {}
    """What a small model made from nothing must be for it, where the user says nothing: options of the model."""
    with_nano: ClassVar[Mapping[str, Any]] = {}
    """Its own options beside such a model, where the user says nothing."""
    has_own_model: ClassVar[bool] = False
    """Whether it can do without a module: a server's model, for one."""

    @classmethod  # noqa: B027  # most engines need nothing that is not here
    def refuse_missing(cls) -> None:
        """Raise UserError where a package that it needs is not installed; torch and that package are not imported."""

    async def start(self) -> None:  # noqa: B027  # engines that are ready when they are made need not say so
        """Be ready for requests: called once, in the event loop that they come from, before the first.

        Constructors only check and store. What a server alone can tell (``max_context``, ``speaks_text``,
        ``why_untrainable``) is known after this. Raises UserError for what cannot be started.
        """

    @abc.abstractmethod
    async def generate(self, prompt: Prompt, sampling: Sampling, *, session: str) -> Completion:
        """Sample one completion of ``prompt``, which extends what the session generated before.

        Cancelling the awaiting task cancels the request. Raises EngineError when the tokens leave no room
        in the context or when they do not extend the session, and for images that it cannot show to its model. No
        token is sampled that would stand for an image.
        """

    async def stream(self, prompt: Prompt, sampling: Sampling, *, session: str, tell: Tell) -> Completion:
        """``generate``, and ``tell`` is given each token with its log-probability as soon as it is known.

        That is at the end, all at once, where an engine does not say it before.
        """
        completion = await self.generate(prompt, sampling, session=session)
        for token, logprob in zip(completion.token_ids, completion.logprobs, strict=True):
            tell(token, logprob)
        return completion

    async def chat(
        self, messages: Sequence[Message], sampling: Sampling, *, tools: Sequence[Mapping[str, Any]] = ()
    ) -> str:
        """The next reply of a conversation, for engines that speak text; parts of messages may be images."""
        raise EngineError(f"{type(self).__name__} takes token ids, not messages")

    @abc.abstractmethod
    async def score(self, prompt: Prompt) -> list[float]:
        """Log-probability of each token given those before it, at temperature 1; 0.0 for the first."""

    async def outlooks(self, prompt: Prompt, num: int, *, most: int = 5) -> list[Outlook]:
        """What else might have stood at each of the last ``num`` places of ``prompt``, ``most`` tokens each.

        Raises EngineError where an engine knows only what it sampled.
        """
        raise EngineError(
            f"{type(self).__name__} tells no tokens beside those that it sampled, nor their entropy; --engine embedded "
            "does"
        )

    @abc.abstractmethod
    async def update_weights(self, version: int, weights: NamedWeights) -> None:
        """Sample from ``weights`` as ``version``; whatever was computed with older ones is dropped.

        They must not change meanwhile. An engine that shares the learner's module has them and need not read them.
        """

    async def take(self, version: int, weights: NamedWeights) -> None:
        """``update_weights``, and ``weights`` are gone through to their end: others may have to put them together."""
        weights = iter(weights)
        await self.update_weights(version, weights)
        collections.deque(weights, maxlen=0)

    async def fork(self, session: str, new: str) -> None:  # noqa: B027  # a new session is merely computed anew
        """Have the session ``new`` begin where ``session`` stands. Unknown names are fine: nothing is shared then."""

    def park(self, session: str) -> None:  # noqa: B027
        """The session may go on or not: keep what is kept for it while there is room. Unknown names are fine."""

    def release(self, session: str) -> None:  # noqa: B027  # engines that keep nothing need not say so
        """The session's episode is over: free what is kept for it. Unknown names are fine."""

    async def close(self) -> None:  # noqa: B027
        """Free everything; also where it was not started, or did not start."""
