"""The embedded engine: a Hugging Face causal LM in this process, many live episodes at once.

Each session keeps its keys and values in a slot, so a turn pays for its new tokens only. Requests come and go between
two forward passes (continuous admission), and every running request advances by one token in each. Sampling draws one
uniform number a token from the request's own seed: a completion does not depend on what else is running. On a CPU in
float32 neither does any bit of its log-probabilities (``alone``): a session's tokens are computed in the same pieces
whether they are shared, taken over or computed anew.

The module is the learner's own, not a copy: taking up new weights means dropping what was computed with the
old. With ``own_copy`` it is a copy, so that episodes can go on while the learner changes its weights; running
requests then go on with the new weights where they are, which costs their tokens once more. A copy can have another
``dtype`` than the model: what it samples differs a little from what the learner makes of it, which the trainers'
``correction`` is for. Models whose layers keep other state than keys and values (Mamba, linear attention) are refused.
"""

from __future__ import annotations

import asyncio
import dataclasses
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import numpy as np
from pydantic import Field

from agentgym.actors.embedded.rows import Drawn, Row
from agentgym.engine import Completion, Engine, NamedWeights, Outlook, Prompt, Sampling, Tell
from agentgym.errors import EngineError
from agentgym.registry import register
from agentgym.types import Media

__all__ = ["EmbeddedEngine"]

_ROUNDS = 16
"""Of the event loop: what comes from another thread or process takes several until the engine is asked it."""
_Opening: TypeAlias = tuple[tuple[int, ...], tuple[str, ...]]
"""Tokens of a prompt, and digests of the images that they show."""


@dataclasses.dataclass(slots=True, eq=False, weakref_slot=True)
class _Session:
    slot: int
    cached: list[int] = dataclasses.field(default_factory=list)
    """Tokens whose keys and values are in the slot, in order."""
    media: list[str] = dataclasses.field(default_factory=list)
    """Digests of the images that they show, in order."""
    ends: list[int] = dataclasses.field(default_factory=list)
    """Where each piece that was computed at once ended."""
    plan: list[int] = dataclasses.field(default_factory=list)
    """Where pieces that are to be computed have to end."""
    is_spare: bool = False
    """Parked, or forked and not asked for yet: whoever needs a slot takes this one; the session is computed anew then.
    """
    is_parked: bool = False
    """Spare after it was asked for: forks take its slot too."""
    head: Any = None
    """What the first token of the reply to its last prompt was drawn from, where forks may be asked the same."""

    def take_in(self, row: Row) -> None:
        """The tokens of ``row`` are in the slot now."""
        self.cached.extend(row.token_ids)
        self.media.extend(media.digest for media in row.media)
        self.ends.append(len(self.cached))
        self.plan = [end for end in self.plan if end > row.start]


@dataclasses.dataclass(slots=True, eq=False)
class _Request:
    name: str
    sampling: Sampling
    token_ids: list[int]
    num_prompt: int
    uniforms: list[float]
    done: asyncio.Future[Completion]
    media: Sequence[Media] = ()
    tell: Tell | None = None
    shift: int = 0
    """What the position after the prompt has over the number of its tokens."""
    logprobs: list[float] = dataclasses.field(default_factory=list)
    versions: list[int] = dataclasses.field(default_factory=list)

    @property
    def draw(self) -> tuple[Sampling, float]:
        """How the next token is drawn, and the number for it."""
        return self.sampling, self.uniforms[len(self.logprobs)]

    def result(self, reason: Literal["stop", "length", "aborted"]) -> Completion:
        ids = self.token_ids[self.num_prompt :]
        return Completion(token_ids=ids, logprobs=self.logprobs, policy_versions=self.versions, finish_reason=reason)


@register
class EmbeddedEngine(Engine):
    """Samples from a transformers causal LM on any one device. Raises ConfigError for a model it cannot serve.

    Args:
        module: the model
        max_context: tokens of a session; by default what the model was made for
        max_sessions: sessions that have a slot; further ones wait
        seed: for requests that bring none of their own
        own_copy: whether to sample from a copy, so that episodes go on while the learner changes its weights
        share_openings: whether sessions with the same prompt, as a group's episodes have, compute it once: the same
            tokens, with log-probabilities that are rounded in other last digits, since a prompt's last token is then
            computed by itself
        dtype: type of the weights that it samples with; another than the model's means a copy of its own, which is
            rounded anew with each update
    """

    with_nano: ClassVar[Mapping[str, Any]] = {"share_openings": False}  # its learning curves are on record to the digit

    def __init__(
        self,
        module: Any,
        *,
        max_context: Annotated[int, Field(ge=2)] | None = None,
        max_sessions: Annotated[int, Field(ge=1)] = 128,
        seed: int = 0,
        own_copy: bool = False,
        share_openings: bool = True,
        dtype: Literal["float32", "bfloat16"] | None = None,
    ) -> None:
        import torch  # takes a second

        from agentgym.actors.embedded.forward import Forward

        self._forward = Forward(
            module,
            max_context=max_context,
            num_slots=max_sessions,
            own_copy=own_copy,
            dtype=None if dtype is None else getattr(torch, dtype),
        )
        self.max_context = self._forward.max_context
        self.supports_images = self._forward.sees
        self.share_openings = share_openings
        self.new_tokens = 0
        """Prompt tokens that had not been computed before: the least that prefilling can cost."""
        self.sampled_tokens = 0
        self._free = list(range(max_sessions))[::-1]
        self._sessions: dict[str, _Session] = {}
        self._forks: dict[str, list[int]] = {}
        """The pieces that the tokens of forked sessions were computed in, should they be computed anew."""
        self._asked: weakref.WeakValueDictionary[Any, _Session] = weakref.WeakValueDictionary()
        """By what a fork was asked: one that has computed it."""
        self._waiting: list[_Request] = []
        self._running: list[_Request] = []
        self._rng = np.random.default_rng(seed)
        self._loop: asyncio.Task[None] | None = None

    @property
    def prefill_tokens(self) -> int:
        """Tokens computed as prompt, padding included."""
        return self._forward.prefilled

    # -- the contract --------------------------------------------------------------------------------

    async def generate(self, prompt: Prompt, sampling: Sampling, *, session: str) -> Completion:
        return await self.stream(prompt, sampling, session=session)

    async def stream(self, prompt: Prompt, sampling: Sampling, *, session: str, tell: Tell | None = None) -> Completion:
        token_ids, media = prompt
        self._check(prompt, sampling, session)
        shift = self._forward.check(prompt)
        if session in self._sessions:
            # The last token is computed again when nothing came after it: its logits are needed.
            known = self._sessions[session]
            del known.cached[len(token_ids) - 1 :]
            known.head = None
            known.ends = [end for end in known.ends if end <= len(known.cached)]
            known.is_spare = known.is_parked = False
        rng = self._rng if sampling.seed is None else np.random.default_rng(sampling.seed)
        done: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        uniforms = rng.random(sampling.max_tokens).tolist()
        request = _Request(session, sampling, list(token_ids), len(token_ids), uniforms, done, media, tell, shift)
        self._waiting.append(request)
        self._wake()
        return await done

    async def score(self, prompt: Prompt) -> list[float]:
        self._forward.check(prompt)
        return self._forward.score(prompt)

    async def outlooks(self, prompt: Prompt, num: int, *, most: int = 5) -> list[Outlook]:
        self._forward.check(prompt)
        return self._forward.outlooks(prompt, num, most)

    async def update_weights(self, version: int, weights: NamedWeights) -> None:
        self._forward.take_up(weights)
        self.policy_version = version
        for session in self._sessions.values():
            session.cached.clear()
            session.media.clear()
            session.ends.clear()
            session.plan.clear()
        self._forks.clear()
        self._asked.clear()

    async def fork(self, session: str, new: str) -> None:
        if new in self._sessions:
            raise EngineError(f'session "{new}" is there already; fork into a new one')
        known = self._sessions.get(session)
        self._forks[new] = list(self._forks.get(session, []) if known is None else known.ends)
        if known is None or not known.cached:
            return
        self._sessions[session] = self._sessions.pop(session)  # the last that gives its slot away
        if self._free or self._frees_spare(parked_beside=known):
            self._sessions[new] = self._shared(known, known.cached, known.media, is_spare=True)

    def park(self, session: str) -> None:
        if session in self._sessions:
            self._sessions[session].is_spare = self._sessions[session].is_parked = True
            if self._waiting:
                self._wake()

    def release(self, session: str) -> None:
        self._forks.pop(session, None)
        if session in self._sessions:
            self._free.append(self._sessions.pop(session).slot)
            self._free.sort(reverse=True)
            if self._waiting:
                self._wake()

    async def close(self) -> None:
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        for request in [*self._running, *self._waiting]:
            request.done.cancel()
        self._forward.close()

    # -- scheduling ----------------------------------------------------------------------------------

    def _check(self, prompt: Prompt, sampling: Sampling, session: str) -> None:
        token_ids = prompt.token_ids
        needed = len(token_ids) + sampling.max_tokens
        if not token_ids or sampling.max_tokens < 1 or needed > self.max_context:
            raise EngineError(
                f"{len(token_ids)} prompt tokens and {sampling.max_tokens} new ones were asked for; both must be at "
                f"least 1 and together fit the context of {self.max_context}"
            )
        if any(request.name == session and not request.done.done() for request in [*self._running, *self._waiting]):
            raise EngineError(
                f'session "{session}" is still generating; use another session name for a second completion'
            )
        known = self._sessions.get(session)
        if known is not None and not _extends(prompt, known):
            raise EngineError(
                f'the tokens do not extend those of session "{session}"; use another session name for them'
            )

    def _wake(self) -> None:
        if self._loop is None or self._loop.done():
            self._loop = asyncio.create_task(self._serve())

    async def _serve(self) -> None:
        """Runs while a request can advance; yields to the event loop between two forward passes, ``_ROUNDS`` times.

        Requests that wait for a slot are looked at again when one is released.
        """
        try:
            while self._admit():
                self._advance()
                for _ in range(_ROUNDS):
                    await asyncio.sleep(0)
        except Exception as error:
            for request in [*self._running, *self._waiting]:
                if not request.done.done():
                    request.done.set_exception(EngineError(f"the engine stopped: {type(error).__name__}: {error}"))

    def _admit(self) -> bool:
        """Give free slots to waiting sessions; False when nothing can run."""
        self._running = [request for request in self._running if not request.done.done()]
        still_waiting: list[_Request] = []
        openings: set[_Opening] = set()
        for request in self._waiting:
            if request.done.done():
                continue
            if request.name not in self._sessions and (self._free or self._frees_spare()):
                self._open(request, openings)
            (self._running if request.name in self._sessions else still_waiting).append(request)
        self._waiting = still_waiting
        return bool(self._running)

    def _open(self, request: _Request, openings: set[_Opening]) -> None:
        """Give it a session; where the coming pass computes its prompt, one of ``openings``, it waits for the next."""
        shown, last = [media.digest for media in request.media], len(request.token_ids) - 1
        plan = [] if shown else sorted({min(end, last) for end in self._forks.get(request.name, [])})
        opening = (tuple(request.token_ids), tuple(shown))
        if self.share_openings and len(request.token_ids) > 1:
            if opening in openings:
                return
            computed = request.token_ids[:last]  # the last is computed by itself: its logits are needed
            plan = plan or [last]
            for known in self._sessions.values():
                same = known.cached[:last] == computed and known.media[: len(shown)] == shown
                if same and known.ends[: len(plan)] == plan and plan[-1] == last:
                    self._sessions[request.name] = self._shared(known, computed, shown)
                    return
        openings.add(opening)
        self._sessions[request.name] = _Session(self._free.pop(), plan=plan)

    def _shared(
        self, known: _Session, tokens: Sequence[int], media: Sequence[str], *, is_spare: bool = False
    ) -> _Session:
        """A session in a free slot that has ``tokens``, which show ``media`` and with which ``known`` begins."""
        slot = self._free.pop()
        self._forward.copy_slot(known.slot, slot, len(tokens))
        ends = [end for end in known.ends if end <= len(tokens)]
        return _Session(slot, list(tokens), list(media), ends, is_spare=is_spare)

    def _frees_spare(self, *, parked_beside: _Session | None = None) -> bool:
        """Free the slot of a spare session, or of a parked one beside another; False where there is none."""
        for name, session in self._sessions.items():
            if session.is_spare if parked_beside is None else session.is_parked and session is not parked_beside:
                del self._sessions[name]
                self._free.append(session.slot)
                self._forks[name] = session.ends
                return True
        return False

    def _advance(self) -> None:
        """One token for every running request."""
        alike = self._alike()
        for key in [key for key in alike if (known := self._asked.get(key)) is not None and known.head is not None]:
            self._take_over(self._asked[key], alike.pop(key))
        rows = [self._row(*requests) for requests in alike.values()]
        held = {session.slot: len(session.cached) for session in self._sessions.values()}
        drawn = iter(self._forward.advance(rows, held))
        for (key, requests), row in zip(alike.items(), rows, strict=True):
            first = self._sessions[requests[0].name]
            if len(row.token_ids) > 1 or row.start in first.plan:
                self.new_tokens += len(row.token_ids)
            if (head := self._forward.heads.get(row.slot)) is not None:
                first.head, self._asked[key] = head, first
            self._give(row, requests, drawn)
        self._running = [request for request in self._running if not request.done.done()]

    def _take_over(self, known: _Session, requests: Sequence[_Request]) -> None:
        """What ``known`` computed when it was asked the same; each draws for itself from what that drew from."""
        row = self._row(*requests)._replace(slot=known.slot)
        self._give(row, requests, iter(self._forward.drawn(known.head, [request.draw for request in requests])))

    def _give(self, row: Row, requests: Sequence[_Request], drawn: Iterator[Drawn]) -> None:
        """Those who are alike have what ``row`` computed, and its tokens where their prompts end there."""
        for request, (token, logprob) in zip(requests, drawn, strict=False):
            session = self._sessions[request.name]
            if session.slot != row.slot:
                self._forward.copy_slot(row.slot, session.slot, row.start + len(row.token_ids), start=row.start)
            session.take_in(row)
            if len(session.cached) == len(request.token_ids):
                self._take(request, token, logprob)

    def _alike(self) -> dict[Any, list[_Request]]:
        """The running requests; those together that want the same tokens after the same past, computed alike.

        Such are forks of one session that were asked the same. One computes, and each draws for itself; also those that
        are asked later, while that one is kept.
        """
        groups: dict[Any, list[_Request]] = {}
        for request in self._running:
            groups.setdefault(self._past(request) if self._may_be_alike(request) else request.name, []).append(request)
        return groups

    def _may_be_alike(self, request: _Request) -> bool:
        session = self._sessions[request.name]
        return not request.logprobs and request.name in self._forks and bool(session.cached or session.plan)

    def _past(self, request: _Request) -> Any:
        """What it is asked, and in which pieces its past was computed."""
        session, shown = self._sessions[request.name], tuple(media.digest for media in request.media)
        return tuple(request.token_ids), shown, tuple(session.ends), tuple(session.plan)

    def _row(self, request: _Request, *twins: _Request) -> Row:
        """What the request wants of the next pass, and its twins with it."""
        session = self._sessions[request.name]
        start, (own, *others) = len(session.cached), [one.draw for one in (request, *twins)]
        end = next((end for end in session.plan if end > start), len(request.token_ids))
        ids, media = request.token_ids[start:end], request.media[len(session.media) :]
        is_kept = end == len(request.token_ids) and self._may_be_alike(request)
        return Row(session.slot, start, ids, *own, media, request.shift, others, is_kept)

    def _take(self, request: _Request, token: int, logprob: float) -> None:
        request.token_ids.append(token)
        request.logprobs.append(logprob)
        request.versions.append(self.policy_version)
        self.sampled_tokens += 1
        if request.tell is not None:
            request.tell(token, logprob)
        if token in request.sampling.stop_token_ids:
            request.done.set_result(request.result("stop"))
        elif len(request.logprobs) >= request.sampling.max_tokens:
            request.done.set_result(request.result("length"))


def _extends(prompt: Prompt, known: _Session) -> bool:
    """Whether ``prompt`` begins with what is in the session's slot."""
    shown = [media.digest for media in prompt.media[: len(known.media)]]
    return list(prompt.token_ids[: len(known.cached)]) == known.cached and shown == known.media
