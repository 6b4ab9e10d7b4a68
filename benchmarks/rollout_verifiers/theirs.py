"""The side of verifiers: episodes as its own evaluation runs them, without the dashboard and the files it writes.

In tokens it is the client that its trainer uses, with the renderer for the template in question; told to keep
what was thought, it renders only what is new since the last turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

import aiohttp
import verifiers.v1 as vf
from verifiers.v1.clients import ClientConfig, EvalClientConfig, ModelContext, TrainClientConfig
from verifiers.v1.types import SamplingConfig
from verifiers.v1.utils.loaders import harness_class, load_environment, resolve_env_config

from benchmarks.rollout_verifiers import material
from benchmarks.rollout_verifiers.worker import Round, serve


async def main(base_url: str, form: str, harness: str, tokenizer: str) -> None:
    client = client_of(base_url, form, tokenizer)
    sampling = SamplingConfig(temperature=1.0, max_tokens=material.MAX_TOKENS)
    context = ModelContext(model=material.MODEL, client=client, sampling=sampling)

    @contextlib.asynccontextmanager
    async def prepare(num_episodes: int, turns: int) -> AsyncIterator[Round]:
        taskset = {"id": "lines", "episodes": num_episodes, "turns": turns}
        player = {"harness": {"id": harness}, "runtime": {"type": "subprocess"}}
        environment = load_environment(resolve_env_config({"taskset": taskset, "player": player}))
        slots = [slot for task in environment.taskset for slot in environment.slots(task)]

        async def play() -> None:
            places = asyncio.Semaphore(material.CONCURRENCY)
            for episode in await asyncio.gather(*(environment.run_slot(slot, context, places) for slot in slots)):
                check(episode, turns)

        async with environment.serving():
            yield play

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as harness_class("lines").http:
        await serve(prepare)


def client_of(base_url: str, form: str, tokenizer: str) -> ClientConfig:
    if form == "text":
        return EvalClientConfig(base_url=base_url, api_key_var="OPENAI_API_KEY")
    renderer = {"name": "qwen3", "thinking_retention": "all"}
    return TrainClientConfig(
        base_url=base_url, api_key_var="OPENAI_API_KEY", renderer=renderer, renderer_model_name=tokenizer
    )


def check(episode: vf.Episode, turns: int) -> None:
    """Raise AssertionError for an episode that did not go to its end."""
    (trace,) = episode.traces
    assert episode.ok, (episode.errors, trace.errors)
    assert trace.num_turns == turns


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
