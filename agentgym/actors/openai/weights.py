"""New weights for a vLLM server on another machine, through a directory that both see.

The server runs with VLLM_SERVER_DEV_MODE=1 and agentgym's worker extension. An update writes the weights aside,
then holds every completion where it is (``/pause?mode=keep``), has the workers load them, drops what was computed
with the old ones and lets the completions go on. When that fails the old weights are loaded again before anything
goes on; when that fails too the server stays held, for a mixture must not sample.

Such a server runs whatever it is told by anyone who reaches its port: keep it on a private network.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
from pathlib import Path
from typing import Any

from agentgym.actors.openai.client import Client
from agentgym.actors.openai.probe import Found
from agentgym.actors.openai.wire import Pause, Reset, read
from agentgym.engine import NamedWeights
from agentgym.errors import ConfigError, EngineError

__all__ = ["SharedWeights"]

EXTENSION = "agentgym.actors.vllm.worker.Weights"
_RELOAD = "agentgym_load"
GENERATE = "/inference/v1/generate"
"""vLLM's own interface, which says of each token which weights sampled it."""
START = (
    "VLLM_SERVER_DEV_MODE=1 vllm serve MODEL --enable-scale-out --logprobs-mode processed_logprobs "
    f"--worker-extension-cls {EXTENSION}"
)


class SharedWeights:
    """Brings weights to the server by way of ``directory``: first those of ``module``, then what ``update`` is given.

    Raises ConfigError for what cannot be.
    """

    def __init__(self, client: Client, module: Any, directory: Path) -> None:
        if module is None:
            raise ConfigError("engine.weights has no effect without a model that learns; leave it out")
        from agentgym.actors.vllm.weights import Weights  # imports torch, which only learning needs

        self.client, self.directory = client, directory.absolute()
        self._aside = self.directory / f".{secrets.token_hex(4)}"
        self._first: Any = module
        self.vocabulary = int(module.get_input_embeddings().weight.shape[0])
        self.newest = 0
        """The highest version that the server was brought."""
        self._writer = Weights(module, self._aside)
        self._writer.lora = None  # an adapter is merged: the server was started without room for one
        self._turn = asyncio.Lock()
        self._current: Path | None = None
        """What was last written and loaded."""
        self._start: str | None = None
        """Where the server has the model from that it started with."""

    async def prepare(self) -> None:
        """See that the server takes commands, and make it whole where an earlier run left it held."""
        try:
            state = read(Pause, await self.client.get(f"{self.client.root}/is_paused"), "/is_paused")
            if state.is_paused:
                await self._bring_first()
        except EngineError as error:
            raise ConfigError(f"engine.weights needs a server that takes commands: {error}; type: {START}") from error

    async def check(self, found: Found) -> None:
        """Bring the first weights over, so that whatever stands in the way shows before anything is trained."""
        if found.form == "text":
            raise ConfigError(f"engine.weights has no effect on a server that is asked in text: {found.why_text}")
        if not found.tempered:
            raise ConfigError(
                "the server's log-probabilities are not those of the distribution that its tokens are drawn from, so "
                f"nothing can be learned from them; start it with --logprobs-mode processed_logprobs: {START}"
            )
        self._start = found.root
        question = {"model": found.model, "token_ids": [1], "sampling_params": {"max_tokens": 1}}
        try:
            await self.client.post(self.client.root + GENERATE, question)
            await self._bring_first()
        except EngineError as error:
            raise ConfigError(
                f"the weights cannot follow the learner through {self.directory}: {error}; the directory must have the "
                f"same path on both machines, and the server be started like this: {START}"
            ) from error
        self._first = None  # it is the learner's, and changes

    async def _bring_first(self) -> None:
        from agentgym.weights import weights_of

        await self.update(0, weights_of(self._first))

    async def close(self) -> None:
        """Wait for an update that is under way, and remove what was written."""
        async with self._turn:
            _gone(self._current)

    async def update(self, version: int, weights: NamedWeights) -> None:
        """Make the server sample with ``weights``, as ``version``. Raises EngineError."""
        async with self._turn:
            new = await asyncio.to_thread(self._write, version, weights)
            self.newest = max(self.newest, version)
            try:
                await self._exchange(new, version)
            except BaseException:
                _gone(new)
                raise
            _gone(self._current)
            self._current = new

    def _write(self, version: int, weights: NamedWeights) -> Path:
        """The weights in a new folder, which has its name only when it is whole."""
        try:
            self._aside.mkdir(parents=True)
            written = self._writer.write(version, weights).model
            for file in written.iterdir():
                file.chmod(0o644)  # the server may be another user's
            return written.rename(self.directory / f"version-{version}-{secrets.token_hex(4)}")
        except OSError as error:
            raise EngineError(f"cannot write to {self.directory}: {error.strerror or error}") from error
        finally:
            _gone(self._aside)

    async def _exchange(self, new: Path, version: int) -> None:
        await self._command("/pause?mode=keep")
        try:
            await self._load(str(new))
            await self._command("/update_weight_version", {"new_version": str(version)})
        except EngineError as error:
            await self._roll_back(error)
            raise EngineError(f"version {version} was not taken up, the old one goes on: {error}") from error
        await self._command("/resume")

    async def _load(self, path: str) -> None:
        await self._command("/collective_rpc", {"method": _RELOAD, "args": [path]})
        answer = await self._command("/reset_prefix_cache?reset_running_requests=true")
        if not read(Reset, answer, "/reset_prefix_cache").success:
            raise EngineError("the server did not drop what it had computed with other weights")

    async def _roll_back(self, error: EngineError) -> None:
        try:
            old = str(self._current or self._start or "")
            if not old:
                raise EngineError("nobody knows what it had before")
            await self._load(old)
            await self._command("/resume")
        except EngineError as worse:
            raise EngineError(
                f"the server may hold a mixture of weights and was left held; start it anew ({error}; then {worse})"
            ) from error

    async def _command(self, path: str, body: dict[str, Any] | None = None) -> str:
        return await self.client.command(self.client.root + path, body)


def _gone(folder: Path | None) -> None:
    """Remove what was written; another machine may still be reading it, or may have removed it."""
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
