"""BFCL: tool calls per second beside the bare package, memory over 4,000 episodes, what the expert solves.

    python benchmarks/bfcl.py [--json FILE]

The package's time is that of its own checker, which makes the calls of a conversation in fresh instances and compares
them with those of the ground truth. The environment's is that of ``reset`` and of one ``step`` for each turn's calls
and one for each answer; it includes the observations with their tools. Both play all 800 ground truths in turn,
alternating, in one process; the median of the ratios of the rounds counts. In the first round the environment works
out each ground truth, later it has them. Each measurement runs in a process of its own.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from agentgym.environments.bfcl import BFCL
from agentgym.environments.bfcl.calls import written
from agentgym.environments.bfcl.data import Task
from agentgym.environments.bfcl.grading import reference

CHECKER = "bfcl_eval.eval_checker.multi_turn_eval"
T = TypeVar("T")
Rows = dict[str, dict[str, float | str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    rows: Rows = {}
    for measure in (measure_speed, measure_growth, measure_expert):
        rows |= in_own_process(measure)
    for name, row in rows.items():
        print(f"{name:38} {row['value']:>10,.4g} {row['unit']:10} (target {row['target']})")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def in_own_process(work: Callable[..., T], *arguments: Any) -> T:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def measure_speed(rounds: int = 7) -> Rows:
    env = BFCL(level="all")
    tasks = list(env.benchmark.tasks.values())
    conversations = [spoken(task) for task in tasks]
    reference.cache_clear()
    num_calls = sum(len(turn) for task in tasks for turn in task.truth)
    package = Package()
    ours, theirs = [], []
    for number in range(rounds):
        theirs.append(sum(package.seconds(task, f"round_{number}") for task in tasks))
        start = time.perf_counter()
        for task, actions in zip(tasks, conversations, strict=True):
            play(env, task, actions)
        ours.append(time.perf_counter() - start)
    ratios = [their / our for our, their in zip(ours, theirs, strict=True)]
    return {
        **row("tool calls per second, package", num_calls / statistics.median(theirs), "none", "1/s"),
        **row("tool calls per second, environment", num_calls / statistics.median(ours), "none", "1/s"),
        **row("environment / package", statistics.median(ratios), ">= 0.9", "ratio"),
        **row("the same, each task for the first time", ratios[0], "none", "ratio"),
    }


class Package:
    """The package's checker, on ground truths."""

    def __init__(self) -> None:
        self.check = importlib.import_module(f"{CHECKER}.multi_turn_checker").multi_turn_checker
        self.instances = vars(importlib.import_module(f"{CHECKER}.multi_turn_utils"))

    def seconds(self, task: Task, name: str) -> float:
        """How long the checker takes. Its instances stay in the module under ``name`` and are then removed."""
        entry = {"id": task.id, "initial_config": task.config, "involved_classes": list(task.apis)}
        truth = list(map(list, task.truth))
        calls = [[turn] if turn else [] for turn in truth]
        start = time.perf_counter()
        verdict = self.check(calls, truth, entry, task.category, name)
        seconds = time.perf_counter() - start
        if not verdict["valid"]:
            raise RuntimeError(f"the package finds the ground truth of {task.id} wrong: {verdict}")
        for key in [key for key in self.instances if key.startswith(f"{name}_")]:
            del self.instances[key]
        return seconds


def measure_growth(num_episodes: int = 4_000) -> Rows:
    env = BFCL(level="all")
    tasks = list(env.benchmark.tasks.values())
    megabytes = []
    for _ in range(1 + num_episodes // len(tasks)):
        for task in tasks:
            play(env, task, spoken(task))
        megabytes.append(resident_megabytes())
    return {
        **row("memory of all, played once", megabytes[0], "<= 400", "MB"),
        **row("memory growth, 4,000 episodes", megabytes[-1] - megabytes[0], "<= 20", "MB"),
    }


def measure_expert() -> Rows:
    env = BFCL(level="all")
    right = [play(env, task, spoken(task)) for task in env.benchmark.tasks.values()]
    return row("expert solves", sum(right) / len(right), "1", "of tasks")


def row(name: str, value: float, target: str, unit: str) -> Rows:
    return {name: {"value": value, "target": target, "unit": unit}}


def spoken(task: Task) -> list[str]:
    """The ground truth as the expert says it."""
    turns = [
        [f"[{', '.join(written(*call) for call in turn.calls)}]"] if turn.calls else [] for turn in reference(task.id)
    ]
    return [action for turn in turns for action in (*turn, "Done.")]


def play(env: BFCL, task: Task, actions: list[str]) -> bool:
    env.reset(seed=0, options={"task": task.id})
    *_, last = [env.step(action) for action in actions]
    return bool(last[4]["success"])


def resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


if __name__ == "__main__":
    main()
