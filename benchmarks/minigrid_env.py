"""MiniGrid: turns per second against the bare package, and what the expert and a random policy solve.

    python benchmarks/minigrid_env.py [--json FILE]

Text, admissible actions and the checks of the boundary cost something; the package's own steps take most of the time.
Both sides take the same random actions in the same worlds, a second of processor time each, alternating; the ratio is
the median. (The script's name is not the package's, which it would hide.)
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from agentgym.environments.minigrid.env import LEVELS, Level, MiniGrid
from agentgym.environments.minigrid.package import make_world
from agentgym.types import Observation, TaskId

ACTIONS = ("turn left", "turn right", "go forward", "pick up", "drop", "toggle")
Rows = dict[str, dict[str, float | str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    rows = measure_speed("goto-local") | measure_speed("boss")
    for level, (_, turns) in LEVELS.items():
        rows |= measure_success(level, 100 if turns < 100 else 40)
    for name, row in rows.items():
        print(f"{name:36} {row['value']:>10,.4g} {row['unit']:10} (target {row['target']})")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def measure_speed(level: Level, rounds: int = 7) -> Rows:
    ours, bare = MiniGrid(level=level), make_world(LEVELS[level][0])

    def rate(reset: Callable[[int], object], step: Callable[[int], tuple[object, ...]]) -> float:
        """Steps per second of a second's worth of steps; resets are not timed."""
        rng, spent, steps, seed = random.Random(0), 0.0, 0, 0
        while spent < 1:
            reset(seed)
            actions = [rng.randrange(len(ACTIONS)) for _ in range(LEVELS[level][1])]
            start = time.process_time()
            for action in actions:
                steps += 1
                if any(step(action)[2:4]):
                    break
            spent += time.process_time() - start
            seed += 1
        return steps / spent

    pairs = []
    for _ in range(rounds):
        theirs = rate(lambda seed: bare.reset(seed=seed), bare.step)
        pairs.append((rate(lambda seed: ours.reset(seed=seed), lambda action: ours.step(ACTIONS[action])), theirs))
    return {
        **row(f"{level}: turns per second", statistics.median(one for one, _ in pairs), "", "1/s"),
        **row(f"{level}: bare package", statistics.median(other for _, other in pairs), "", "1/s"),
        **row(f"{level}: ours / bare", statistics.median(one / other for one, other in pairs), ">= 0.8", "ratio"),
    }


def measure_success(level: Level, num_tasks: int) -> Rows:
    env = MiniGrid(level=level)
    tasks = env.tasks("test")[:num_tasks]
    expert = sum(wins(env, task, by_expert=True) for task in tasks)
    at_random = sum(wins(env, task, by_expert=False) for task in tasks)
    return {
        **row(f"{level}: expert solves", expert / num_tasks, ">= 0.9", "of tasks"),
        **row(f"{level}: random solves", at_random / num_tasks, "", "of tasks"),
    }


def wins(env: MiniGrid, task: TaskId, *, by_expert: bool) -> bool:
    """Whether the expert, or random admissible actions, end the episode well within its turns."""
    observation = Observation.of(env.reset(options={"task": task})[0])
    expert, rng = env.expert(), random.Random(task)
    assert expert is not None
    for _ in range(env.max_turns):
        action = expert(observation) if by_expert else rng.choice(observation.admissible or ())
        seen, _, terminated, truncated, info = env.step(action)
        if terminated or truncated:
            return bool(info["success"])
        observation = Observation.of(seen)
    return False


def row(name: str, value: float, target: str, unit: str) -> Rows:
    return {name: {"value": value, "target": target, "unit": unit}}


if __name__ == "__main__":
    main()
