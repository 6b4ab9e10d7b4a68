"""What ``agentgym simulate`` says beside what happens: real runs at 1, 4, 16 and 64 actors, and the closed form.

The rollout, the scheduler and the loop of training are the real ones, in real time; the engine decodes a token a step
for all sequences at once and sleeps for it, environments sleep for lognormal times, the learner sleeps as another
device would, so two cores are enough. The simulation is told what the run has measured of itself, as by ``agentgym
simulate``: steps, speed of the engine, seconds of learning; and the processor time of a turn, which is measured first.

    python benchmarks/simulation.py [--rounds N] [--largest N] [--json FILE]
    python benchmarks/simulation.py --choice
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import itertools
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

from agentgym.actors.scripted import ScriptedEngine
from agentgym.engine import Completion, Prompt, Sampling
from agentgym.launch.workload import fitted
from agentgym.progress import wide_console
from agentgym.protocols.plain import Plain
from agentgym.rollout import EpisodeSpec, Rollout, engine_actor
from agentgym.rollout.latencies import Latencies
from agentgym.simulation import (
    Constant,
    Counted,
    Cycle,
    Plan,
    Simulation,
    Speed,
    Workload,
    compared,
    cycle,
    plans,
    table,
)
from agentgym.watchdog import frozen_heap
from benchmarks.sleeping import REPLY, TOKENIZER, Sleeper, Sleepy, sleeping_loop

STEP, TURNS = Sleepy.latency, Sleepy.turns
SPEED = Speed(alone=0.008, each=0.0001)
GROUP_SIZE = 4

Rows = dict[str, dict[str, float | str]]


@dataclasses.dataclass(frozen=True)
class Case:
    """Something to measure: ``learn`` are seconds of an update, as a share of those of playing it."""

    actors: int
    episodes: int
    max_staleness: int
    learn: float
    in_order: bool = True

    def __str__(self) -> str:
        mode = "sync" if not self.max_staleness else "async" if self.in_order else "fully-async"
        return f"{self.actors} actors, {mode}{f' {self.max_staleness}' if self.max_staleness else ''}"

    @property
    def plan(self) -> Plan:
        return Plan(
            actors=self.actors,
            groups=self.episodes // GROUP_SIZE,
            group_size=GROUP_SIZE,
            max_staleness=self.max_staleness,
            in_order=self.in_order,
            updates=2 * self.max_staleness + (16 if self.actors > 1 else 8),
        )


CASES = (
    Case(1, 4, 1, 0.5),
    Case(4, 12, 1, 0.5),
    Case(4, 12, 2, 1.6),
    Case(16, 48, 1, 0.5),
    Case(64, 128, 0, 0.5),
    Case(64, 128, 1, 0.5),
    Case(64, 128, 2, 0.5),
    Case(64, 128, 2, 1.5),
    Case(64, 128, 2, 0.5, in_order=False),
)


# -- what is real ----------------------------------------------------------------------------------------


class Apart(Sleepy):
    """Members of a group share their seed, and are not to share their latencies."""

    seeds = itertools.count()

    @classmethod
    def drawn(cls, seed: int) -> list[float]:
        return super().drawn(next(cls.seeds))


class Batching(ScriptedEngine):
    """Gives all sequences a token a step, and sleeps for it; a token has the version of its step."""

    def __init__(self) -> None:
        super().__init__(lambda _: REPLY)
        self.running: dict[str, tuple[list[int], asyncio.Future[list[int]]]] = {}
        self.stepping: asyncio.Task[None] | None = None

    async def generate(self, prompt: Prompt, sampling: Sampling, *, session: str) -> Completion:
        done: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        self.running[session] = [], done
        if self.stepping is None:
            self.stepping = asyncio.ensure_future(self.steps())
        versions = await done
        return Completion(token_ids=REPLY, logprobs=[0.0] * len(REPLY), policy_versions=versions, finish_reason="stop")

    async def steps(self) -> None:
        """Until nothing is left."""
        due = time.perf_counter()
        while self.running:
            sampled = list(self.running.items())
            due = max(due, time.perf_counter() - SPEED.alone) + SPEED.step(len(sampled))
            await asyncio.sleep(due - time.perf_counter())
            for session, (versions, done) in sampled:
                versions.append(self.policy_version)
                if len(versions) == len(REPLY):
                    del self.running[session]
                    if not done.done():  # an episode that was cancelled
                        done.set_result(versions)
        self.stepping = None


@dataclasses.dataclass
class Real:
    """What a run took, in the updates that a simulation measures."""

    seconds_per_update: float
    staleness: float
    learned: float
    """Seconds, in an update."""
    latencies: Latencies


async def run(plan: Plan, learning: float) -> Real:
    """A real one."""
    rollout = Rollout(Apart, TOKENIZER, Plain(), max_context=4096, concurrency=plan.actors)
    loop = sleeping_loop(
        Sleeper(learning, plan.groups, GROUP_SIZE),
        rollout,
        Batching(),
        max_staleness=plan.max_staleness,
        in_order=plan.in_order,
        num_updates=plan.updates,
    )
    began, ages, tokens, learned = [], 0.0, 0, []
    for update in range(plan.steady.stop + 1):
        began.append(time.perf_counter())
        if update == plan.steady.stop:
            break
        outcome = await loop.update(update)
        if update in plan.steady:
            num = sum(sample.num_trained for each in outcome.trajectories for sample in each.samples)
            ages, tokens = ages + outcome.metrics["staleness"] * num, tokens + num
            learned.append(outcome.metrics["learn_seconds"])
    await loop.close()
    seconds = (began[-1] - began[plan.steady.start]) / len(plan.steady)
    return Real(seconds, ages / tokens, statistics.fmean(learned), rollout.latencies)


def processor_time(turns: int = 4000) -> float:
    """Seconds of a turn in the process that plays, where nothing waits for anything."""

    class Quick(Apart):
        async def step(  # type: ignore[override]
            self, action: str
        ) -> tuple[str, float, bool, bool, dict[str, Any]]:
            self.latencies.pop()
            return "You went on. Go on.", 0.0, not self.latencies, False, {}

    rollout = Rollout(Quick, TOKENIZER, Plain(), max_context=4096, concurrency=64)
    specs = [EpisodeSpec(task=None, seed=n, episode_id=f"e{n}") for n in range(turns // TURNS)]
    began = time.process_time()
    asyncio.run(_played(rollout, specs))
    return (time.process_time() - began) / (len(specs) * TURNS)


async def _played(rollout: Rollout, specs: Sequence[EpisodeSpec]) -> None:
    await rollout.run(specs, engine_actor(ScriptedEngine(lambda _: REPLY), temperature=1.0))


# -- beside the simulation -------------------------------------------------------------------------------


def measure(rounds: int, largest: int) -> Rows:
    """All rows of this file."""
    torch.set_num_threads(1)
    overhead = statistics.median(processor_time() for _ in range(3))
    rows = row("processor time of a turn", 1000 * overhead, "-", "ms")
    for case in CASES:
        rows |= beside(case, overhead, rounds)
    for actors in (1_000, 10_000, 100_000):
        if actors <= largest:
            rows |= speed(actors)
    return rows


def beside(case: Case, overhead: float, rounds: int) -> Rows:
    """A real run over what is said of it."""
    plan = case.plan
    played = case.episodes * workload_of(0.0).alone / case.actors
    with frozen_heap():
        real = [asyncio.run(run(plan, case.learn * played)) for _ in range(rounds)]
    simulated = [
        Simulation(plan, measured(each, case, overhead), seed=seed) for each in real for seed in range(16 // rounds)
    ]
    outcomes = [each.run() for each in simulated]
    seconds = statistics.fmean(each.seconds_per_update for each in real)
    said = statistics.fmean(each.seconds_per_update for each in outcomes)
    name = f"{case}, learning {case.learn:g} of playing"
    rows = {
        **row(f"{name}: seconds of an update", seconds, "-", "s"),
        **row(f"{name}: simulated / real", said / seconds, "0.9 to 1.1", "ratio"),
    }
    if case.max_staleness:
        stale = statistics.fmean(each.staleness for each in real)
        rows |= row(f"{name}: mean staleness", stale, "-", "updates")
        said = statistics.fmean(each.staleness for each in outcomes)
        rows |= row(f"{name}: mean staleness, simulated / real", said / stale, "0.9 to 1.1", "ratio")
        if case.in_order:
            closed = closed_form(case, simulated).staleness
            rows |= row(f"{name}: mean staleness, closed form / real", closed / stale, "0.9 to 1.1", "ratio")
    show(rows)
    return rows


def measured(real: Real, case: Case, overhead: float) -> Workload:
    """What a run has seen of itself."""
    return Workload(
        turns=Constant(TURNS),
        reply_tokens=Constant(len(REPLY)),
        step=Counted(real.latencies.counted("step")),
        speed=fitted(real.latencies.loads.values()),
        learn=real.learned / case.episodes,
        overhead=overhead,
    )


def workload_of(learn: float) -> Workload:
    """What was meant above."""
    return Workload(
        turns=Constant(TURNS),
        reply_tokens=Constant(len(REPLY)),
        step=STEP,
        speed=SPEED,
        learn=learn,
    )


def closed_form(case: Case, simulated: Sequence[Simulation]) -> Cycle:
    """Of seconds of episodes as the simulation has them."""
    durations = [seconds for each in simulated for seconds in each.durations]
    learn = statistics.fmean(each.workload.learn for each in simulated) * case.episodes
    return cycle(
        durations,
        answer=simulated[0].workload.step.mean,
        episodes=case.episodes,
        actors=case.actors,
        learn=learn,
        max_staleness=case.max_staleness,
    )


def speed(actors: int) -> Rows:
    """What it costs to simulate that many."""
    plan = Plan(actors=actors, groups=actors // 2, group_size=GROUP_SIZE, max_staleness=1, updates=6, engines=8)
    began = time.perf_counter()
    simulation = Simulation(plan, workload_of(0.0001))
    simulation.run()
    seconds = time.perf_counter() - began
    target = "<= 180" if actors == 100_000 else "-"
    rows = {
        **row(f"{actors:,} actors, time to simulate 6 updates", seconds, target, "s"),
        **row(f"{actors:,} actors, time of a turn", 1e6 * seconds / (len(simulation.durations) * TURNS), "-", "us"),
    }
    show(rows)
    return rows


def choice() -> Table:
    """Plans for a thousand actors of what is run above; learning takes 4 ms an episode."""
    base = Plan(actors=64, groups=32, group_size=GROUP_SIZE)
    found = plans(base, actors=[1000], max_staleness=[0, 1, 2, 4], engines=[1, 4], learners=[1, 4])
    return table(compared(found, workload_of(0.004)))


def row(name: str, value: float, target: str, unit: str) -> Rows:
    return {name: {"value": float(f"{value:.4g}"), "target": target, "unit": unit}}


def show(rows: Rows) -> None:
    for name, each in rows.items():
        print(f"{name:90} {each['value']:>10,.4g} {each['unit']:8} (target {each['target']})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--largest", type=int, default=100_000, help="actors whose simulation is timed")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--choice", action="store_true", help="only what to take for a thousand actors, as a table")
    arguments = parser.parse_args()
    if arguments.choice:
        wide_console().print(choice())
        return
    rows = measure(arguments.rounds, arguments.largest)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
