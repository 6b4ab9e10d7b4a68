"""What is seen and said in an environment: the text that a policy made from nothing has its vocabulary from."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

from agentgym.blame import place
from agentgym.env import Env
from agentgym.errors import UserError
from agentgym.types import Action, Observation, TaskId
from agentgym.visit import Standing, Visit

__all__ = ["Played", "corpus"]


class Played(Protocol):
    """An environment that is played by hand, wherever it is."""

    now: Standing

    @property
    def name(self) -> str: ...
    @property
    def instructions(self) -> str: ...
    @property
    def corpus_episodes(self) -> int: ...
    @property
    def goes_on(self) -> bool: ...
    def in_a_row(self) -> AbstractContextManager[object]: ...
    def tasks(self, split: str) -> Sequence[TaskId]: ...
    async def reset(self, task: TaskId | None = None, seed: int = 0) -> Observation: ...
    async def step(self, action: str) -> Any: ...
    async def expert(self) -> Action | None: ...


async def corpus(env: Env | Played) -> tuple[list[str], list[str]]:
    """What the environment shows in training tasks and what is said there, by its expert or at random.

    Raises UserError for an environment that breaks.
    """
    try:
        if isinstance(env, Env):
            return await _corpus(Visit(env), env)
        with env.in_a_row():
            return await _corpus(env, env)
    except UserError:
        raise
    except Exception as error:
        problem = f"{type(error).__name__}: {error} ({place(error)})"
        raise UserError(f'the environment "{env.name}" breaks in its first episodes: {problem}') from error


async def _corpus(visit: Visit | Played, env: Env | Played) -> tuple[list[str], list[str]]:
    seen: list[str] = [env.instructions]
    said: list[str] = []
    rng = np.random.default_rng(0)
    tasks = env.tasks("train")
    for number in range(min(env.corpus_episodes, len(tasks))):
        seen.append(await visit.reset(tasks[number], seed=number))
        while visit.goes_on:
            action = await visit.expert()
            said.append(_any_action(visit.now.observation, rng) if action is None else action)
            seen.append((await visit.step(said[-1])).observation)
    return seen, said


def _any_action(observation: Observation, rng: np.random.Generator) -> str:
    """One that would have an effect where they are listed, otherwise a word that was shown."""
    choices = observation.admissible or observation.split() or [""]
    return str(choices[int(rng.integers(len(choices)))])
