"""The vLLM engine: ``AsyncLLM`` beside the learner, token ids in, token ids and the sampler's log-probabilities out.

vLLM runs in processes of its own and serves a copy of the weights, first those of the module; ``update_weights`` makes
others live, also while completions are under way. On a CPU weights go through a file in memory. On GPUs they go
by vLLM's weight-transfer interface, CUDA IPC or NCCL: written to the interface of vLLM 0.32 and not run yet. A model
with a LoRA adapter sends the adapter alone.

Departs from the embedded engine: keys and values are found again by vLLM's prefix cache, in whole blocks and whatever
the session's name; and on a CPU, where vLLM cannot seed a request, ``Sampling.seed`` has no effect
(``supports_seeds``).
"""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, cast

from pydantic import Field

from agentgym.actors.vllm.probe import check_vllm, installed_vllm
from agentgym.engine import Completion, Engine, NamedWeights, Prompt, Sampling, text_only
from agentgym.errors import EngineError
from agentgym.loops import to_the_end
from agentgym.registry import register
from agentgym.types import Media

if TYPE_CHECKING:
    from agentgym.actors.vllm.server import Request, Server
    from agentgym.actors.vllm.update import Transport, Updater

__all__ = ["VLLMEngine"]


class _Known(NamedTuple):
    """Of a session."""

    token_ids: list[int]
    digests: list[str]
    """Of the images among them."""


@register
class VLLMEngine(Engine):
    """Samples with vLLM from a transformers causal LM or a peft model around one.

    When weights change, "keep" goes on with the new ones from where a completion is, "wait" lets those under way end on
    the old ones first, "abort" cuts them off and begins the rest anew on the new weights. Either way a completion keeps
    its tokens, and each token its version. With LoRA "keep" lets them end on the adapter they began with, beside those
    that begin with the new one.

    Raises UserError when vLLM is missing, ConfigError for what does not fit the model or the machine. However this
    process ends, vLLM's processes and files go with it.

    Args:
        module: the model, whose weights vLLM starts with
        max_context: tokens of a session; by default what the model was made for
        max_sessions: completions that run at once; further ones wait
        update: what becomes of completions under way when weights change: "keep", "wait" or "abort"
        kv_cache_gib: memory for keys and values in GiB; by default, on a CPU, what the sessions need within a quarter
            of the free memory, and on a GPU what gpu_memory leaves
        transfer: how weights travel: "disk", "ipc" (on one GPU) or "nccl" (to others); by default as the device allows
        port: where the two sides of nccl meet; any free one by default
        gpu_memory: share of the GPU that vLLM takes, 0.45 by default, since the learner is there too
        tensor_parallel: number of GPUs that vLLM runs on
        sleep: whether vLLM's GPU memory is free while no session is open
        prefix_caching: whether the keys and values of known beginnings are found again
        seed: vLLM's own
    """

    nano: ClassVar[Mapping[str, Any]] = {"width": 128}  # on a CPU vLLM serves heads of some sizes only

    @classmethod
    def refuse_missing(cls) -> None:
        installed_vllm()

    def __init__(
        self,
        module: Any,
        *,
        max_context: Annotated[int, Field(ge=2)] | None = None,
        max_sessions: Annotated[int, Field(ge=1)] = 128,
        update: Literal["keep", "wait", "abort"] = "keep",
        kv_cache_gib: Annotated[float, Field(gt=0)] | None = None,
        transfer: Literal["disk", "nccl", "ipc"] | None = None,
        port: Annotated[int, Field(ge=1, le=65535)] | None = None,
        gpu_memory: Annotated[float, Field(gt=0, le=1)] | None = None,
        tensor_parallel: Annotated[int, Field(ge=1)] = 1,
        sleep: bool = False,
        prefix_caching: bool = True,
        seed: int = 0,
    ) -> None:
        given = {name: value for name, value in locals().items() if name not in ("self", "module")}
        from agentgym.actors.vllm.settings import settled  # imports torch, as all do that is imported on use
        from agentgym.vision import images_of

        self._module: Any = module
        self._images = images_of(module)
        self.supports_images = self._images is not None
        self.options = settled(module, given)
        check_vllm()
        self.max_context = self.options.max_context
        self.supports_seeds = self.options.device == "cuda"
        self.prefill_tokens = 0
        """Prompt tokens that were computed, not found in vLLM's prefix cache."""
        self.new_tokens = 0
        """Prompt tokens that had not been computed before in their session."""
        self.sampled_tokens = 0
        self._vocabulary = module.get_input_embeddings().num_embeddings
        self._sessions: dict[str, _Known] = {}
        """Open sessions, and what was computed for each with the present weights."""
        self._busy: set[str] = set()
        self._num_updates = 0
        self._sleeper: Any = None
        self._end: Callable[[], object] = lambda: None

    async def start(self) -> None:
        """Start vLLM, which takes a while. Raises EngineError when it does not start."""
        from agentgym.actors.vllm.weights import private_directory

        directory = private_directory()
        try:
            self._prepare(directory)
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise
        self._end = weakref.finalize(self, self._server.close)
        await self._server.start()

    def _prepare(self, directory: Path) -> None:
        """Write the first weights, and make what serves them and brings later ones; the module is not needed then."""
        from agentgym.actors.vllm.server import Server
        from agentgym.actors.vllm.settings import engine_settings
        from agentgym.actors.vllm.update import Disk, Updater
        from agentgym.actors.vllm.weights import Weights
        from agentgym.vision import forbidden
        from agentgym.weights import weights_of

        module, self._module = self._module, None
        weights = Weights(module, directory)
        settings = engine_settings(module, weights, self.options)
        transport: Transport = Disk()
        variables: dict[str, str] = {"HF_HUB_OFFLINE": "1"} | _threads()
        if self.options.device == "cuda":
            from agentgym.actors.vllm import gpu

            variables |= gpu.gpu_environment(self.options)
            if self.options.transfer != "disk":
                transport = gpu.Direct(weights.module, self.options)
        self._server: Server = Server(
            settings,
            weights.write(0, weights_of(module)),
            directory,
            variables=variables,
            forbidden=forbidden(module.config),
            images=weights.images,
        )
        self._updater: Updater = Updater(self._server, weights, transport, mode=self.options.update)
        if self.options.sleep:
            self._sleeper = gpu.Sleeper(self._server)

    # -- the contract --------------------------------------------------------------------------------

    async def generate(self, prompt: Prompt, sampling: Sampling, *, session: str) -> Completion:
        self._check(prompt, sampling, session)
        request = self._request(prompt, sampling)
        self._busy.add(session)
        known = self._sessions.setdefault(session, _Known([], []))
        self.new_tokens += len(request.prompt) - min(len(known.token_ids), len(request.prompt) - 1)
        update = self._num_updates
        try:
            await self._server.call(self._complete(request))
        finally:
            self._busy.discard(session)
        self.prefill_tokens += request.prefilled
        self.sampled_tokens += len(request.token_ids)
        if update == self._num_updates and session in self._sessions:
            digests = [media.digest for media in request.media]
            self._sessions[session] = _Known([*request.prompt, *request.token_ids[:-1]], digests)
        return _completion(request)

    async def score(self, prompt: Prompt) -> list[float]:
        ids = list(prompt.token_ids)
        if not 1 <= len(ids) <= self.max_context:
            raise EngineError(f"{len(ids)} tokens are to be scored, expected 1 to {self.max_context}")
        self._check_known(prompt)
        if len(ids) == 1:
            return [0.0]
        return await self._server.call(self._score(ids, prompt.media))

    async def update_weights(self, version: int, weights: NamedWeights) -> None:
        """As the contract says. Raises EngineError when vLLM could not; the version that was live then still is.

        Cancelling the awaiting task does not cut an update in two: it goes on.
        """
        await self._server.call(to_the_end(self._publish(version, weights)))

    def release(self, session: str) -> None:
        self._sessions.pop(session, None)
        if self._sleeper is not None and not self._sessions:
            asyncio.run_coroutine_threadsafe(self._sleeper.sleep(), self._server.loop)

    async def close(self) -> None:
        await asyncio.to_thread(self._end)

    # -- in the server's loop ------------------------------------------------------------------------

    async def _complete(self, request: Request) -> None:
        if self._sleeper is not None:
            await self._sleeper.wake()
        await self._server.complete(request)

    async def _score(self, ids: list[int], media: Sequence[Media]) -> list[float]:
        if self._sleeper is not None:
            await self._sleeper.wake()
        return await self._server.score(ids, media)

    async def _publish(self, version: int, weights: NamedWeights) -> None:
        if self._sleeper is not None:
            await self._sleeper.wake()
        await self._updater.update(version, weights)
        self.policy_version = version
        self._num_updates += 1
        for session in list(self._sessions):
            self._sessions[session] = _Known([], [])

    # -- what is asked -------------------------------------------------------------------------------

    def _check(self, prompt: Prompt, sampling: Sampling, session: str) -> None:
        token_ids = prompt.token_ids
        if not token_ids or sampling.max_tokens < 1 or len(token_ids) + sampling.max_tokens > self.max_context:
            raise EngineError(
                f"{len(token_ids)} prompt tokens and {sampling.max_tokens} new ones were asked for; both must be at "
                f"least 1 and together fit the context of {self.max_context}"
            )
        self._check_known(prompt)
        if session in self._busy:
            raise EngineError(
                f'session "{session}" is still generating; use another session name for a second completion'
            )
        known = self._sessions.get(session, _Known([], []))
        digests = [media.digest for media in prompt.media[: len(known.digests)]]
        if list(token_ids[: len(known.token_ids)]) != known.token_ids or digests != known.digests:
            raise EngineError(
                f'the tokens do not extend those of session "{session}"; use another session name for them'
            )

    def _check_known(self, prompt: Prompt) -> None:
        """vLLM would look unknown ids up beyond the end of its tables, and images that do not fit their tokens."""
        token_ids = text_only(prompt) if self._images is None else prompt.token_ids
        if self._images is not None:
            self._images.refuse_misfits(*prompt)
        if min(token_ids) < 0 or max(token_ids) >= self._vocabulary:
            wrong = next(token for token in token_ids if not 0 <= token < self._vocabulary)
            raise EngineError(f"there is no token {wrong}: the model has {self._vocabulary}")

    def _request(self, prompt: Prompt, sampling: Sampling) -> Request:
        from agentgym.actors.vllm.server import REFUSALS, Request

        request = Request(
            list(prompt.token_ids),
            list(prompt.media),
            {
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "top_k": sampling.top_k,
                "min_p": sampling.min_p,
                "stop_token_ids": list(sampling.stop_token_ids),
            },
            sampling.max_tokens,
            seed=sampling.seed if self.supports_seeds else None,
        )
        try:
            request.parameters()
        except REFUSALS as error:
            raise EngineError(f"vLLM refuses to sample so: {error}") from error
        return request


def _completion(request: Request) -> Completion:
    """Raises EngineError when vLLM gave up on it or a log-probability is no number."""
    if request.finish_reason not in ("stop", "length"):
        raise EngineError(f"vLLM ended a completion with {request.finish_reason}")
    if not all(map(math.isfinite, request.logprobs)):
        raise EngineError("a log-probability is not finite: the weights are broken")
    reason = cast(Literal["stop", "length", "aborted"], request.finish_reason)
    return Completion(
        token_ids=request.token_ids,
        logprobs=request.logprobs,
        policy_versions=request.versions,
        finish_reason=reason,
    )


def _threads() -> dict[str, str]:
    """As many threads as the learner has, which waits while vLLM is at work; the user's own number goes first."""
    import torch

    return {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS") or str(torch.get_num_threads())}
