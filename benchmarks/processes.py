"""What a second process brings: turns per second of two at once beside one alone, on two cores.

    pip install -e '.[environments]'
    python benchmarks/processes.py [--env ID ...] [--rounds N] [--json FILE]

Each process plays its environment's expert through test tasks, whole episodes with their resets, again and again. One
alone and two at once take turns, so that what else the machine does falls on both alike; the ratio is the median.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import agentgym
from agentgym.env import Env
from agentgym.types import Observation

Rows = dict[str, dict[str, float | str]]
ENVIRONMENTS = ("textworld", "bfcl", "minigrid", "alfworld", "webshop")
SECONDS, NUM_TASKS = 2.0, 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", nargs="+", default=ENVIRONMENTS, metavar="ID", help="environments to play")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    rows: Rows = {}
    for env_id in arguments.env:
        rows |= measure(env_id, arguments.rounds)
    for name, row in rows.items():
        print(f"{name:56} {row['value']:>10,.4g} {row['unit']:6} (target {row['target']})")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def measure(env_id: str, rounds: int) -> Rows:
    alone, ratios = [], []
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(turns_played, [env_id] * 2, [SECONDS] * 2))  # imports, and games that are made
        for _ in range(rounds):
            alone.append(pool.submit(turns_played, env_id, SECONDS).result())
            ratios.append(sum(pool.map(turns_played, [env_id] * 2, [SECONDS] * 2)) / alone[-1])
    return {
        f"{env_id}, turns per second, one process": {"value": statistics.median(alone), "target": "-", "unit": "1/s"},
        f"{env_id}, two processes / one": {"value": statistics.median(ratios), "target": ">= 1.8", "unit": "ratio"},
    }


def turns_played(env_id: str, seconds: float) -> float:
    """Turns per second, over so many seconds of whole episodes; the environment is there before the clock starts."""
    env = agentgym.make(env_id)
    tasks = env.tasks("test")[:NUM_TASKS]
    for task in tasks:
        episode(env, task)
    start, turns = time.perf_counter(), 0
    while (passed := time.perf_counter() - start) < seconds:
        for task in tasks:
            turns += episode(env, task)
    env.close()
    return turns / passed


def episode(env: Env, task: int | str) -> int:
    """Play the expert; the turns that it took."""
    observation, _ = env.reset(seed=0, options={"task": task})
    expert = env.expert()
    assert expert is not None
    turns, is_over = 0, False
    while turns < env.max_turns and not is_over:
        observation, _, terminated, truncated, _ = env.step(expert(Observation.of(observation)))
        turns, is_over = turns + 1, terminated or truncated
    return turns


if __name__ == "__main__":
    main()
