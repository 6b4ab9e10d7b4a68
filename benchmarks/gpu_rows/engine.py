"""The embedded engine: tokens per second of reading and of writing, beside the bare forward passes of the same model.

Every session has a prompt of its own. The engine reads all prompts and samples a token of each; then it goes on, one
token of every session in each pass. Bare are one pass over all prompts and then as many as there are further tokens,
with transformers' own cache, greedily, with the choice left on the device.
"""

from __future__ import annotations

import asyncio
from typing import Any

import torch

from agentgym.actors.embedded.engine import EmbeddedEngine
from agentgym.engine import Completion, Prompt, Sampling
from benchmarks.gpu_rows import models
from benchmarks.gpu_rows.bench import Bench, Rows, median_ratio, middle, row

__all__ = ["measure"]

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def measure(bench: Bench, model: str, dtype: str) -> Rows:
    """For each number of sessions."""
    module = models.make(bench, model, DTYPES[dtype])
    rows: Rows = {}
    for num in bench.sessions:
        rows |= _measure(bench, module, num, f"engine {model}, {dtype}, {num} sessions")
    return rows


def _measure(bench: Bench, module: Any, num: int, title: str) -> Rows:
    vocabulary = int(module.config.vocab_size)
    texts = [models.random_tokens(vocabulary, bench.prompt, seed) for seed in range(num)]
    ours: list[tuple[float, float]] = []
    bare: list[tuple[float, float]] = []
    for number in range(bench.rounds + 1):
        found = asyncio.run(_sample(bench, module, texts)), _bare(bench, module, texts)
        if number:  # the first warms up
            ours.append(found[0])
            bare.append(found[1])
    rows: Rows = {}
    for place, (name, tokens) in enumerate((("prefill", num * bench.prompt), ("decode", num * bench.reply))):
        own, other = ([taken[place] for taken in side] for side in (ours, bare))
        rows |= row(f"{title}, {name}", tokens / middle(own), "tokens/s")
        rows |= row(f"{title}, {name}, engine / bare", median_ratio(other, own), "ratio")
    return rows


async def _sample(bench: Bench, module: Any, texts: list[list[int]]) -> tuple[float, float]:
    """Seconds of the prompts with a first token each, and of the tokens after it."""
    engine = EmbeddedEngine(module, max_context=bench.prompt + bench.reply + 1, max_sessions=len(texts))

    async def ask(prompts: list[list[int]], length: int) -> list[Completion]:
        requests = (
            engine.generate(Prompt(text), Sampling(max_tokens=length, seed=i), session=str(i))
            for i, text in enumerate(prompts)
        )
        return await asyncio.gather(*requests)

    began = bench.clock()
    said = await ask(texts, 1)
    read = bench.clock()
    await ask([text + first.token_ids for text, first in zip(texts, said, strict=True)], bench.reply)
    done = bench.clock()
    await engine.close()
    return read - began, done - read


@torch.inference_mode()
def _bare(bench: Bench, module: Any, texts: list[list[int]]) -> tuple[float, float]:
    """The same of the model alone."""
    began = bench.clock()
    ids_BT = torch.tensor(texts, device=bench.device)
    output = module(input_ids=ids_BT, use_cache=True, logits_to_keep=1)
    read = bench.clock()
    for _ in range(bench.reply):
        ids_B1 = output.logits[:, -1].argmax(-1, keepdim=True)
        output = module(input_ids=ids_B1, past_key_values=output.past_key_values, use_cache=True)
    return read - began, bench.clock() - read
