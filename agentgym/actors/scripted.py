"""An engine without a model: replies come from a function. For tests, benchmarks and examples."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated

from pydantic import Field

from agentgym.engine import Completion, Engine, NamedWeights, Prompt, Sampling
from agentgym.registry import register

__all__ = ["ScriptedEngine"]

KEPT = 1000
"""Prompts; more would fill the memory over a day."""


@register
class ScriptedEngine(Engine):
    """Says what a function replies; log-probabilities are 0, and ``max_tokens`` cuts a reply as it would a sampled one.

    Args:
        reply: token ids of a prompt → token ids of the reply
        max_context: tokens of a session
        latency: seconds that a reply takes
    """

    supports_images = True

    def __init__(
        self,
        reply: Callable[[Sequence[int]], list[int]],
        *,
        max_context: Annotated[int, Field(ge=2)] = 2**20,
        latency: Annotated[float, Field(ge=0)] = 0.0,
    ) -> None:
        self.reply, self.max_context, self.latency = reply, max_context, latency
        self.requests: list[list[int]] = []
        """The last prompts that came in, up to ``KEPT``."""

    async def generate(self, prompt: Prompt, sampling: Sampling, *, session: str) -> Completion:
        self.requests.append(list(prompt.token_ids))
        del self.requests[:-KEPT]
        await asyncio.sleep(self.latency)
        ids = self.reply(prompt.token_ids)[: sampling.max_tokens]
        stopped = bool(ids) and ids[-1] in sampling.stop_token_ids
        return Completion(
            token_ids=ids,
            logprobs=[0.0] * len(ids),
            policy_versions=[self.policy_version] * len(ids),
            finish_reason="stop" if stopped else "length",
        )

    async def score(self, prompt: Prompt) -> list[float]:
        return [0.0] * len(prompt.token_ids)

    async def update_weights(self, version: int, weights: NamedWeights) -> None:
        self.policy_version = version
