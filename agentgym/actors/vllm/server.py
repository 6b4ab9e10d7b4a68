"""vLLM in a thread of its own: requests, new weights, and a new engine core where one died.

Everything here runs in an event loop of the server's own: it must read vLLM's answers and give it new work while the
learner keeps the program's loop busy for seconds. Callers there wait by ``call``. A request is resubmitted until it is
answered once: what a dead core had sampled is sampled anew, what was cut off for new weights is continued.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import itertools
import shutil
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from vllm.exceptions import VLLMClientError
from vllm.inputs.engine import tokens_input
from vllm.lora.request import LoRARequest
from vllm.sampling_params import RequestOutputKind, SamplingParams
from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

from agentgym.actors.vllm.images import rendered
from agentgym.actors.vllm.process import Core, Guard
from agentgym.actors.vllm.weights import Published
from agentgym.errors import EngineError
from agentgym.processor import Images
from agentgym.types import Media

__all__ = ["MAX_RESTARTS", "REFUSALS", "RESTARTS_WITHIN", "Request", "Server"]

T = TypeVar("T")

MAX_RESTARTS = 3
"""So many within ``RESTARTS_WITHIN`` seconds; after that the engine is given up."""

RESTARTS_WITHIN = 600.0

REFUSALS = (ValueError, VLLMClientError)
"""What vLLM raises for a request that it will not serve."""


@dataclasses.dataclass(slots=True, eq=False)
class Request:
    """One completion on its way."""

    prompt: list[int]
    media: list[Media]
    """Images that ``prompt`` shows."""
    options: dict[str, Any]
    """For ``SamplingParams``, without what every request has."""
    max_tokens: int
    seed: int | None = None
    token_ids: list[int] = dataclasses.field(default_factory=list)
    logprobs: list[float] = dataclasses.field(default_factory=list)
    versions: list[int] = dataclasses.field(default_factory=list)
    finish_reason: str = ""
    prefilled: int = 0
    """Prompt tokens that were computed, not found in the cache."""

    def parameters(self) -> SamplingParams:
        """For what is still to be sampled."""
        done = len(self.token_ids)
        return SamplingParams(
            **self.options,
            max_tokens=self.max_tokens - done,
            seed=None if self.seed is None else self.seed + done,  # the same seed would draw the same numbers again
            logprobs=0,
            ignore_eos=True,
            detokenize=False,
            flat_logprobs=True,
            skip_clone=True,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )

    def take(self, output: Any, weights: Published) -> None:
        """Add what an answer brings."""
        answer = output.outputs[0]
        self.prefilled += len(output.prompt_token_ids) - output.num_cached_tokens
        self.finish_reason = answer.finish_reason
        self.token_ids += answer.token_ids
        self.logprobs += answer.logprobs.logprobs[: len(answer.token_ids)]
        if weights.adapter is not None:
            self.versions += [weights.version] * len(answer.token_ids)
            return
        for span in answer.weight_versions or ():
            self.versions += [int(span.version)] * (span.end - span.start)


class Server:
    """vLLM with ``settings`` on the weights of ``first``, in ``directory``, which closing removes.

    ``variables`` are environment variables of its processes. Tokens that are ``forbidden`` are never sampled. Without
    ``images`` it takes none.
    """

    def __init__(
        self,
        settings: dict[str, Any],
        first: Published,
        directory: Path,
        *,
        variables: dict[str, str],
        forbidden: Sequence[int] = (),
        images: Images | None = None,
    ) -> None:
        self._settings, self._directory, self._variables = settings, directory, variables
        self._forbidden, self._images = list(forbidden), images
        self.live = first
        """What new requests are sampled with."""
        self.num_restarts = 0
        self._restarts: collections.deque[float] = collections.deque()
        self._given_up = ""
        self._numbers = itertools.count()
        self._users: collections.Counter[Published] = collections.Counter()
        self.on_free: Callable[[Published], None] = lambda weights: None
        """Told of weights whose last request is over."""
        self._reviving, self.updating = asyncio.Lock(), asyncio.Lock()
        self._closing = threading.Lock()
        self._core: Core | None = None
        self._guard = Guard(directory)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="agentgym-vllm", daemon=True)
        self._thread.start()

    # -- from any thread -----------------------------------------------------------------------------

    async def start(self) -> None:
        """Until it serves. Raises EngineError when it does not start; closing it is the caller's."""
        await self.call(self._start())

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """The result of ``main``, run in the server's loop."""
        return asyncio.run_coroutine_threadsafe(main, self.loop).result()

    async def call(self, main: Coroutine[Any, Any, T]) -> T:
        """Like ``run``, for callers in another loop; cancelling the caller cancels ``main``."""
        if self.loop.is_closed():
            main.close()
            raise EngineError("the engine is closed")
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(main, self.loop))

    def close(self) -> None:
        """End everything and leave nothing; a second time is fine."""
        if threading.current_thread() is self._thread:  # a collected engine's finalizer runs anywhere
            threading.Thread(target=self.close).start()
            return
        with self._closing:
            if self.loop.is_closed():
                return
            self.run(self._stop())
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
            self.loop.close()
            shutil.rmtree(self._directory, ignore_errors=True)
            self._guard.close()

    @property
    def pid(self) -> int:
        """Of the engine core."""
        assert self._core is not None
        return self._core.pid

    # -- in the loop ---------------------------------------------------------------------------------

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        self.loop.run_until_complete(self.loop.shutdown_default_executor())

    async def _start(self) -> None:
        settings = {**self._settings, "model": str(self.live.model)}
        self._core = Core(settings, self._directory, self._variables)
        self._guard.watch(self._core)
        llm = self._core.llm
        if self._forbidden:
            await self.guarded(self._core, llm.collective_rpc("agentgym_forbid", args=(self._forbidden,)))
        await self.guarded(self._core, llm.update_weight_version(str(self.live.version)))

    async def _stop(self) -> None:
        self._given_up = "the engine is closed"
        running = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if self._core is not None:
            self._core.end()
            self._core = None
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    @property
    def num_running(self) -> int:
        """Requests in flight."""
        return self._users.total()

    @property
    def num_sampled(self) -> list[int]:
        """Tokens sampled so far for each request that is in flight."""
        states: dict[str, Any] = self._core.llm.output_processor.request_states if self._core else {}
        return [state.detokenizer.num_output_tokens() for state in list(states.values())]

    async def core(self) -> Core:
        """The one that serves. Raises EngineError when there is none any more."""
        async with self._reviving:
            pass
        if self._given_up or self._core is None:
            raise EngineError(self._given_up)
        return self._core

    async def guarded(self, core: Core, asked: Awaitable[T]) -> T:
        """What ``core`` answers; raises EngineDeadError when it dies first, which vLLM's own calls would wait out."""
        answer = asyncio.ensure_future(asked)
        death = asyncio.ensure_future(core.died.wait())
        try:
            await asyncio.wait({answer, death}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise EngineDeadError
            return answer.result()
        finally:
            for task in (answer, death):
                task.cancel()

    async def revive(self, dead: Core, weights: Published | None = None) -> None:
        """Start a core in place of ``dead``, with ``weights`` or what was live; the first caller does it for all.

        Raises EngineError when it is one restart too many or it does not start.
        """
        async with self._reviving:
            if self._core is not dead or self._given_up:
                return
            words = dead.last_words()
            self._core = None
            dead.end()
            now = time.monotonic()
            while self._restarts and now - self._restarts[0] > RESTARTS_WITHIN:
                self._restarts.popleft()
            if len(self._restarts) >= MAX_RESTARTS:
                self._given_up = (
                    f"vLLM died {MAX_RESTARTS + 1} times within {RESTARTS_WITHIN / 60:.0f} minutes and is given up"
                    + (f"; its last words: {words}" if words else "; was the machine short of memory?")
                )
                raise EngineError(self._given_up)
            self._restarts.append(now)
            self.num_restarts += 1
            self.live = weights or self.live
            try:
                await self._start()
            except EngineError as error:
                self._given_up = f"vLLM died and could not be started again: {error}"
                raise EngineError(self._given_up) from error

    async def complete(self, request: Request) -> None:
        """Fill ``request``, whatever happens to cores and weights meanwhile."""
        while request.finish_reason in ("", "abort"):
            async with self.updating if request.finish_reason else contextlib.nullcontext():
                pass  # cut off for new weights: go on with them, not before
            token_ids = [*request.prompt, *request.token_ids]
            output, weights = await self.answer(token_ids, request.media, request.parameters())
            request.take(output, weights)

    async def score(self, token_ids: list[int], media: Sequence[Media]) -> list[float]:
        """Log-probability of each of at least two tokens, which show ``media``, given those before it.

        The last token is not sent but asked for as what might come next, so that a whole context can be scored.
        """
        parameters = SamplingParams(
            max_tokens=1,
            prompt_logprobs=0,
            logprob_token_ids=[token_ids[-1]],
            ignore_eos=True,
            detokenize=False,
            flat_logprobs=True,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        output, _ = await self.answer(token_ids[:-1], media, parameters)
        while output.outputs[0].finish_reason == "abort":
            async with self.updating:
                pass
            output, _ = await self.answer(token_ids[:-1], media, parameters)
        return [0.0, *output.prompt_logprobs.logprobs, output.outputs[0].logprobs.logprobs[-1]]

    async def answer(
        self, token_ids: list[int], media: Sequence[Media], parameters: SamplingParams
    ) -> tuple[Any, Published]:
        """vLLM's one answer, and the weights that were live when it was asked."""
        while True:
            core, weights = await self.core(), self.live
            self._users[weights] += 1
            try:
                prompt = await self._prompt(core, token_ids, media)
                return await self.guarded(core, self._answer(core, prompt, parameters, weights)), weights
            except EngineDeadError:
                await self.revive(core)
            except (*REFUSALS, EngineGenerateError) as error:
                raise EngineError(f"vLLM refuses the request: {error.__cause__ or error}") from error
            finally:
                self._release(weights)

    async def _prompt(self, core: Core, token_ids: list[int], media: Sequence[Media]) -> Any:
        if not media:
            return tokens_input(token_ids)
        assert self._images is not None
        return await rendered(core.llm, self._images, token_ids, media)

    async def _answer(self, core: Core, prompt: Any, parameters: SamplingParams, weights: Published) -> Any:
        adapter = None
        if weights.adapter is not None:
            adapter = LoRARequest(f"adapter-{weights.number}", weights.number, str(weights.adapter))
        name = f"{next(self._numbers)}"
        answers = core.llm.generate(prompt, parameters, name, lora_request=adapter)
        return [answer async for answer in answers][-1]

    def _release(self, weights: Published) -> None:
        self._users[weights] -= 1
        if not self._users[weights]:
            del self._users[weights]
            self.on_free(weights)

    def is_used(self, weights: Published) -> bool:
        """Whether a request in flight was begun with them."""
        return weights in self._users
