"""The append-only token stream of one episode.

What was sampled is never tokenised again: ids, log-probabilities, mask, turn and version of every token are
written in one call. The text between two replies is the tail of the newly rendered conversation, and it may
only be appended when the rendering begins with exactly the text that the stream already holds. Where a chat
template rewrites history (stripped reasoning, say) it does not: then the stream forks, that is, it closes the
sample and begins a new one with the whole rendering. A mismatch between what was sampled and what is trained
on cannot be represented.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from agentgym.media import media_in
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import Completion, Media, Message, Prompt, Sample

__all__ = ["Extension", "TokenStream"]


@dataclasses.dataclass(frozen=True, slots=True)
class Extension:
    """What the policy is to see next, as it would be written."""

    token_ids: list[int]
    text: str
    """The whole conversation, rendered."""
    is_fork: bool
    """Whether the conversation does not begin with what the stream holds."""
    num_tokens: int
    """Length of the running sample afterwards."""
    media: list[Media]
    """All images of the conversation."""


class TokenStream:
    """Grows by turns: ``extend`` with what the policy is to see, then ``append`` with what it said."""

    def __init__(self, tokenizer: ChatTokenizer) -> None:
        self.tokenizer = tokenizer
        self.samples: list[Sample] = [Sample()]
        self.num_turns = 0
        self._text = ""
        self._media: list[Media] = []

    @property
    def token_ids(self) -> list[int]:
        """The running sample's tokens."""
        return self.samples[-1].token_ids

    @property
    def prompt(self) -> Prompt:
        """What an engine goes on from."""
        return Prompt(self.token_ids, self._media)

    @property
    def text(self) -> str:
        """The text that the running sample stands for."""
        return self._text

    @property
    def num_forks(self) -> int:
        """How often history was rewritten."""
        return len(self.samples) - 1

    def prepare(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> Extension:
        """What ``take`` would write to bring the stream up to the whole conversation ``messages``."""
        rendered = self.tokenizer.render(messages, tools)
        media = media_in(messages) if self.tokenizer.sees_images else []
        known = len(self._media)
        is_fork = not rendered.startswith(self._text) or media[:known] != self._media
        if is_fork:
            ids = self.tokenizer.encode(rendered, media)
        else:
            ids = self.tokenizer.encode(rendered[len(self._text) :], media[known:])
        return Extension(ids, rendered, is_fork, len(ids) + (0 if is_fork else len(self.token_ids)), media)

    def extend(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> None:
        """Bring the stream up to the whole conversation ``messages``, ready for the next reply."""
        self.take(self.prepare(messages, tools))

    def take(self, extension: Extension) -> None:
        """Write what ``prepare`` gave just before."""
        if extension.is_fork:
            self.samples.append(Sample())
        self._media = extension.media
        self.samples[-1].media = [media.digest for media in extension.media]
        ids = extension.token_ids
        self._write(ids, [0.0] * len(ids), [-1] * len(ids), sampled=False)
        self._text = extension.text

    def append(self, completion: Completion) -> None:
        """Take in a sampled reply."""
        self._write(completion.token_ids, completion.logprobs, completion.policy_versions, sampled=True)
        self._text += self.tokenizer.decode(completion.token_ids)
        self.num_turns += 1

    def _write(self, ids: Sequence[int], logprobs: Sequence[float], versions: Sequence[int], *, sampled: bool) -> None:
        if not len(ids) == len(logprobs) == len(versions):
            raise ValueError(f"{len(ids)} tokens came with {len(logprobs)} log-probs and {len(versions)} versions")
        if not all(map(math.isfinite, logprobs)):
            raise ValueError("a sampled token's log-prob is not finite: the policy's weights are broken")
        sample = self.samples[-1]
        sample.token_ids.extend(ids)
        sample.loss_mask.extend([sampled] * len(ids))
        sample.logprobs.extend(logprobs)
        sample.turn_index.extend([self.num_turns] * len(ids))
        sample.policy_versions.extend(versions)
