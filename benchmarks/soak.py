"""Whether anything grows: memory, descriptors, threads and tasks over many episodes, and over a long run.

    pip install -e '.[environments]'
    python benchmarks/soak.py [--episodes N] [--everywhere] [--accelerated N] [--seconds S] [--loop S] [--json FILE]

``--episodes`` are played of each of five environments, text and tools, the first in the event loop, the second in
threads, the third in processes and so on, or each in all three: by turns by the environment's expert and by an engine
that answers at random, so that actions are right, wrong and no actions at all. ``--accelerated`` are episodes of one
turn, as many as ``--seconds`` allow. ``--loop`` is a whole run of so many seconds: play, learn, look, checkpoint,
archive, ledger.

Memory is what is resident, of this process and all below it, at every hundredth part of the episodes; its slope is that
of least squares over the last four fifths. Caches and the allocator fill up in the first two thousand episodes or so:
of fewer the slope says little. Files of a run grow by design, and are not in it: ``metrics.jsonl``, ``ledger.jsonl``
and the events of TensorBoard with the updates, ``episodes.sqlite`` with the episodes that ``archive.keep`` keeps.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np

import agentgym
from agentgym import launch
from agentgym.actors.scripted import ScriptedEngine
from agentgym.engine import Completion
from agentgym.hosts import Where
from agentgym.protocols.plain import Plain
from agentgym.protocols.tools import Tools
from agentgym.registry import EnvFactory
from agentgym.rollout import Actor, Episode, EpisodeSpec, Limits, Rollout, engine_actor, expert_actor
from benchmarks.latency import Rows, report
from benchmarks.sleeping import TOKENIZER

ENVIRONMENTS = {"countdown": Plain, "blocksworld": Plain, "webshop": Plain, "policydesk": Tools, "bfcl": Plain}
PLACES: tuple[Where, ...] = get_args(Where)
BATCH, CONCURRENCY, LIMIT_KB, WORDS = 50, 16, 10.0, ("go", "buy", "pick up a", "7*3", "search[red]", "}", "\n", "é")
SHARE = 0.8
"""Of the measures, the last: what is loaded and made once has been by then."""


class Held(NamedTuple):
    """What a program holds."""

    kilobytes: float
    descriptors: int
    threads: int
    tasks: int


def held() -> Held:
    """Now, with all processes below this one; tasks are those of the running event loop."""
    gc.collect()
    pids = list(family(os.getpid()))
    return Held(
        sum(map(resident, pids)),
        sum(len(listed(f"/proc/{pid}/fd")) for pid in pids),
        threading.active_count(),
        len(asyncio.all_tasks()),
    )


def family(pid: int) -> Iterator[int]:
    """A process and all below it."""
    yield pid
    for task in listed(f"/proc/{pid}/task"):
        try:
            children = Path(f"/proc/{pid}/task/{task}/children").read_text().split()
        except OSError:  # it ended meanwhile
            continue
        for child in children:
            yield from family(int(child))


def listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def resident(pid: int) -> float:
    """Kilobytes."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024
    except OSError:
        return 0.0


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of least squares over the last ``SHARE``: kilobytes an episode."""
    x, y = np.array(points[-round(len(points) * SHARE) :]).T
    return float(np.polyfit(x, y, 1)[0])


class Soaked(NamedTuple):
    """What became of so many episodes."""

    points: list[tuple[float, float]]
    """Episodes played, kilobytes."""
    grown: tuple[int, int, int]
    """Descriptors, threads and tasks at the end, over those after the first tenth."""
    episodes: int
    seconds: float


async def soaked(
    rollout: Rollout,
    actor: Actor,
    tasks: Sequence[Any],
    num: int,
    seconds: float = 1e9,
    look: Callable[[], Held] = held,
) -> Soaked:
    """Play ``num`` episodes, or as many as there is time for."""
    every, points, early, began = max(1, num // (100 * BATCH)) * BATCH, [], None, time.perf_counter()
    done = 0
    for numbers in batches(num, BATCH):
        specs = [EpisodeSpec(task=tasks[n % len(tasks)], seed=n, member=n % 2, episode_id=str(n)) for n in numbers]
        await rollout.run(specs, actor)
        done += len(numbers)
        if done % every == 0:
            now = look()
            points.append((float(done), now.kilobytes))
            early = now if done <= num // 10 or early is None else early
        if time.perf_counter() - began > seconds:
            break
    assert early is not None
    last = look()
    return Soaked(
        points,
        (last.descriptors - early.descriptors, last.threads - early.threads, last.tasks - early.tasks),
        done,
        time.perf_counter() - began,
    )


def batches(num: int, size: int) -> Iterator[range]:
    return (range(start, min(start + size, num)) for start in range(0, num, size))


# -- five environments ---------------------------------------------------------------------------------


def measure(num: int, *, everywhere: bool = False) -> Rows:
    """``num`` episodes of each environment."""
    rows: Rows = {}
    for number, id in enumerate(ENVIRONMENTS):
        for where in PLACES if everywhere else (PLACES[number % len(PLACES)],):
            rows |= told(f"{id}, {where}", asyncio.run(of_environment(id, where, num)))
    return rows


async def of_environment(id: str, where: Where, num: int) -> Soaked:
    protocol = ENVIRONMENTS[id]()
    rollout = Rollout(
        EnvFactory(id),
        TOKENIZER,
        protocol,
        limits=Limits(max_reply_tokens=200, max_turns=12),
        max_context=2**20,
        concurrency=CONCURRENCY,
        where=where,
    )
    env = agentgym.make(id)
    tasks = env.tasks("train")
    env.close()
    try:
        return await soaked(
            rollout, mixed(expert_actor(protocol), engine_actor(babbler(), temperature=1.0)), tasks, num
        )
    finally:
        await rollout.close()


def mixed(expert: Actor, policy: Actor) -> Actor:
    """By turns."""

    async def act(episode: Episode) -> Completion:
        return await (expert if episode.spec.member else policy)(episode)

    return act


def babbler() -> ScriptedEngine:
    """Says anything."""
    rng = random.Random(0)

    def reply(_: Sequence[int]) -> list[int]:
        said = " ".join(rng.choices(WORDS, k=rng.randint(0, 6)))
        return [*TOKENIZER.encode(said), TOKENIZER.stop_token_ids[0]]

    return ScriptedEngine(reply)


def told(name: str, result: Soaked) -> Rows:
    descriptors, threads, tasks = result.grown
    rows: Rows = {
        f"{name}: memory": {"value": slope(result.points), "target": f"<= {LIMIT_KB:.0f}", "unit": "KB/episode"},
        f"{name}: descriptors": {"value": descriptors, "target": "0", "unit": ""},
        f"{name}: threads": {"value": threads, "target": "0", "unit": ""},
        f"{name}: tasks": {"value": tasks, "target": "0", "unit": ""},
        f"{name}: episodes": {"value": result.episodes, "target": "-", "unit": ""},
        f"{name}: speed": {"value": result.episodes / result.seconds, "target": "-", "unit": "1/s"},
    }
    report({f"{name}: memory": rows[f"{name}: memory"]}, None)
    return rows


# -- episodes of one turn ------------------------------------------------------------------------------


class Nothing(agentgym.Env):
    """One turn, nothing to know."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        return "?", {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        return ".", 1.0, True, False, {}


def accelerated(num: int, seconds: float) -> Rows:
    """``num`` of them, or as many as there is time for."""
    return told("one turn", asyncio.run(of_nothing(num, seconds)))


async def of_nothing(num: int, seconds: float, make: Callable[[], Any] = Nothing) -> Soaked:
    said = [*TOKENIZER.encode("."), TOKENIZER.stop_token_ids[0]]
    engine = ScriptedEngine(lambda _: list(said))
    rollout = Rollout(make, TOKENIZER, Plain(), max_context=1024, concurrency=BATCH)
    try:
        return await soaked(rollout, engine_actor(engine, temperature=1.0), [None], num, seconds)
    finally:
        await rollout.close()


# -- a run ---------------------------------------------------------------------------------------------


class Watcher:
    """A reporter that takes a measure at each update of training."""

    def __init__(self) -> None:
        self.stage, self.points, self.seen = "", list[tuple[float, float]](), list[Held]()

    def begin(self, stage: str, total: int, unit: str) -> None:
        self.stage = stage

    def advance(self, done: int, values: Mapping[str, float]) -> None:
        if self.stage == "training" and done % 10 == 0:
            self.seen.append(held())
            self.points.append((float(done), self.seen[-1].kilobytes))

    def note(self, text: str) -> None:
        return None


def whole_run(seconds: float, mode: str = "fully-async") -> Rows:
    """A run of countdown in threads, one in a hundred of its episodes kept."""
    groups, size, watcher = 2, 4, Watcher()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "env": "countdown",
            "model": {"id": "nano", "width": 32, "feed_forward": 32},
            "trainer": {"id": "grpo", "groups": groups, "group_size": size},
            "rollout": {"max_reply_tokens": 8, "max_turns": 3, "hosts": "threads"},
            "warm_start": {"max_updates": 1, "check_every": 1},
            "eval": {"episodes": 2, "validation_episodes": 2, "every": 50},
            "mode": mode,
            "updates": 10**6,
            "idle_updates": 10**6,
            "max_seconds": seconds,
            "checkpoint_seconds": 5.0,
            "archive": {"keep": 0.01},
            "output": Path(folder) / "run",
        }
        launch.train(settings, reporter=watcher)
        kilobytes = sum(file.stat().st_size for file in (Path(folder) / "run").rglob("*") if file.is_file()) / 1024
    played = [(updates * groups * size, memory) for updates, memory in watcher.points]
    grown = usual(watcher.seen[-len(watcher.seen) // 5 :]), usual(watcher.seen[: len(watcher.seen) // 5])
    num = int(played[-1][0])
    more = tuple(late - early for late, early in zip(*grown, strict=True))
    rows = told(f"a run, {mode}", Soaked(played, (more[0], more[1], more[2]), num, time.perf_counter() - began))
    return rows | {f"a run, {mode}: files": {"value": kilobytes / num, "target": "-", "unit": "KB/episode"}}


def usual(seen: Sequence[Held]) -> tuple[int, int, int]:
    """Descriptors and threads as a rule, of which one comes and goes with a file, and the most tasks.

    Of tasks there are as many as episodes under way, now few, now many.
    """
    usually = (statistics.median_low(column) for column in ([h.descriptors for h in seen], [h.threads for h in seen]))
    return (*usually, max(h.tasks for h in seen))  # type: ignore[return-value]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=10_000, help="of each environment; 0 for none")
    parser.add_argument("--everywhere", action="store_true", help="each in the event loop, in threads and in processes")
    parser.add_argument("--accelerated", type=int, default=0, help="episodes of one turn")
    parser.add_argument("--seconds", type=float, default=1500.0, help="that those may take")
    parser.add_argument("--loop", type=float, default=0.0, metavar="SECONDS", help="of a whole run")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    rows: Rows = measure(arguments.episodes, everywhere=arguments.everywhere) if arguments.episodes else {}
    if arguments.accelerated:
        rows |= accelerated(arguments.accelerated, arguments.seconds)
    if arguments.loop:
        rows |= whole_run(arguments.loop)
    report(rows, arguments.json)


if __name__ == "__main__":
    main()
