"""TextWorld: turns per second beside the bare package, and how long a game takes to make.

    python benchmarks/textworld_env.py [--json FILE] [--rounds N]

Both play the same games with the same commands, ask for the same information, and take turns at it, round by round, so
that what else the machine does falls on both alike; the ratio is the median over the rounds. Commands are the
expert's, found beforehand.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from agentgym.environments.textworld import TextWorld
from agentgym.environments.textworld.engine import textworld
from agentgym.environments.textworld.games import game_file
from agentgym.types import Observation

T = TypeVar("T")
Rows = dict[str, dict[str, float | str]]
Episodes = list[tuple[int, list[str]]]
NUM_GAMES, EPISODES_A_ROUND = 4, 24
INFOS = ("admissible_commands", "policy_commands", "won", "lost", "score", "max_score", "moves")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    rows: Rows = {}
    with tempfile.TemporaryDirectory() as folder:
        rows |= in_own_process(measure_making, Path(folder))
        rows |= in_own_process(measure_ratio, Path(folder), arguments.rounds)
    for name, row in rows.items():
        print(f"{name:44} {row['value']:>10,.4g} {row['unit']:10} (target {row['target']})")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def in_own_process(work: Callable[..., T], *arguments: Any) -> T:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def measure_making(cache: Path) -> Rows:
    env = TextWorld(cache=cache)
    seconds = []
    for task in env.tasks("test")[: NUM_GAMES + 1]:
        start = time.perf_counter()
        game_file(env.level, task, "test", cache)
        seconds.append(time.perf_counter() - start)
    return row("game made, seconds", statistics.median(seconds[1:]), "<= 4", "s")  # the first one imports


def measure_ratio(cache: Path, rounds: int) -> Rows:
    """Whole episodes, with their resets, of the same loaded games."""
    infos = textworld().EnvInfos(**dict.fromkeys(INFOS, True))
    envs = [TextWorld(cache=cache) for _ in range(NUM_GAMES)]
    episodes = [recorded(env, 1 + i) for i, env in enumerate(envs)]
    bare = [textworld().start(str(env.story.file), infos) for env in envs]
    ours_rates: list[float] = []
    bare_rates: list[float] = []
    for number in range(rounds + 1):
        halves: list[tuple[list[float], Callable[..., int], list[Any]]] = [
            (ours_rates, played, envs),
            (bare_rates, bare_played, bare),
        ]
        for rates, play, made in halves[:: 1 if number % 2 else -1]:  # neither is always the first
            start = time.perf_counter()
            turns = sum(play(made[i % NUM_GAMES], *episodes[i % NUM_GAMES]) for i in range(EPISODES_A_ROUND))
            rates.append(turns / (time.perf_counter() - start))
    ratios = [ours / theirs for ours, theirs in zip(ours_rates[1:], bare_rates[1:], strict=True)]
    return {
        **row("turns per second, one core", statistics.median(ours_rates[1:]), "(for reading)", "1/s"),
        **row("turns per second, bare package", statistics.median(bare_rates[1:]), "(for reading)", "1/s"),
        **row("turns per second, ours / bare", statistics.median(ratios), ">= 0.95", "ratio"),
    }


def recorded(env: TextWorld, task: int) -> tuple[int, list[str]]:
    """The task with looks around and the expert's commands."""
    env.reset(options={"task": task})
    expert, actions, over = env.expert(), ["look", "inventory"], False
    while not over:
        actions.append(str(expert(Observation(""))))
        _, _, over, _, _ = env.step(actions[-1])
    return task, actions


def played(env: TextWorld, task: int, actions: list[str]) -> int:
    env.reset(seed=task, options={"task": task})
    for action in actions:
        env.step(action)
    return len(actions)


def bare_played(env: Any, task: int, actions: list[str]) -> int:
    env.reset()
    for action in actions:
        env.step(action)
    return len(actions)


def row(name: str, value: float, target: str, unit: str) -> Rows:
    return {name: {"value": value, "target": target, "unit": unit}}


if __name__ == "__main__":
    main()
