"""The embedded engine against ``model.generate`` on the same work, and what a turn of a long episode costs.

    python benchmarks/embedded.py [--json FILE]

One random model of 5 million parameters, one thread, log-probabilities kept on both sides. The two take turns in
one process (A B A B …), a ratio is the median over the rounds, and seconds are the processor's: what else the
machine does slows both alike.
``generate`` runs each set of sequences as one static batch, padded on the left.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import itertools
import json
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from agentgym.actors.embedded.engine import EmbeddedEngine
from agentgym.engine import Prompt, Sampling
from agentgym.learn.nano import NanoConfig, build_model

NUM_SEQUENCES = 64
VOCABULARY = 4096
TURNS, TURN_PROMPT, TURN_REPLY = 8, 40, 16
AS_ENGINE = {
    "do_sample": True,
    "temperature": 1.0,
    "top_k": 0,
    "top_p": 1.0,
    "output_logits": True,
    "return_dict_in_generate": True,
}
"""Options of ``generate`` that make it sample as the engine does."""

Rows = dict[str, dict[str, float | str]]
Tokens = list[int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = build_model(VOCABULARY, NanoConfig(width=256, layers=4, heads=4, feed_forward=1024), seed=0)
    model.generation_config.eos_token_id = None  # every reply has its full length
    measure_batch(model, "warm-up", [8] * 4, [8] * 4)
    rows = measure_batch(model, "equal", [64] * NUM_SEQUENCES, [64] * NUM_SEQUENCES)
    rng = random.Random(0)
    prompts, replies = ([rng.randint(*span) for _ in range(NUM_SEQUENCES)] for span in ((16, 128), (8, 64)))
    rows |= measure_batch(model, "ragged", prompts, replies)
    rows |= measure_turns(model)
    for name, row in rows.items():
        print(f"{name:40} {row['value']:>10,.4g} {row['unit']:8} (target {row['target']})")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def measure_batch(model: Any, name: str, prompts: list[int], replies: list[int]) -> Rows:
    """Sampled tokens per second; those that ``generate`` computes beyond a sequence's own limit do not count."""
    texts = [random_tokens(length, seed) for seed, length in enumerate(prompts)]

    def with_engine() -> None:
        ask(EmbeddedEngine(model, max_sessions=NUM_SEQUENCES), texts, replies)

    seconds = in_turn([with_engine, lambda: generate(model, texts, max(replies))], rounds=3)
    ours, theirs = (sum(replies) / statistics.median(s) for s in seconds)
    return {
        **row(f"{name} lengths, engine", ours, "-", "tokens/s"),
        **row(f"{name} lengths, generate", theirs, "-", "tokens/s"),
        **row(f"{name} lengths, engine / generate", median_ratio(seconds[1], seconds[0]), ">= 1", "ratio"),
    }


def measure_turns(model: Any) -> Rows:
    """Episodes of several turns. ``generate`` reads the whole history again in each."""
    news = [[random_tokens(TURN_PROMPT, 1000 * turn + i) for i in range(NUM_SEQUENCES)] for turn in range(TURNS)]
    engine = EmbeddedEngine(model, max_sessions=NUM_SEQUENCES)
    ours = functools.partial(ask, engine, replies=[TURN_REPLY] * NUM_SEQUENCES)
    theirs = functools.partial(generate, model, length=TURN_REPLY)
    seconds = in_turn([functools.partial(play, news, reply) for reply in (ours, theirs)], rounds=1)
    computed = engine.prefill_tokens / engine.new_tokens
    return {
        **row(f"{TURNS} turns, prefill tokens / new tokens", computed, "<= 1.1", "ratio"),
        **row(f"{TURNS} turns, time of generate / engine", median_ratio(seconds[1], seconds[0]), ">= 1", "ratio"),
    }


def play(news: list[list[Tokens]], reply: Callable[[list[Tokens]], list[Tokens]]) -> None:
    """Let histories grow by new prompt tokens and by what ``reply`` says to them."""
    histories: list[Tokens] = [[] for _ in news[0]]
    for new in news:
        histories = [history + tokens for history, tokens in zip(histories, new, strict=True)]
        histories = [history + said for history, said in zip(histories, reply(histories), strict=True)]


def ask(engine: EmbeddedEngine, texts: list[Tokens], replies: list[int]) -> list[Tokens]:
    """All texts at once, each in its session."""

    async def gather() -> list[Tokens]:
        requests = (
            engine.generate(Prompt(text), Sampling(max_tokens=length, seed=i), session=str(i))
            for i, (text, length) in enumerate(zip(texts, replies, strict=True))
        )
        return [completion.token_ids for completion in await asyncio.gather(*requests)]

    return asyncio.run(gather())


@torch.inference_mode()
def generate(model: Any, texts: list[Tokens], length: int) -> list[Tokens]:
    """One static batch, sampled, with the log-probabilities of what was sampled."""
    width = max(map(len, texts))
    ids_BT = torch.tensor([[0] * (width - len(text)) + text for text in texts])
    mask_BT = torch.tensor([[0] * (width - len(text)) + [1] * len(text) for text in texts])
    out = model.generate(ids_BT, attention_mask=mask_BT, max_new_tokens=length, **AS_ENGINE)
    said_BN = out.sequences[:, width:]
    for said_B, logits_BV in zip(said_BN.T, out.logits, strict=True):
        logits_BV.float().log_softmax(-1).gather(-1, said_B[:, None])[:, 0].tolist()
    rows: list[Tokens] = said_BN.tolist()
    return rows


def in_turn(works: list[Callable[[], object]], *, rounds: int) -> list[list[float]]:
    """Seconds of each work in each round."""
    seconds: list[list[float]] = [[] for _ in works]
    for _, (work, taken) in itertools.product(range(rounds), list(zip(works, seconds, strict=True))):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return seconds


def median_ratio(above: list[float], below: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def random_tokens(length: int, seed: int) -> Tokens:
    return random.Random(seed).choices(range(10, VOCABULARY), k=length)


def row(name: str, value: float, target: str, unit: str) -> Rows:
    return {name: {"value": value, "target": target, "unit": unit}}


if __name__ == "__main__":
    main()
