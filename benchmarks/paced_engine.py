"""An engine that takes its time and computes nothing: what it would sample is not what is measured."""

from __future__ import annotations

import asyncio
from typing import Any

import agentgym
from agentgym.engine import Completion, Engine, NamedWeights, Prompt, Sampling


@agentgym.register
class PacedEngine(Engine):
    """Says one token after ``seconds``, to ``slots`` sessions at once.

    Args:
        module: the model, of which nothing is asked
        seconds: of a reply
        slots: replies under way at once; further ones wait
    """

    max_context = 1 << 14

    def __init__(self, module: Any, *, seconds: float = 0.2, slots: int = 4) -> None:
        self.seconds, self.slots = seconds, asyncio.Semaphore(slots)

    async def generate(self, prompt: Prompt, sampling: Sampling, *, session: str) -> Completion:
        async with self.slots:
            await asyncio.sleep(self.seconds)
        end = sampling.stop_token_ids[0]
        return Completion(token_ids=[end], logprobs=[0.0], policy_versions=[self.policy_version], finish_reason="stop")

    async def score(self, prompt: Prompt) -> list[float]:
        return [0.0] * len(prompt.token_ids)

    async def update_weights(self, version: int, weights: NamedWeights) -> None:
        self.policy_version = version
