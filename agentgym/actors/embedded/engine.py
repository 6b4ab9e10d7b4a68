"""The embedded engine: a Hugging Face causal LM in this process, many live episodes at once.

Each session keeps its keys and values in a slot, so a turn pays for its new tokens only. Requests come and
go between two forward passes (continuous admission); new text is prefilled in groups of like length, then
every running request advances by one token in one batch. Sampling inverts the cumulative distribution at one
uniform number a token, drawn from the request's own seed: a completion does not depend on what else is
running, and its log-probabilities are those of the very distribution it was drawn from.

The module is the learner's own, not a copy: taking up new weights means dropping what was computed with the
old. With ``own_copy`` it is a copy, so that episodes can go on while the learner changes its weights; running
requests then go on with the new weights where they are, which costs their tokens once more. Models whose layers keep
other state than keys and values (Mamba, linear attention) are refused.
"""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import torch

from agentgym.actors.embedded.slots import SlotCache
from agentgym.engine import Engine
from agentgym.errors import ConfigError, EngineError
from agentgym.registry import register
from agentgym.types import Completion, Sampling

__all__ = ["EmbeddedEngine"]

_PREFILL_WASTE = 1.08
"""A prefill group may compute so many times its real tokens, padding included."""


@dataclasses.dataclass(slots=True, eq=False)
class _Session:
    slot: int
    cached: list[int] = dataclasses.field(default_factory=list)
    """Tokens whose keys and values are in the slot, in order."""


@dataclasses.dataclass(slots=True, eq=False)
class _Request:
    name: str
    sampling: Sampling
    token_ids: list[int]
    num_prompt: int
    uniforms: np.ndarray[Any, np.dtype[np.float64]]
    done: asyncio.Future[Completion]
    logprobs: list[float] = dataclasses.field(default_factory=list)
    versions: list[int] = dataclasses.field(default_factory=list)

    def result(self, reason: Literal["stop", "length", "aborted"]) -> Completion:
        ids = self.token_ids[self.num_prompt :]
        return Completion(token_ids=ids, logprobs=self.logprobs, policy_versions=self.versions, finish_reason=reason)


@register
class EmbeddedEngine(Engine):
    """Samples from ``module``, a transformers causal LM on any one device.

    ``max_context`` bounds a session's tokens (default: what the model was made for); ``max_sessions`` bounds
    the slots, further sessions wait. Raises ConfigError for a model it cannot serve.
    """

    def __init__(
        self,
        module: Any,
        *,
        max_context: int | None = None,
        max_sessions: int = 128,
        seed: int = 0,
        own_copy: bool = False,
    ) -> None:
        self.source = module
        self.module = copy.deepcopy(module) if own_copy else module
        config = module.config.get_text_config()
        self.window, self._per_layer = _attention(module, config)
        model_context = int(getattr(config, "max_position_embeddings", 2**31))
        if max_context is not None and max_context > model_context:
            raise ConfigError(f"engine.max_context is {max_context}, the model was made for {model_context} at most")
        self.max_context = max_context or model_context
        self.policy_version = 0
        self.prefill_tokens = 0
        """Tokens computed as prompt, padding included."""
        self.new_tokens = 0
        """Prompt tokens that had not been computed before: the least that prefilling can cost."""
        self.sampled_tokens = 0
        self._cache = SlotCache(max_sessions, self.max_context)
        self._free = list(range(max_sessions))[::-1]
        self._sessions: dict[str, _Session] = {}
        self._waiting: list[_Request] = []
        self._running: list[_Request] = []
        self._rng = np.random.default_rng(seed)
        self._loop: asyncio.Task[None] | None = None

    # -- the contract --------------------------------------------------------------------------------

    async def generate(self, token_ids: Sequence[int], sampling: Sampling, *, session: str) -> Completion:
        self._check(token_ids, sampling, session)
        if (
            session in self._sessions
        ):  # the last token is computed again when nothing came after it: its logits are needed
            del self._sessions[session].cached[len(token_ids) - 1 :]
        rng = self._rng if sampling.seed is None else np.random.default_rng(sampling.seed)
        done: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        request = _Request(session, sampling, list(token_ids), len(token_ids), rng.random(sampling.max_tokens), done)
        self._waiting.append(request)
        self._wake()
        return await done

    async def score(self, token_ids: Sequence[int]) -> list[float]:
        ids_BT = torch.tensor([list(token_ids)], device=self.module.device)
        with torch.inference_mode():
            logprobs_TV = self.module(input_ids=ids_BT, use_cache=False).logits[0, :-1].float().log_softmax(-1)
        return [0.0, *logprobs_TV.gather(-1, ids_BT[0, 1:, None])[:, 0].tolist()]

    async def update_weights(self, version: int) -> None:
        if self.module is not self.source:
            self._copy_weights()
        self.policy_version = version
        for session in self._sessions.values():
            session.cached.clear()

    @torch.no_grad()
    def _copy_weights(self) -> None:
        new = self.source.state_dict()
        for name, old in self.module.state_dict().items():
            old.copy_(new[name])

    def release(self, session: str) -> None:
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
        self._cache = SlotCache(0, 0)

    # -- scheduling ----------------------------------------------------------------------------------

    def _check(self, token_ids: Sequence[int], sampling: Sampling, session: str) -> None:
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
        if known is not None and list(token_ids[: len(known.cached)]) != known.cached:
            raise EngineError(
                f'the tokens do not extend those of session "{session}"; use another session name for them'
            )

    def _wake(self) -> None:
        if self._loop is None or self._loop.done():
            self._loop = asyncio.create_task(self._serve())

    async def _serve(self) -> None:
        """Runs while a request can advance; yields to the event loop between two forward passes.

        Requests that wait for a slot are looked at again when one is released.
        """
        try:
            while self._admit():
                self._advance()
                await asyncio.sleep(0)
        except Exception as error:
            for request in [*self._running, *self._waiting]:
                if not request.done.done():
                    request.done.set_exception(EngineError(f"the engine stopped: {type(error).__name__}: {error}"))
            self._running, self._waiting = [], []

    def _admit(self) -> bool:
        """Give free slots to waiting sessions; False when nothing can run."""
        self._running = [request for request in self._running if not request.done.done()]
        still_waiting: list[_Request] = []
        for request in self._waiting:
            if request.done.done():
                continue
            if request.name not in self._sessions and self._free:
                self._sessions[request.name] = _Session(self._free.pop())
            (self._running if request.name in self._sessions else still_waiting).append(request)
        self._waiting = still_waiting
        return bool(self._running)

    @torch.inference_mode()
    def _advance(self) -> None:
        """One token for every running request."""
        prefills = [(len(r.token_ids) - len(self._sessions[r.name].cached), r) for r in self._running]
        for group in _groups([(n, r) for n, r in prefills if n > 1]):
            self._prefill(group)
        decoding = [r for n, r in prefills if n == 1]
        if decoding:
            self._decode(decoding)
        self._running = [request for request in self._running if not request.done.done()]

    def _prefill(self, group: list[_Request]) -> None:
        sessions = [self._sessions[request.name] for request in group]
        new = [request.token_ids[len(session.cached) :] for request, session in zip(group, sessions, strict=True)]
        width = max(map(len, new))
        ids_RQ = torch.tensor([tokens + [0] * (width - len(tokens)) for tokens in new])
        start_R = torch.tensor([len(session.cached) for session in sessions])
        last_R = torch.tensor([len(tokens) - 1 for tokens in new])
        logits_RV = self._forward(torch.tensor([session.slot for session in sessions]), ids_RQ, start_R, last_R)
        self.prefill_tokens += ids_RQ.numel()
        for session, tokens in zip(sessions, new, strict=True):
            session.cached.extend(tokens)
            self.new_tokens += len(tokens)
        self._sample(group, logits_RV)

    def _decode(self, requests: list[_Request]) -> None:
        by_slot = {self._sessions[request.name].slot: request for request in requests}
        rows = max(by_slot) + 1
        if rows > 2 * len(by_slot):  # too sparse: gather the slots instead of computing the range
            slots: slice | torch.Tensor = torch.tensor(list(by_slot))
            order = list(by_slot)
        else:
            slots, order = slice(0, rows), list(range(rows))
        lengths = {session.slot: len(session.cached) for session in self._sessions.values()}
        ids_RQ = torch.tensor([[by_slot[slot].token_ids[-1] if slot in by_slot else 0] for slot in order])
        start_R = torch.tensor([min(lengths.get(slot, 0), self.max_context - 1) for slot in order])
        logits_RV = self._forward(slots, ids_RQ, start_R, torch.zeros_like(start_R))
        for request in by_slot.values():
            self._sessions[request.name].cached.append(request.token_ids[-1])
        if len(order) != len(by_slot):
            logits_RV = logits_RV[[slot for slot in order if slot in by_slot]]
        self._sample([by_slot[slot] for slot in order if slot in by_slot], logits_RV)

    def _forward(
        self, slots: slice | torch.Tensor, ids_RQ: torch.Tensor, start_R: torch.Tensor, last_R: torch.Tensor
    ) -> torch.Tensor:
        """Logits [R, V] after each row's last new token; rows shorter than Q are padded at the end.

        What padding writes lies beyond a row's end: no query sees it, and the row's next tokens overwrite it.
        """
        device = self.module.device
        width = ids_RQ.shape[1]
        positions_RQ = (start_R[:, None] + torch.arange(width)).clamp(max=self.max_context - 1).to(device)
        visible = min(self.max_context, int(start_R.max()) + width)
        rows = slots if isinstance(slots, slice) else slots.to(device)
        self._cache.begin(rows, positions_RQ, visible)
        hidden_keep = last_R.to(device)
        with _Last(self.module, hidden_keep):
            output = self.module(
                input_ids=ids_RQ.to(device),
                position_ids=positions_RQ,
                attention_mask=self._mask(positions_RQ, visible),
                past_key_values=self._cache,
                use_cache=True,
            )
        logits: torch.Tensor = output.logits[:, 0].float()
        return logits

    def _mask(self, positions_RQ: torch.Tensor, visible: int) -> torch.Tensor | dict[str, torch.Tensor]:
        """Additive mask [R, 1, Q, visible]: a token sees what stands at or before its position."""
        distance_RQL = positions_RQ[:, :, None] - torch.arange(visible, device=positions_RQ.device)
        zero = torch.zeros((), dtype=self.module.dtype, device=positions_RQ.device)
        full = zero.where(distance_RQL >= 0, float("-inf"))[:, None]
        if self.window is None:
            return full
        near = zero.where((distance_RQL >= 0) & (distance_RQL < self.window), float("-inf"))[:, None]
        return {"full_attention": full, "sliding_attention": near} if self._per_layer else near

    def _sample(self, requests: list[_Request], logits_RV: torch.Tensor) -> None:
        temperatures = torch.tensor([r.sampling.temperature for r in requests], device=logits_RV.device)
        scale_R = torch.where(temperatures > 0, temperatures, 1.0)
        logprobs_RV = (logits_RV / scale_R[:, None]).log_softmax(-1)
        if any(r.sampling.is_truncated for r in requests):
            logprobs_RV = torch.stack(
                [truncated(row_V, r.sampling) for row_V, r in zip(logprobs_RV, requests, strict=True)]
            )
        uniform_R = torch.tensor(
            [r.uniforms[len(r.logprobs)] for r in requests], dtype=torch.float64, device=logits_RV.device
        )
        cumulative_RV = logprobs_RV.double().exp().cumsum(-1)
        drawn_R = torch.searchsorted(cumulative_RV, uniform_R[:, None] * cumulative_RV[:, -1:], right=True)[:, 0]
        best_R = logprobs_RV.argmax(-1)
        chosen_R = torch.where((temperatures > 0) & (drawn_R < logits_RV.shape[-1]), drawn_R, best_R)
        chosen_logprobs = logprobs_RV.gather(-1, chosen_R[:, None])[:, 0].tolist()
        if not all(map(math.isfinite, chosen_logprobs)):
            raise EngineError("a log-probability is not finite: the weights are broken")
        for request, token, logprob in zip(requests, chosen_R.tolist(), chosen_logprobs, strict=True):
            self._take(request, token, logprob)

    def _take(self, request: _Request, token: int, logprob: float) -> None:
        request.token_ids.append(token)
        request.logprobs.append(logprob)
        request.versions.append(self.policy_version)
        self.sampled_tokens += 1
        if request.done.done():
            return
        if token in request.sampling.stop_token_ids:
            request.done.set_result(request.result("stop"))
        elif len(request.logprobs) >= request.sampling.max_tokens:
            request.done.set_result(request.result("length"))


def truncated(logprobs_V: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """Log-probabilities among the tokens that ``top_k``, then ``top_p``, then ``min_p`` keep; −∞ for the others.

    The likeliest token is always kept.
    """
    ordered_V, order_V = logprobs_V.sort(descending=True)
    kept_V = torch.ones_like(ordered_V, dtype=torch.bool)
    if sampling.top_k:
        kept_V[sampling.top_k :] = False
    probabilities_V = ordered_V.masked_fill(~kept_V, float("-inf")).softmax(-1)
    kept_V &= probabilities_V.cumsum(-1) - probabilities_V < sampling.top_p
    kept_V &= ordered_V >= ordered_V[0] + (math.log(sampling.min_p) if sampling.min_p else float("-inf"))
    kept_V[0] = True
    mask_V = torch.zeros_like(kept_V).scatter(0, order_V, kept_V)
    return logprobs_V.masked_fill(~mask_V, float("-inf")).log_softmax(-1)


class _Last:
    """While entered, the output head computes one position a row only: the row's last real token."""

    def __init__(self, module: Any, last_R: torch.Tensor) -> None:
        self.head, self.last_R = module.get_output_embeddings(), last_R

    def __enter__(self) -> None:
        def keep_last(_: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
            rows = torch.arange(len(self.last_R), device=self.last_R.device)
            return (inputs[0][rows, self.last_R][:, None],)

        self.hook = self.head.register_forward_pre_hook(keep_last)

    def __exit__(self, *_: object) -> None:
        self.hook.remove()


def _groups(prefills: Iterable[tuple[int, _Request]]) -> list[list[_Request]]:
    """Rows of like length, so that padding stays within ``_PREFILL_WASTE``."""
    groups: list[list[_Request]] = []
    real = width = 0
    for length, request in sorted(prefills, key=lambda pair: -pair[0]):
        if not groups or width * (len(groups[-1]) + 1) > _PREFILL_WASTE * (real + length):
            groups.append([])
            real, width = 0, length
        groups[-1].append(request)
        real += length
    return groups


def _attention(module: Any, config: Any) -> tuple[int | None, bool]:
    """(sliding window or None, whether masks go by the layer's type). Raises ConfigError for what cannot be served."""
    listed = getattr(config, "layer_types", None)
    kinds = set(listed or ["full_attention"])
    unknown = kinds - {"full_attention", "sliding_attention"}
    if unknown or getattr(module, "_is_stateful", False):
        found = (
            f"layers of {', '.join(sorted(unknown))}"
            if unknown
            else f"a {type(module).__name__}, which keeps other state"
        )
        raise ConfigError(f"the embedded engine serves models with plain attention, found {found}; use --engine vllm")
    if (kernel := getattr(config, "_attn_implementation", None)) not in (None, "sdpa", "eager"):
        raise ConfigError(f'the embedded engine needs the attention kernel "sdpa" or "eager", found "{kernel}"')
    if listed:
        return (int(config.sliding_window), True) if "sliding_attention" in kinds else (None, True)
    window = getattr(config, "sliding_window", None)  # Mistral, Phi 3, …: every layer has it
    return (None if window is None else int(window)), False
