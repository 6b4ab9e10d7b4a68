"""What only GPUs have: weights by vLLM's four-phase transfer interface, and memory lent back to the learner.

Written to the interface of vLLM 0.32 (``vllm.distributed.weight_transfer``); not run, for want of a GPU.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Coroutine, Iterator
from typing import Any

import torch
from vllm.distributed.weight_transfer.base import (
    ParamMeta,
    WeightSource,
    WeightTransferInitRequest,
    WeightTransferUpdateRequest,
)
from vllm.distributed.weight_transfer.factory import WeightTransferTrainerFactory
from vllm.distributed.weight_transfer.ipc_engine import IPCTrainerInitInfo
from vllm.distributed.weight_transfer.nccl_engine import NCCLTrainerInitInfo

from agentgym.actors.vllm.process import Core
from agentgym.actors.vllm.server import Server
from agentgym.actors.vllm.settings import Options
from agentgym.actors.vllm.weights import Published, State

__all__ = ["Direct", "Sleeper", "gpu_environment"]


def gpu_environment(options: Options) -> dict[str, str]:
    """Environment variables of vLLM's processes.

    NCCL takes no two ends on one device: vLLM then gets the last GPUs, the learner has the first. CUDA IPC handles are
    no plain data; they go through a socket in the engine's own directory.
    """
    if options.transfer == "ipc":
        return {"VLLM_ALLOW_INSECURE_SERIALIZATION": "1"}
    if options.transfer == "nccl":
        listed = os.environ.get("CUDA_VISIBLE_DEVICES")
        devices = listed.split(",") if listed else [str(i) for i in range(torch.cuda.device_count())]
        return {"CUDA_VISIBLE_DEVICES": ",".join(devices[-options.tensor_parallel :])}
    return {}


class Direct:
    """The learner's parameters, from its device to vLLM's; ``module`` says what there are."""

    def __init__(self, module: Any, options: Options) -> None:
        self._source, self._options = _Parameters(module), options
        self._sender: Any = None
        self._core: Core | None = None

    async def load(self, core: Core, weights: Published, state: State) -> None:
        """Send all parameters; the two sides meet first, once in a core's life."""
        self._source.state = state
        if self._core is not core:
            client = _Client(core, asyncio.get_running_loop())
            self._sender = await asyncio.to_thread(self._meet, client)
            self._core = core
        try:
            await asyncio.to_thread(self._sender.send_weights)
        finally:
            self._source.state = {}

    def _meet(self, client: _Client) -> Any:
        info: Any = IPCTrainerInitInfo(rank=0)
        if self._options.transfer == "nccl":
            info = NCCLTrainerInitInfo(
                master_address="127.0.0.1",
                master_port=self._options.port or _any_port(),
                world_size=1 + self._options.tensor_parallel,
                rank=0,
            )
        return WeightTransferTrainerFactory.trainer_init(info, client=client, source=self._source)


class _Parameters(WeightSource):  # type: ignore[misc]  # vLLM has no types here
    """What vLLM's sender reads: what parameters there are, and those of ``state``, in the same order."""

    def __init__(self, module: Any) -> None:
        self._shapes = [ParamMeta(name, p.dtype, tuple(p.shape)) for name, p in module.named_parameters()]
        self.state: State = {}

    def metadata(self) -> list[ParamMeta]:
        return self._shapes

    def __iter__(self) -> Iterator[tuple[str, torch.Tensor]]:
        return ((shape.name, self.state[shape.name]) for shape in self._shapes)


class _Client:
    """The four calls that vLLM's sender makes, from its own thread, of the engine in this process."""

    def __init__(self, core: Core, loop: asyncio.AbstractEventLoop) -> None:
        self._llm, self._loop = core.llm, loop

    def init_weight_transfer_engine(self, init_info: dict[str, Any]) -> None:
        self._do(self._llm.init_weight_transfer_engine(WeightTransferInitRequest(init_info=init_info)))

    def start_weight_update(self) -> None:
        self._do(self._llm.start_weight_update())

    def update_weights(self, update_info: Any) -> None:
        self._do(self._llm.update_weights(WeightTransferUpdateRequest(update_info=update_info)))

    def finish_weight_update(self, weight_version: str | None = None) -> None:
        self._do(self._llm.finish_weight_update(weight_version))

    def _do(self, call: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(call, self._loop).result()


class Sleeper:
    """Frees vLLM's device memory while nobody uses it: weights go to the host, keys and values are dropped."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._changing = asyncio.Lock()
        self._sleeps = False

    async def sleep(self) -> None:
        """Unless requests are in flight."""
        async with self._changing:
            if not self._sleeps and not self._server.num_running:
                core = await self._server.core()
                await self._server.guarded(core, core.llm.sleep(level=1, mode="wait"))
                self._sleeps = True

    async def wake(self) -> None:
        """Be ready for requests."""
        async with self._changing:
            if self._sleeps:
                core = await self._server.core()
                await self._server.guarded(core, core.llm.wake_up())
                await self._server.guarded(core, core.llm.resume_generation())
                self._sleeps = False


def _any_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
