"""What the rollout and the scheduler lose where environments are slow and uneven: no model, scripted replies.

    python benchmarks/latency.py [--json FILE]

Environments sleep for times drawn from a lognormal distribution (sigma 1); the engine serves one reply after the
other at a fixed rate. Compared with what the two allow at best, with episodes that take their turns in lockstep, and
playing ahead of a learner that sleeps (it stands for another device) with playing and learning in turn.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from agentgym.actors.scripted import ScriptedEngine
from agentgym.engine import Completion, Prompt, Sampling
from agentgym.protocols.plain import Plain
from agentgym.rollout import EpisodeSpec, Rollout, engine_actor
from agentgym.simulation import Constant
from agentgym.types import Trajectory
from agentgym.watchdog import LoopLag, frozen_heap
from benchmarks.sleeping import REPLY, TOKENIZER, Sleeper, Sleepy, sleeping_loop

SLOTS, EPISODES, ROUNDS = 64, 512, 2
TURNS, MEAN_LATENCY = Sleepy.turns, Sleepy.latency.mean
ENGINE_RATE = 4000.0
"""Replies a second: far more than the environments ask for, so that these are the bound."""
GROUPS, GROUP_SIZE, UPDATES = 8, 4, 12

Rows = dict[str, dict[str, float | str]]


class OneServer(ScriptedEngine):
    """Serves one reply after the other, ``rate`` a second."""

    def __init__(self, rate: float = ENGINE_RATE) -> None:
        super().__init__(lambda _: REPLY)
        self.rate, self.free_at, self.sampled_tokens = rate, 0.0, 0

    async def generate(self, prompt: Prompt, sampling: Sampling, *, session: str) -> Completion:
        now = asyncio.get_running_loop().time()
        self.free_at = max(now, self.free_at) + 1 / self.rate
        await asyncio.sleep(self.free_at - now)
        self.sampled_tokens += len(REPLY)
        return await super().generate(prompt, sampling, session=session)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    report(measure(), arguments.json)


def measure() -> Rows:
    """All rows of this file."""
    torch.set_num_threads(1)
    return {**measure_hiding(), **measure_ahead(), **measure_loop()}


def report(rows: Rows, file: Path | None) -> None:
    """Print the rows, and write them to ``file``."""
    for name, row in rows.items():
        print(f"{name:58} {row['value']:>10,.4g} {row['unit']:10} (target {row['target']})")
    if file:
        file.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


# -- latency hiding --------------------------------------------------------------------------------------


def measure_hiding() -> Rows:
    """Turns a second against the bound, and against lockstep, on the same latencies, in turn."""
    ours, locked = [], []
    for round in range(ROUNDS):
        specs = [EpisodeSpec(task=None, seed=10_000 * round + n, episode_id=f"e{n}") for n in range(EPISODES)]
        ours.append(asyncio.run(played(specs)))
        locked.append(asyncio.run(in_lockstep([spec.seed for spec in specs])))
    bound = min(ENGINE_RATE, SLOTS / MEAN_LATENCY)
    ratio = statistics.median(a / b for a, b in zip(ours, locked, strict=True))
    return {
        **row("turns per second", statistics.median(ours), "-", "1/s"),
        **row("turns per second / bound", statistics.median(ours) / bound, ">= 0.93", "ratio"),
        **row("turns per second / lockstep", ratio, ">= 2.5", "ratio"),
    }


async def played(specs: Sequence[EpisodeSpec]) -> float:
    """Turns a second while episodes are waiting for a place: the tail of a benchmark is not what is asked."""
    ends: list[float] = []
    turns: list[float] = []
    rollout = Rollout(
        Sleepy, TOKENIZER, Plain(), max_context=4096, concurrency=SLOTS, beat=lambda: turns.append(time.perf_counter())
    )
    began = time.perf_counter()
    actor = engine_actor(OneServer(), temperature=1.0)
    await rollout.run(specs, actor, on_episode=lambda _: ends.append(time.perf_counter()))
    full_until = sorted(ends)[len(specs) - SLOTS]
    beats = sum(at <= full_until for at in turns)  # two a turn: one for the reply, one for the step
    return beats / 2 / (full_until - began)


async def in_lockstep(seeds: Sequence[int]) -> float:
    """The same latencies, where every turn waits for the slowest of all episodes."""
    began = time.perf_counter()
    for first in range(0, len(seeds), SLOTS):
        waits = [Sleepy.drawn(seed) for seed in seeds[first : first + SLOTS]]
        for turn in range(TURNS):
            await asyncio.sleep(SLOTS / ENGINE_RATE)
            await asyncio.gather(*(asyncio.sleep(wait[turn]) for wait in waits))
    return len(seeds) * TURNS / (time.perf_counter() - began)


# -- playing ahead ---------------------------------------------------------------------------------------


@dataclasses.dataclass
class Course:
    """What a course of updates took."""

    step_seconds: float
    discarded_tokens: int
    staleness: float


def measure_ahead() -> Rows:
    """Seconds an update. The learner sleeps as long as a batch takes to play without waiting for its slowest."""
    courses: dict[str, list[Course]] = {}
    kinds: list[tuple[str, int]] = [("sync", 0), ("async", 1), ("fully-async", 1), ("fully-async", 2)]
    kinds.append(("fully-async", 4))
    learning = GROUPS * GROUP_SIZE * TURNS * MEAN_LATENCY / SLOTS * 2
    for _ in range(ROUNDS):
        for mode, staleness in kinds:
            course = asyncio.run(run_course(mode, staleness, learning))
            courses.setdefault(f"{mode} {staleness}", []).append(course)
    rows: Rows = {}
    for kind, each in courses.items():
        if kind == "sync 0":
            continue
        faster = [a.step_seconds / b.step_seconds for a, b in zip(courses["sync 0"], each, strict=True)]
        target = ">= 2" if kind == "fully-async 4" else "-"
        rows |= row(f"sync / {kind}, time of an update", statistics.median(faster), target, "ratio")
        bound = f"<= {kind.split()[1]}"
        rows |= row(f"{kind}, greatest staleness", max(course.staleness for course in each), bound, "updates")
        rows |= row(f"{kind}, discarded tokens", sum(course.discarded_tokens for course in each), "0", "tokens")
    return rows


async def run_course(mode: str, max_staleness: int, learning: float) -> Course:
    engine = OneServer()
    loop = sleeping_loop(
        Sleeper(learning, GROUPS, GROUP_SIZE),
        Rollout(Sleepy, TOKENIZER, Plain(), max_context=4096, concurrency=SLOTS),
        engine,
        max_staleness=max_staleness,
        in_order=mode == "async",
        num_updates=UPDATES,
    )
    trained, staleness = 0, 0.0
    began = time.perf_counter()
    for update in range(UPDATES):
        outcome = await loop.update(update)
        trained += sum(sample.num_trained for t in outcome.trajectories for sample in t.samples)
        staleness = max(staleness, outcome.metrics["staleness_max"])
    seconds = (time.perf_counter() - began) / UPDATES
    await loop.close()
    return Course(seconds, engine.sampled_tokens - trained, staleness)


# -- the loop --------------------------------------------------------------------------------------------


class Steady(Sleepy):
    """A tenth of a second, always."""

    latency, turns = Constant(0.1), 20


def measure_loop() -> Rows:
    """Many sleeping episodes in one process: how late the event loop is, and how far from ideal they end."""
    with frozen_heap():  # as in a training run
        lag, _ = asyncio.run(crowd(256))
        _, seconds = asyncio.run(crowd(1000))
    alone = Steady.turns * Steady.latency.mean
    return {
        **row("256 episodes, lag of the event loop, p99", 1000 * lag, "<= 20", "ms"),
        **row("1,000 episodes at once, time / that of one", seconds / alone, "-", "ratio"),
    }


async def crowd(num: int) -> tuple[float, float]:
    """Lag (p99, seconds), and seconds that ``num`` episodes take at once; their beginnings are spread over a second."""
    rollout = Rollout(Steady, TOKENIZER, Plain(), max_context=8192, concurrency=num)
    actor = engine_actor(OneServer(rate=1e6), temperature=1.0)

    async def one(number: int) -> Trajectory:
        await asyncio.sleep(number / num)
        (trajectory,) = await rollout.run([EpisodeSpec(task=None, seed=0, episode_id=f"e{number}")], actor)
        return trajectory

    began = time.perf_counter()
    async with LoopLag() as lag:
        trajectories = await asyncio.gather(*(one(number) for number in range(num)))
    assert all(trajectory.terminated for trajectory in trajectories)
    return lag.quantile(0.99), time.perf_counter() - began - 1


def row(name: str, value: float, target: str, unit: str) -> Rows:
    return {name: {"value": value, "target": target, "unit": unit}}


if __name__ == "__main__":
    main()
