"""Nothing grows with the episodes that are played; and what would grow is seen.

``benchmarks/soak.py`` measures the same over tens of thousands of episodes of real environments, and over whole runs.
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from agentgym.engine import Completion
from agentgym.protocols.plain import Plain
from agentgym.rollout import Actor, Episode, Rollout
from benchmarks import soak
from benchmarks.soak import Held, Nothing, Soaked, held, slope, soaked
from tests.unit.rollout.kit import TOKENIZER

EPISODES, RECORD = 300, 1.0
"""``RECORD``: kilobytes that the record of an episode of one turn has at least."""
SAID = [*TOKENIZER.encode("."), TOKENIZER.stop_token_ids[0]]


@pytest.fixture(autouse=True)
def traced() -> Iterator[None]:
    """Memory is what Python allocates, which is exact where the resident set jumps by megabytes."""
    gc.collect()
    tracemalloc.start()
    yield
    tracemalloc.stop()


def look() -> Held:
    return held()._replace(kilobytes=tracemalloc.get_traced_memory()[0] / 1024)


async def say(episode: Episode) -> Completion:
    return Completion(token_ids=list(SAID), logprobs=[0.0] * 2, policy_versions=[0] * 2, finish_reason="stop")


def played(actor: Actor = say, rollout: type[Rollout] = Rollout) -> Soaked:
    async def main() -> Soaked:
        playing = rollout(Nothing, TOKENIZER, Plain(), max_context=1024, concurrency=soak.BATCH)
        try:
            return await soaked(playing, actor, [None], EPISODES, look=look)
        finally:
            await playing.close()

    return asyncio.run(main())


def test_nothing_grows() -> None:
    result = played()
    assert result.episodes == EPISODES
    assert slope(result.points) < 0.2 * RECORD
    assert result.grown == (0, 0, 0)


class Keeping(Rollout):
    """A rollout that does not let go of what it has played."""

    async def _attempts(self, *args: Any) -> Any:
        self.kept = getattr(self, "kept", [])
        self.kept.append(await super()._attempts(*args))
        return self.kept[-1]


@pytest.mark.slow
def test_an_episode_that_is_kept_is_seen() -> None:
    assert slope(played(rollout=Keeping).points) > RECORD


@pytest.mark.slow
def test_descriptors_threads_and_tasks_that_stay_are_seen() -> None:
    stop, open_, tasks = threading.Event(), list[int](), set[asyncio.Task[Any]]()

    async def leaky(episode: Episode) -> Completion:
        if episode.spec.seed % 50 == 0:
            open_.append(os.open(os.devnull, os.O_RDONLY))
            threading.Thread(target=stop.wait).start()
            tasks.add(asyncio.get_running_loop().create_task(asyncio.sleep(10**6)))
        return await say(episode)

    try:
        assert played(actor=leaky).grown == (5, 5, 5)  # of six, the first came before the first look
    finally:
        stop.set()
        for descriptor in open_:
            os.close(descriptor)


def test_the_slope_is_that_of_the_last_four_fifths() -> None:
    warming = [(float(x), 1000.0 * x) for x in range(20)]
    level = [(float(x), 50_000.0 + 2 * x) for x in range(20, 100)]
    assert slope([*warming, *level]) == pytest.approx(2.0)


@pytest.mark.slow
def test_what_processes_below_hold_counts() -> None:
    pid = os.fork()
    if not pid:
        threading.Event().wait(60)
        os._exit(0)
    try:
        assert pid in list(soak.family(os.getpid()))
        assert soak.resident(pid) > 0
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
