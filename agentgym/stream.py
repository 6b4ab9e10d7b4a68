"""The append-only token stream of one episode.

What was sampled is never tokenised again: ids, log-probabilities, mask, turn and version of every token are
written in one call. The text between two replies is the tail of the newly rendered conversation, and it may
only be appended when the rendering begins with exactly the text that the stream already holds. Where a chat
template rewrites history (stripped reasoning, say) it does not: then the stream forks, that is, it closes the
sample and begins a new one with the whole rendering, in which a reply that spells control tokens is defused. A
mismatch between what was sampled and what is trained on cannot be represented.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from agentgym.engine import Completion, Prompt
from agentgym.media import media_in
from agentgym.tokenizer import ChatTokenizer
from agentgym.types import Media, Message, Sample

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


@dataclasses.dataclass(slots=True)
class _Columns:
    """A sample that is being written: lists, which grow at no cost and of which engines take the tokens as they are."""

    token_ids: list[int] = dataclasses.field(default_factory=list)
    logprobs: list[float] = dataclasses.field(default_factory=list)
    """Of sampled tokens alone."""
    policy_versions: list[int] = dataclasses.field(default_factory=list)
    """Of sampled tokens alone."""
    runs: list[tuple[int, bool, int]] = dataclasses.field(default_factory=list)
    """(number of tokens, whether they were sampled, turn) of what was written at once."""
    media: list[Media] = dataclasses.field(default_factory=list)
    """The images that the tokens show."""

    def copy(self) -> _Columns:
        """The same, to be written on by itself."""
        return _Columns(*(list(getattr(self, field.name)) for field in dataclasses.fields(self)))

    def sample(self) -> Sample:
        """The same as a record."""
        lengths, sampled, turns = np.array(self.runs, np.int32).reshape(-1, 3).T
        mask = np.repeat(sampled.astype(np.bool_), lengths)
        logprobs, versions = np.zeros(len(mask), np.float32), np.full(len(mask), -1, np.int32)
        logprobs[mask], versions[mask] = self.logprobs, self.policy_versions
        return Sample(
            token_ids=np.array(self.token_ids, np.int32),
            loss_mask=mask,
            logprobs=logprobs,
            turn_index=np.repeat(turns, lengths),
            policy_versions=versions,
            media=[media.digest for media in self.media],
        )


class TokenStream:
    """Grows by turns: ``extend`` with what the policy is to see, then ``append`` with what it said."""

    def __init__(self, tokenizer: ChatTokenizer) -> None:
        self.tokenizer = tokenizer
        self._written = [_Columns()]
        self.num_turns = 0
        self._text = ""

    @property
    def token_ids(self) -> list[int]:
        """The running sample's tokens."""
        return self._written[-1].token_ids

    @property
    def samples(self) -> list[Sample]:
        """What was written, made into arrays: for the end of an episode."""
        return [columns.sample() for columns in self._written]

    @property
    def prompt(self) -> Prompt:
        """What an engine goes on from."""
        return Prompt(self.token_ids, self._written[-1].media)

    @property
    def text(self) -> str:
        """The text that the running sample stands for."""
        return self._text

    @property
    def num_forks(self) -> int:
        """How often history was rewritten."""
        return len(self._written) - 1

    @property
    def num_tokens(self) -> tuple[int, int]:
        """Tokens that were shown and tokens that were sampled, in all samples."""
        sampled = sum(len(columns.logprobs) for columns in self._written)
        return sum(len(columns.token_ids) for columns in self._written) - sampled, sampled

    def fork(self) -> TokenStream:
        """An independent stream with the same past."""
        twin = copy.copy(self)
        twin._written = [columns.copy() for columns in self._written]
        return twin

    def prepare(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> Extension:
        """What ``take`` would write to bring the stream up to the whole conversation ``messages``."""
        rendered = self.tokenizer.render(messages, tools)
        media = media_in(messages) if self.tokenizer.sees_images else []
        shown = self._written[-1].media
        is_fork = not rendered.startswith(self._text) or media[: len(shown)] != shown
        if is_fork or not self._text:
            ids = self.tokenizer.encode(self._anew(rendered, messages, tools), media)
        else:
            ids = self.tokenizer.encode(rendered[len(self._text) :], media[len(shown) :], after=self._text)
        return Extension(ids, rendered, is_fork, len(ids) + (0 if is_fork else len(self.token_ids)), media)

    def _anew(self, rendered: str, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> str:
        """What is tokenized where replies have lost their own tokens: no reply may spell the end of its turn."""
        retold = self.tokenizer.retold(messages)
        return rendered if retold == list(messages) else self.tokenizer.render(retold, tools)

    def extend(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> None:
        """Bring the stream up to the whole conversation ``messages``, ready for the next reply."""
        self.take(self.prepare(messages, tools))

    def take(self, extension: Extension) -> None:
        """Write what ``prepare`` gave just before."""
        if extension.is_fork:
            self._written.append(_Columns())
        self._written[-1].media = extension.media
        self._write(extension.token_ids, sampled=False)
        self._text = extension.text

    def append(self, completion: Completion) -> None:
        """Take in a sampled reply."""
        ids, logprobs, versions = completion.token_ids, completion.logprobs, completion.policy_versions
        if not len(ids) == len(logprobs) == len(versions):
            raise ValueError(f"{len(ids)} tokens came with {len(logprobs)} log-probs and {len(versions)} versions")
        if not all(map(math.isfinite, logprobs)):
            raise ValueError("a sampled token's log-prob is not finite: the policy's weights are broken")
        self._write(ids, sampled=True)
        self._written[-1].logprobs.extend(logprobs)
        self._written[-1].policy_versions.extend(versions)
        self._text += self.tokenizer.decode(ids)
        self.num_turns += 1

    def _write(self, ids: Sequence[int], *, sampled: bool) -> None:
        self._written[-1].token_ids.extend(ids)
        self._written[-1].runs.append((len(ids), sampled, self.num_turns))
