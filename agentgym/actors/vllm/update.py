"""New weights for a running engine: all of them or none.

A version is written first. Then vLLM is paused, loads it, forgets the keys and values that older weights computed, is
told the version's name and goes on; a fault before that last step brings the old version back. An adapter needs no
pause: it is loaded beside its predecessor, and requests name the one they are sampled with.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Literal, Protocol

from vllm.lora.request import LoRARequest
from vllm.v1.engine.exceptions import EngineDeadError

from agentgym.actors.vllm.process import Core
from agentgym.actors.vllm.server import Server
from agentgym.actors.vllm.weights import Published, State, Weights
from agentgym.engine import NamedWeights
from agentgym.errors import EngineError

__all__ = ["Disk", "Transport", "Updater"]

_GO_BACK_SECONDS = 300.0
"""For a core that refused new weights to serve the old ones again; a new one is started after that."""


class Transport(Protocol):
    """How a whole model gets into a core."""

    async def load(self, core: Core, weights: Published, state: State) -> None:
        """Have ``core`` hold ``weights``, which ``state`` was written from; on an error it may hold anything."""


class Disk:
    """vLLM reads the directory that was written."""

    async def load(self, core: Core, weights: Published, state: State) -> None:
        await core.llm.collective_rpc("agentgym_load", args=(str(weights.model),))


class Updater:
    """Publishes what ``weights`` writes to ``server``; ``mode`` says what becomes of requests in flight."""

    def __init__(
        self, server: Server, weights: Weights, transport: Transport, *, mode: Literal["keep", "wait", "abort"]
    ) -> None:
        self.server, self.weights, self.transport, self.mode = server, weights, transport, mode
        self._tasks: set[asyncio.Task[None]] = set()
        server.on_free = self._free_later

    async def update(self, version: int, weights: NamedWeights) -> None:
        """Make ``weights`` live as ``version``. Raises EngineError; the old version then still is."""
        async with self.server.updating:
            old, core = self.server.live, await self.server.core()
            state = await asyncio.to_thread(dict, weights)
            new = await asyncio.to_thread(self.weights.write, version, state.items(), base=old)
            try:
                if new.adapter is None:
                    await self._swap_model(core, old, new, state)
                else:
                    await self._swap_adapter(core, old, new)
            except EngineDeadError:
                await self.server.revive(core, new)
            except BaseException:
                self.weights.remove(new)
                raise
            if not self.server.is_used(old) or new.adapter is None:
                await self._forget(old)

    def _free_later(self, weights: Published) -> None:
        if weights.adapter is not None and weights != self.server.live:
            task = asyncio.ensure_future(self._forget(weights))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _forget(self, weights: Published) -> None:
        """Free what was live before and is used no more."""
        if weights.adapter is not None:
            with contextlib.suppress(EngineDeadError, EngineError):  # a core that died holds no old adapter
                core = await self.server.core()
                await self.server.guarded(core, core.llm.remove_lora(weights.number))
        self.weights.remove(weights)

    async def _swap_model(self, core: Core, old: Published, new: Published, state: State) -> None:
        llm, ask = core.llm, self.server.guarded
        await ask(core, llm.pause_generation(mode=self.mode, clear_cache=False))
        try:
            await ask(core, self.transport.load(core, new, state))
            await ask(core, self._forget_computed(core))
            await ask(core, llm.update_weight_version(str(new.version)))
        except EngineDeadError:
            raise
        except Exception as error:  # whatever loading raises in vLLM's process
            await self._go_back(core, old)
            raise EngineError(_refusal(old, new, error)) from error
        self.server.live = new
        await ask(core, llm.resume_generation())

    async def _go_back(self, core: Core, old: Published) -> None:
        """``old`` serves again: loaded once more or, where that fails too, in a new core."""
        llm, ask = core.llm, self.server.guarded
        try:
            async with asyncio.timeout(_GO_BACK_SECONDS):
                await ask(core, Disk().load(core, old, {}))
                await ask(core, self._forget_computed(core))
                await ask(core, llm.update_weight_version(str(old.version)))
                await ask(core, llm.resume_generation())
        except Exception:  # vLLM's own, or its death: a new core holds nothing of either version
            await self.server.revive(core, old)

    async def _forget_computed(self, core: Core) -> None:
        """Drop keys and values, and features of images, that other weights computed."""
        if self.weights.images is not None:
            await core.llm.reset_encoder_cache()
        await core.llm.reset_prefix_cache(reset_running_requests=True)

    async def _swap_adapter(self, core: Core, old: Published, new: Published) -> None:
        llm, ask = core.llm, self.server.guarded
        if self.mode != "keep":
            await ask(core, llm.pause_generation(mode=self.mode, clear_cache=False))
        try:
            await ask(core, llm.add_lora(LoRARequest(f"adapter-{new.number}", new.number, str(new.adapter))))
            self.server.live = new
        except EngineDeadError:
            raise
        except Exception as error:  # whatever loading raises in vLLM's process
            raise EngineError(_refusal(old, new, error)) from error
        finally:
            if self.mode != "keep" and not core.died.is_set():
                await ask(core, llm.resume_generation())


def _refusal(old: Published, new: Published, error: BaseException) -> str:
    return (
        f"vLLM could not take up the weights of version {new.version}: {type(error).__name__}: {error}; "
        f"version {old.version} keeps serving"
    )
