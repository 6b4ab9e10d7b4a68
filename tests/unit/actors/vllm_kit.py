"""What serves vLLM, without vLLM: modules of its names, and an engine core that holds two layers and can be killed."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from agentgym.actors.vllm.weights import Published
from agentgym.engine import NamedWeights

__all__ = ["Core", "Serving", "Written", "serving", "without_vllm"]

_OURS = tuple(f"agentgym.actors.vllm.{name}" for name in ("images", "process", "server", "update"))
_THEIRS = (
    *("vllm", "vllm.exceptions", "vllm.inputs", "vllm.inputs.engine", "vllm.lora", "vllm.lora.request"),
    *("vllm.sampling_params", "vllm.engine", "vllm.engine.arg_utils", "vllm.model_executor"),
    *("vllm.model_executor.models", "vllm.model_executor.models.registry"),
    *("vllm.v1", "vllm.v1.engine", "vllm.v1.engine.async_llm", "vllm.v1.engine.exceptions"),
)


class _Module(ModuleType):
    """Whatever is imported from it is a class of that name."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        made = type(name, (Exception if name.endswith("Error") else SimpleNamespace,), {"FINAL_ONLY": None})
        setattr(self, name, list if name == "tokens_input" else made)
        return getattr(self, name)


def _concerned() -> list[str]:
    return [name for name in sys.modules if name in _OURS or name.partition(".")[0] == "vllm"]


@contextlib.contextmanager
def without_vllm() -> Iterator[None]:
    """While entered, vLLM's modules are stand-ins, and ours that import them are imported anew."""
    kept = {name: sys.modules.pop(name) for name in _concerned()}
    sys.modules.update({name: _Module(name) for name in _THEIRS})
    try:
        yield
    finally:
        for name in _concerned():
            del sys.modules[name]
        sys.modules.update(kept)


class Core:
    """Is ``agentgym.actors.vllm.process.Core`` and its ``AsyncLLM`` in one. A layer says whose weights it has.

    As vLLM does, it leaves whoever asks a dead one without an answer.
    """

    def __init__(self, settings: dict[str, Any], directory: Path, variables: dict[str, str]) -> None:
        self.llm, self.processes, self.segments = self, "", set[str]()
        self.died, self.answers = asyncio.Event(), True
        self.layers, self.version = [settings["model"]] * 2, ""
        self.is_paused = False
        self.asked: list[list[int]] = []
        self.half_way: Callable[[Core], Awaitable[None]] | None = None
        """Called once, when the first of the layers has new weights."""

    def last_words(self) -> str:
        return ""

    def end(self) -> None:
        self.died.set()

    async def generate(
        self, prompt: list[int], parameters: Any, name: str, *, lora_request: Any
    ) -> AsyncIterator[SimpleNamespace]:
        self.asked.append(prompt)
        while self.died.is_set() or not self.answers:
            await asyncio.sleep(0.001)
        num = parameters.max_tokens
        yield SimpleNamespace(
            prompt_token_ids=prompt,
            num_cached_tokens=0,
            outputs=[
                SimpleNamespace(
                    token_ids=[prompt[0]] * num,
                    logprobs=SimpleNamespace(logprobs=[-1.0] * num),
                    finish_reason="length",
                    weight_versions=[SimpleNamespace(version=self.version, start=0, end=num)],
                )
            ],
        )

    async def collective_rpc(self, method: str, args: tuple[str]) -> None:
        assert method == "agentgym_load"
        assert self.is_paused, "it samples while layers change"
        self.layers[0] = args[0]
        half_way, self.half_way = self.half_way, None
        if half_way is not None:
            await half_way(self)
        self.layers[1] = args[0]

    async def update_weight_version(self, version: str) -> None:
        self.version = version

    async def pause_generation(self, *, mode: str, clear_cache: bool) -> None:
        self.is_paused = True

    async def resume_generation(self) -> None:
        self.is_paused = False

    async def reset_prefix_cache(self, *, reset_running_requests: bool) -> None:
        """There is none."""


class Written:
    """Versions that are on no disk."""

    images = None

    def __init__(self) -> None:
        self.there: list[Published] = []

    def write(self, version: int, weights: NamedWeights, *, base: Published | None = None) -> Published:
        number = 1 + max((each.number for each in self.there), default=0)
        self.there.append(Published(version, number, Path(f"model-{number}")))
        return self.there[-1]

    def remove(self, published: Published) -> None:
        self.there.remove(published)


class Serving:
    """A server on cores of the kind above, the first of which has version 0, and what updates it."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.module: Any = importlib.import_module("agentgym.actors.vllm.server")
        self.cores: list[Core] = []
        monkeypatch.setattr(self.module, "Core", self._core)
        self.written = Written()
        self.server = self.module.Server({}, self.written.write(0, ()), directory, variables={})
        update = importlib.import_module("agentgym.actors.vllm.update")
        self.updater = update.Updater(self.server, self.written, update.Disk(), mode="keep")

    def _core(self, *given: Any) -> Core:
        self.cores.append(Core(*given))
        return self.cores[-1]

    async def update(self, version: int) -> None:
        await self.server.call(self.updater.update(version, ()))

    async def said(self, prompt: int) -> Any:
        """The request of three tokens after ``prompt``, once it is answered."""
        request = self.module.Request([prompt], [], {}, 3)
        await self.server.call(self.server.complete(request))
        return request

    def kill(self) -> None:
        """The core that serves."""
        self.server.loop.call_soon_threadsafe(self.cores[-1].died.set)


@pytest.fixture
def serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    with without_vllm():
        made = Serving(tmp_path, monkeypatch)
        try:
            asyncio.run(made.server.start())
            yield made
        finally:
            made.server.close()
