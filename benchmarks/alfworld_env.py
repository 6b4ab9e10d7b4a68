"""ALFWorld: turns and resets per second beside TextWorld's environment, and what the expert solves.

    python benchmarks/alfworld_env.py [--data DIR] [--json FILE]

Both sides play the same random commands in the same games, and both are asked for the admissible ones at every turn,
by processor time. Each game is played twice here: the first time nothing of it is known, the second time all is.
``--data`` names a folder of the official release, of which the test games are played; otherwise games are generated.
(The script's name is not the package's, which it would hide.)
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agentgym.environments.alfworld import AlfWorld
from agentgym.environments.alfworld.packages import alfworld, downward
from agentgym.types import TaskId

Rows = dict[str, dict[str, float | str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="generated", help="folder of the official release")
    parser.add_argument("--games", type=int, default=60, help="how many test games the expert plays")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        env = AlfWorld(data=arguments.data, cache=cache)
        tasks = spread(env.tasks("test"), arguments.games)
        rows = measure_expert(env, tasks) | measure_speed(env, spread(env.tasks("train"), 12))
    for name, row in rows.items():
        print(f"{name:40} {row['value']:>10,.4g} {row['unit']:10} (target {row['target']})")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def spread(tasks: Any, count: int) -> list[TaskId]:
    """So many tasks of a split, at equal distances."""
    count = min(count, len(tasks))
    return [tasks[number * len(tasks) // count] for number in range(count)]


def measure_expert(env: AlfWorld, tasks: list[TaskId]) -> Rows:
    won: Counter[bool] = Counter()
    num_turns = 0
    for task in tasks:
        observation: Any = env.reset(options={"task": task})[0]
        expert, terminated = env.expert(), False
        for _ in range(env.max_turns):
            observation, _, terminated, _, _ = env.step(expert(observation))
            num_turns += 1
            if terminated:
                break
        won[terminated] += 1
        if not terminated:
            print(f"lost: {task}")
    return {
        **row("expert solves", won[True] / len(tasks), ">= 0.95", "of games"),
        **row("expert: turns", num_turns / len(tasks), "", "a game"),
    }


def measure_speed(env: AlfWorld, tasks: list[TaskId], num_turns: int = 30) -> Rows:
    spent: Counter[str] = Counter()
    played = 0
    for task in tasks:
        with timed(spent, "open"):
            env.reset(options={"task": task})
        with tempfile.TemporaryDirectory() as folder:
            theirs, seen = textworlds(env, Path(folder), spent)
        commands = list(walk(env, task, num_turns, spent))
        played += len(commands)
        for command in commands:
            with timed(spent, "their turns"):
                seen = theirs.step(command)[0]
        assert seen.feedback == env.render()
        assert seen["admissible_commands"] == list(env.state.commands)
        env.reset(options={"task": task})
        with timed(spent, "turns again"):
            for command in commands:
                env.step(command)
    return {
        **row("opening a game", spent["open"] / len(tasks), "", "s"),
        **row("TextWorld: loading and resetting", spent["their open"] / len(tasks), "", "s"),
        **row("turns per second, new", played / spent["turns"], "", "1/s"),
        **row("turns per second, known", played / spent["turns again"], "", "1/s"),
        **row("TextWorld: turns per second", played / spent["their turns"], "", "1/s"),
        **row("new / TextWorld", spent["their turns"] / spent["turns"], ">= 5", "ratio"),
    }


def walk(env: AlfWorld, task: TaskId, num_turns: int, spent: Counter[str]) -> Iterator[str]:
    """Play at random; the commands."""
    rng = random.Random(str(task))
    for _ in range(num_turns):
        command = rng.choice(list(env.state.commands))
        with timed(spent, "turns"):
            terminated = env.step(command)[2]
        yield command
        if terminated:
            return


def textworlds(env: AlfWorld, folder: Path, spent: Counter[str]) -> tuple[Any, Any]:
    """TextWorld's environment at the beginning of the same game, with the names that ALFWorld gives."""
    game = env.world.game
    grammar = game.grammar.replace("UNKNOWN GOAL.", game.sentence)
    file = folder / "game.tw-pddl"
    file.write_text(json.dumps({"pddl_domain": game.domain, "pddl_problem": game.problem, "grammar": grammar}))
    with timed(spent, "their open"):
        theirs = downward("textworld.envs.pddl").PddlEnv(downward("textworld").EnvInfos(admissible_commands=True))
        theirs.load(str(file))
        names = alfworld("agents.utils.misc").Demangler(game_infos=theirs._entity_infos)
        for info in theirs._entity_infos.values():
            info.name = names.demangle_alfred_name(info.id)
        return theirs, theirs.reset()


@contextmanager
def timed(spent: Counter[str], what: str) -> Iterator[None]:
    """Add the processor time of the block."""
    start = time.process_time()
    yield
    spent[what] += time.process_time() - start  # type: ignore[assignment]


def row(name: str, value: float, target: str, unit: str) -> Rows:
    return {name: {"value": value, "target": target, "unit": unit}}


if __name__ == "__main__":
    main()
