"""Terminals without a container, for what an environment does with plain commands of its own expert."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from agentgym.environments.terminal import Terminal
from agentgym.types import StepResult


@contextlib.contextmanager
def terminal(**options: Any) -> Iterator[Terminal]:
    env = Terminal(unsafe_local=True, **options)
    try:
        yield env
    finally:
        env.close()


def solved(env: Terminal, task: int) -> list[StepResult]:
    """What comes of the expert's steps."""
    observation, _ = env.reset(options={"task": task})
    expert, results = env.expert(), list[StepResult]()
    while not results or not results[-1].terminated:
        results.append(StepResult(*env.step(str(expert(observation)))))  # type: ignore[arg-type]
        assert len(results) <= env.max_turns
    return results
