"""What is seen and said in an environment: the text that a policy made from nothing has its vocabulary from."""

from __future__ import annotations

import numpy as np

from agentgym.blame import place
from agentgym.env import Env
from agentgym.errors import UserError
from agentgym.types import Observation
from agentgym.visit import Visit

__all__ = ["corpus"]


async def corpus(env: Env) -> tuple[list[str], list[str]]:
    """What the environment shows in training tasks and what is said there, by its expert or at random.

    Raises UserError for an environment that breaks.
    """
    try:
        return await _corpus(Visit(env))
    except UserError:
        raise
    except Exception as error:
        problem = f"{type(error).__name__}: {error} ({place(error)})"
        raise UserError(f'the environment "{env.name}" breaks in its first episodes: {problem}') from error


async def _corpus(visit: Visit) -> tuple[list[str], list[str]]:
    seen: list[str] = [visit.env.instructions]
    said: list[str] = []
    rng = np.random.default_rng(0)
    tasks = visit.env.tasks("train")
    for number in range(min(visit.env.corpus_episodes, len(tasks))):
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
