"""Whether engine and learner mean the same, and how fast the one takes up what the other has learned."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agentgym.actors.embedded.engine import EmbeddedEngine
from agentgym.engine import Completion, Engine, Prompt, Sampling
from agentgym.learn.forward import score
from agentgym.learn.rows import Row
from agentgym.weights import weights_of
from benchmarks.gpu_rows import models
from benchmarks.gpu_rows.bench import Bench, Rows, in_turn, middle, row

__all__ = ["gaps", "measure_parity", "measure_update", "sampled"]

NUM = 8


def measure_parity(bench: Bench, model: str) -> Rows:
    """Completions of the engine in float32 and bfloat16, scored by a learner in float32 and in the engine's format."""
    exact = models.make(bench, model, torch.float32)
    rows = parity_rows(f"parity {model}, float32 against float32", exact, asyncio.run(_play(bench, exact)), "<= 1e-3")
    coarse = models.make(bench, model, torch.float32).to(torch.bfloat16)
    said = asyncio.run(_play(bench, coarse))
    rows |= parity_rows(f"parity {model}, bfloat16 against bfloat16", coarse, said, "-")
    return rows | parity_rows(f"parity {model}, bfloat16 against float32", exact, said, "-")


async def _play(bench: Bench, module: Any) -> list[tuple[list[int], Completion]]:
    engine = EmbeddedEngine(module, max_context=bench.prompt + bench.reply, max_sessions=NUM)
    try:
        return await sampled(bench, engine, int(module.config.vocab_size))
    finally:
        await engine.close()


async def sampled(bench: Bench, engine: Engine, vocabulary: int, num: int = NUM) -> list[tuple[list[int], Completion]]:
    """Prompts of unlike lengths and what the engine says to them."""
    texts = [models.random_tokens(vocabulary, bench.prompt - i % NUM, seed=i) for i in range(num)]
    requests = (
        engine.generate(Prompt(text), Sampling(max_tokens=bench.reply, seed=i), session=f"sampled {i}")
        for i, text in enumerate(texts)
    )
    said = await asyncio.gather(*requests)
    for i in range(num):
        engine.release(f"sampled {i}")
    return list(zip(texts, said, strict=True))


def parity_rows(title: str, module: Any, said: Sequence[tuple[list[int], Completion]], target: str) -> Rows:
    """The largest difference of a token's log-probability, and the mean."""
    found = gaps(module, said)
    largest, mean = float(found.max()), float(found.mean())
    return row(f"{title}, largest difference", largest, "nats", target) | row(f"{title}, mean", mean, "nats")


def gaps(module: Any, said: Sequence[tuple[list[int], Completion]]) -> NDArray[np.float64]:
    """Of every sampled token, |log-probability of the engine - that of the learner|."""
    rows = [
        Row(
            token_ids=text + reply.token_ids,
            loss_mask=[False] * len(text) + [True] * len(reply.token_ids),
            behavior_logprobs=[0.0] * len(text) + reply.logprobs,
            advantages=np.zeros(len(text) + len(reply.token_ids)),
        )
        for text, reply in said
    ]
    learned = score(module, rows)
    pairs = zip(rows, learned, strict=True)
    return np.concatenate([np.abs(own[r.places] - r.behavior_logprobs[r.places]) for r, own in pairs], dtype=np.float64)


def measure_update(bench: Bench, model: str) -> Rows:
    """The engine with a copy of its own takes up all weights, float32, from the learner's module."""
    module = models.make(bench, model, torch.float32)
    engine = EmbeddedEngine(module, max_context=bench.prompt, max_sessions=1, own_copy=True)
    (seconds,) = in_turn(bench, [lambda: asyncio.run(engine.update_weights(1, weights_of(module)))])
    size, taken = sum(tensor.nbytes for _, tensor in weights_of(module)), middle(seconds)
    rows = row(f"update {model}, embedded", taken, "s")
    return rows | row(f"update {model}, embedded, rate", size / taken / 1e9, "GB/s")
