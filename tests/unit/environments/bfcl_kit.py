"""The package's own checker, and runs that are nearly right.

The checker evaluates the text of calls and keeps instances in its module under names that it is given, so it sees only
calls that are written from parsed arguments, under a name used once, and its instances are thrown away afterwards.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Iterator
from typing import Any, TypeAlias

import pytest

from agentgym.environments.bfcl import BFCL
from agentgym.environments.bfcl.calls import written
from agentgym.environments.bfcl.data import Benchmark, Task, open_benchmark
from agentgym.environments.bfcl.grading import reference

_CHECKER = "bfcl_eval.eval_checker.multi_turn_eval"
_WHY = "needs bfcl-eval: pip install --no-deps bfcl-eval==2026.3.23"
multi_turn_checker = pytest.importorskip(f"{_CHECKER}.multi_turn_checker", reason=_WHY).multi_turn_checker
multi_turn_utils = pytest.importorskip(f"{_CHECKER}.multi_turn_utils", reason=_WHY)

Made: TypeAlias = tuple[str, dict[str, Any]]
"""Name of a tool and arguments by name."""
Run: TypeAlias = list[list[list[Made]]]
"""Turn → step → calls."""

_NAMES = (f"checked_{number}" for number in itertools.count())


def checker_says(task: Task, run: Run) -> bool:
    """Whether the package's checker finds the run right."""
    name = next(_NAMES)
    entry = {"id": task.id, "initial_config": task.config, "involved_classes": list(task.apis)}
    calls = [[[written(*call) for call in step] for step in turn] for turn in run]
    try:
        return bool(multi_turn_checker(calls, list(map(list, task.truth)), entry, task.category, name)["valid"])
    finally:
        for key in [key for key in vars(multi_turn_utils) if key.startswith(f"{name}_")]:
            delattr(multi_turn_utils, key)


def environment_says(env: BFCL, task: Task, run: Run) -> bool:
    """Whether the environment does, when the run's calls are made in it."""
    env.reset(seed=0, options={"task": task.id})
    for turn in run:
        for step in turn:
            assert not env.step(f"[{', '.join(written(*call) for call in step)}]").terminated  # type: ignore[attr-defined]
        *_, terminated, _, info = env.step("Done.")
    assert terminated
    return bool(info["success"])


def truth(task: Task) -> Run:
    """The ground truth, each turn in one step."""
    return [[list(turn.calls)] if turn.calls else [] for turn in reference(task.id)]


def mutated(task: Task, rng: random.Random) -> Run:
    """The ground truth with one to three changes, each turn's calls in up to five steps."""
    turns = [list(turn.calls) for turn in reference(task.id)]
    for _ in range(rng.choice((1, 1, 2, 3))):
        rng.choice((_drop, _reorder, _move, _change, _add))(turns, task, rng)
    return [_in_steps(turn, rng) for turn in turns]


def _in_steps(turn: list[Made], rng: random.Random) -> list[list[Made]]:
    cuts = sorted(rng.sample(range(1, len(turn)), rng.randint(0, min(4, len(turn) - 1)))) if len(turn) > 1 else []
    return [turn[start:end] for start, end in itertools.pairwise([0, *cuts, len(turn)]) if end > start]


def _drop(turns: list[list[Made]], task: Task, rng: random.Random) -> None:
    turn = rng.choice(turns)
    if turn and rng.random() < 0.3:
        turn.clear()
    elif turn:
        del turn[rng.randrange(len(turn))]


def _reorder(turns: list[list[Made]], task: Task, rng: random.Random) -> None:
    rng.shuffle(rng.choice(turns))


def _move(turns: list[list[Made]], task: Task, rng: random.Random) -> None:
    """A call to another turn."""
    if source := rng.choice(turns):
        call = source.pop(rng.randrange(len(source)))
        target = rng.choice(turns)
        target.insert(rng.randint(0, len(target)), call)


def _change(turns: list[list[Made]], task: Task, rng: random.Random) -> None:
    """An argument to another value, of another type, away, or under another name."""
    if not (turn := rng.choice(turns)):
        return
    i = rng.randrange(len(turn))
    name, arguments = turn[i]
    if not arguments or rng.random() < 0.1:
        turn[i] = (name, {**arguments, "unknown": 1})
        return
    key = rng.choice(sorted(arguments))
    value = rng.choice(("", "nowhere", 'it\'s 1/2 of "that"\n', 7, -1, 0.5, True, None, [], [1, "a"], {"a": 1}))
    kept = {k: v for k, v in arguments.items() if k != key}
    turn[i] = (name, kept if rng.random() < 0.1 else {**arguments, key: value})


def _add(turns: list[list[Made]], task: Task, rng: random.Random) -> None:
    """A call that was made already, one of another task with the same tools, or one that nobody knows."""
    benchmark = open_benchmark()
    known = [call for turn in reference(task.id) for call in turn.calls]
    others = [call for call in some_calls() if benchmark.tools[call[0]].api in task.apis]
    call = rng.choice([rng.choice(known), rng.choice(others), rng.choice(others), ("unheard_of", {"a": 1})])
    turn = rng.choice(turns)
    turn.insert(rng.randint(0, len(turn)), call)


@functools.cache
def some_calls() -> tuple[Made, ...]:
    """The calls of the base category's ground truths."""
    tasks = (task for task in open_benchmark().tasks.values() if task.category == "base")
    return tuple(call for task in tasks for turn in reference(task.id) for call in turn.calls)


def mutated_runs(benchmark: Benchmark, count: int, seed: int) -> Iterator[tuple[Task, Run]]:
    """So many mutated runs of tasks of all categories."""
    rng, tasks = random.Random(seed), list(benchmark.tasks.values())
    for _ in range(count):
        task = rng.choice(tasks)
        yield task, mutated(task, rng)
