"""What the rollout engine keeps of vLLM's speed, and what the rollout keeps of what slow environments allow.

    pip install torch==2.13.0 && pip install -e '.[vllm]'
    pip uninstall -y torchvision torchaudio torchcodec
    python benchmarks/rollout.py [--json FILE]

A random model of 5 million parameters. "Raw" is the same ``AsyncLLM`` in the same process, asked directly, with the
same prompts, lengths and log-probabilities; the two take turns (A B B A …), a ratio is the median over the rounds.
Of several turns, raw is given all recorded prompts at once, so that it never waits for a reply; its prefix cache is
emptied before, as is ours. The rows of ``benchmarks/latency.py``, which needs no vLLM, are measured as well. All takes
about half an hour on two cores.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import functools
import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

import agentgym
from agentgym.actors.vllm.engine import VLLMEngine
from agentgym.engine import Completion, Prompt, Sampling
from agentgym.learn.nano import NanoConfig, build_model
from agentgym.protocols.plain import Plain
from agentgym.rollout import EpisodeSpec, Limits, Rollout, engine_actor
from agentgym.weights import weights_of
from benchmarks import latency
from benchmarks.sleeping import TOKENIZER

NUM_SEQUENCES = 64
VOCABULARY = 260
CONTEXT = 8192
PROMPT, REPLY = 64, 64
TURNS, OBSERVATION, TURN_REPLY = range(8, 17), 32, 16
LONG_OBSERVATION = 320
"""A page of text: what is computed again at each turn, less than a block of the cache, is little beside it."""
SINGLE_ROUNDS, TURN_ROUNDS = 21, 7
"""One of the first takes two seconds, one of the second two minutes."""

Tokens = list[int]


@dataclasses.dataclass(frozen=True)
class Asked:
    """A completion, as it was asked for."""

    prompt: Tokens
    num_tokens: int


class Echo(agentgym.Env):
    """Answers at once, for 8 to 16 turns."""

    max_turns = max(TURNS)

    def __init__(self, *, length: int = OBSERVATION) -> None:
        self.length = length

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        self.left = int(self.np_random.choice(TURNS))
        return self.seen(), {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.left -= 1
        return self.seen(), 0.0, self.left == 0, False, {}

    def seen(self) -> str:
        return "".join(self.np_random.choice(list("abcdefgh "), self.length))


class Recording(VLLMEngine):
    """Keeps what it was asked."""

    asked: list[Asked]

    async def generate(self, prompt: Prompt, sampling: Sampling, *, session: str) -> Completion:
        completion = await super().generate(prompt, sampling, session=session)
        self.asked.append(Asked(list(prompt.token_ids), len(completion.token_ids)))
        return completion


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    rows = latency.measure() | measure()
    latency.report(rows, arguments.json)


def measure() -> latency.Rows:
    """The rows that need vLLM."""
    sizes = NanoConfig(width=256, layers=4, heads=4, feed_forward=1024, max_context=CONTEXT)
    model = build_model(VOCABULARY, sizes, seed=0)
    engine = Recording(model, max_sessions=NUM_SEQUENCES, max_context=CONTEXT)
    try:
        asyncio.run(engine.start())
        return measure_single(engine) | measure_turns(engine, model) | measure_long_turns(engine)
    finally:
        asyncio.run(engine.close())


# -- one turn --------------------------------------------------------------------------------------------


def measure_single(engine: Recording) -> latency.Rows:
    """Sampled tokens a second of one batch."""
    ratios, speeds = [], []
    for round in range(SINGLE_ROUNDS + 1):
        seconds = {}
        for is_ours in (True, False) if round % 2 else (False, True):
            asked = [Asked(random_tokens(PROMPT, f"{round} {is_ours} {i}"), REPLY) for i in range(NUM_SEQUENCES)]
            seconds[is_ours] = ask_engine(engine, asked) if is_ours else ask_raw(engine, asked)
        if round:  # the first is for warming up
            ratios.append(seconds[False] / seconds[True])
            speeds.append(NUM_SEQUENCES * REPLY / seconds[True])
    return {
        **latency.row("one turn, engine", statistics.median(speeds), "-", "tokens/s"),
        **latency.row("one turn, engine / raw vLLM", statistics.median(ratios), ">= 0.97", "ratio"),
        **latency.row("one turn, engine / raw vLLM, worst round", min(ratios), "-", "ratio"),
    }


def ask_engine(engine: Recording, asked: Sequence[Asked]) -> float:
    async def gather() -> float:
        began = time.perf_counter()
        await asyncio.gather(
            *(
                engine.generate(Prompt(one.prompt), Sampling(max_tokens=one.num_tokens), session=str(i))
                for i, one in enumerate(asked)
            )
        )
        return time.perf_counter() - began

    engine.asked = []
    seconds = asyncio.run(gather())
    for i in range(len(asked)):
        engine.release(str(i))
    return seconds


def ask_raw(engine: VLLMEngine, asked: Sequence[Asked]) -> float:
    """The same of ``AsyncLLM`` itself, all at once."""
    from vllm import SamplingParams
    from vllm.inputs import TokensPrompt
    from vllm.sampling_params import RequestOutputKind

    async def one(number: int, wanted: Asked, llm: Any) -> None:
        parameters = SamplingParams(
            temperature=1.0,
            max_tokens=wanted.num_tokens,
            logprobs=0,
            ignore_eos=True,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        prompt = TokensPrompt(prompt_token_ids=wanted.prompt)
        async for output in llm.generate(prompt, parameters, request_id=f"raw-{time.perf_counter_ns()}-{number}"):
            assert len(output.outputs[0].token_ids) == wanted.num_tokens

    async def gather() -> float:
        llm = (await engine._server.core()).llm
        began = time.perf_counter()
        await asyncio.gather(*(one(number, wanted, llm) for number, wanted in enumerate(asked)))
        return time.perf_counter() - began

    return engine._server.run(gather())


# -- many turns ------------------------------------------------------------------------------------------


def measure_turns(engine: Recording, model: torch.nn.Module) -> latency.Rows:
    """Whole episodes, tokenizer and environment included, against their prompts alone."""
    ratios = []
    engine.prefill_tokens = engine.new_tokens = 0
    for round in range(TURN_ROUNDS + 1):
        asyncio.run(engine.update_weights(round, weights_of(model)))  # nothing of an earlier round is in the cache
        ours = play(engine, Echo, 4 * NUM_SEQUENCES, round)
        asked = sorted(engine.asked, key=lambda one: len(one.prompt))  # first turns first
        engine._server.run(emptied(engine))
        raw = ask_raw(engine, asked)
        if round:
            ratios.append(raw / ours)
    return {
        **latency.row("8 to 16 turns, rollout / raw vLLM", statistics.median(ratios), ">= 0.92", "ratio"),
        **latency.row("8 to 16 turns, worst round", min(ratios), "-", "ratio"),
        **computed(engine, OBSERVATION),
    }


def measure_long_turns(engine: Recording) -> latency.Rows:
    """What is computed where an observation is a page: a count, so one round is enough."""
    engine.prefill_tokens = engine.new_tokens = 0
    play(engine, functools.partial(Echo, length=LONG_OBSERVATION), NUM_SEQUENCES // 2, TURN_ROUNDS + 1)
    return computed(engine, LONG_OBSERVATION)


def computed(engine: Recording, length: int) -> latency.Rows:
    name = f"8 to 16 turns, observations of {length} tokens, prefill / new tokens"
    return latency.row(name, engine.prefill_tokens / engine.new_tokens, "<= 1.05", "ratio")


def play(engine: Recording, make_env: Callable[[], Echo], num_episodes: int, round: int) -> float:
    engine.asked = []
    rollout = Rollout(
        make_env,
        TOKENIZER,
        Plain(),
        limits=Limits(max_reply_tokens=TURN_REPLY),
        max_context=engine.max_context,
        concurrency=NUM_SEQUENCES,
    )
    specs = [EpisodeSpec(task=None, seed=1000 * round + n, episode_id=f"{round}-{n}") for n in range(num_episodes)]
    began = time.perf_counter()
    asyncio.run(rollout.run(specs, engine_actor(engine, temperature=1.0), release=engine.release))
    return time.perf_counter() - began


async def emptied(engine: VLLMEngine) -> None:
    await (await engine._server.core()).llm.reset_prefix_cache()


def random_tokens(length: int, seed: str) -> Tokens:
    return random.Random(seed).choices(range(1, VOCABULARY - 4), k=length)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
