"""vLLM, where it is installed: starting, taking up weights, tokens per second, and parity with the learner."""

from __future__ import annotations

import asyncio
import importlib.util
import time
from typing import Any

import torch

from agentgym.actors.vllm.engine import VLLMEngine
from agentgym.weights import weights_of
from benchmarks.gpu_rows import models
from benchmarks.gpu_rows.agreement import parity_rows, sampled
from benchmarks.gpu_rows.bench import Bench, NotHereError, Rows, middle, row

__all__ = ["measure"]


def measure(bench: Bench, model: str) -> Rows:
    """Weights in bfloat16 on a GPU, as it is used there."""
    if importlib.util.find_spec("vllm") is None:
        raise NotHereError("vLLM is not installed; type: pip install 'agentgym-lab[vllm]'")
    module = models.make(bench, model, torch.float32 if bench.device.type == "cpu" else torch.bfloat16)
    return asyncio.run(_measure(bench, module, f"vLLM {model}"))


async def _measure(bench: Bench, module: Any, title: str) -> Rows:
    """By the wall's clock everywhere: vLLM computes in processes of its own."""
    num = bench.sessions[-1]
    vocabulary = int(module.config.vocab_size)
    engine = VLLMEngine(module, max_context=2 * (bench.prompt + bench.reply), max_sessions=num)
    began = time.perf_counter()
    await engine.start()
    try:
        started, updates, replies, said = time.perf_counter() - began, [], [], []
        for version in range(1, bench.rounds + 2):
            at_first = time.perf_counter()
            await engine.update_weights(version, weights_of(module))
            updated = time.perf_counter()
            said = await sampled(bench, engine, vocabulary, num)
            updates.append(updated - at_first)
            replies.append(time.perf_counter() - updated)
    finally:
        await engine.close()
    size = sum(tensor.nbytes for _, tensor in weights_of(module))
    update, reply = middle(updates[1:]), middle(replies[1:])
    rows = row(f"{title}, start", started, "s") | row(f"{title}, update", update, "s")
    rows |= row(f"{title}, update, rate", size / update / 1e9, "GB/s")
    rows |= row(f"{title}, {num} sessions, sampled", num * bench.reply / reply, "tokens/s")
    return rows | parity_rows(f"{title}, against the learner", module, said, "-")
