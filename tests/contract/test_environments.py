"""The contract, over every registered environment and over files as newcomers write them.

``pytest tests/contract --env ./mine.py:Mine`` runs it over an environment of your own.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import gymnasium
import pytest

import agentgym
from agentgym import doctor
from agentgym.env import Env
from agentgym.registry import gymnasium_id


@pytest.mark.parametrize("check", doctor.CHECKS, ids=lambda check: check.__name__)
def test_environment_fulfils(env_id: str, check: Callable[[doctor.MakeEnv], str]) -> None:
    assert check(functools.partial(agentgym.make, env_id))


def test_snapshots_of_100_episodes(env_id: str) -> None:
    found = doctor.comes_back_to_snapshots(functools.partial(agentgym.make, env_id), episodes=100)
    assert "of 100 episodes" in found


def episode(env_id: str) -> list[tuple[str, doctor.Moment]]:
    """One random episode; a child process finds this function by name."""
    with doctor.Player(agentgym.make(env_id)) as player:
        task = player.env.tasks("test")[0]
        return list(doctor.play_at_random(player, task, 7))


def test_two_processes_see_the_same_episode(env_id: str) -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        first, second = pool.map(episode, [env_id, env_id])
    assert len(first) > 1
    assert first == second == episode(env_id)


def test_gymnasium_makes_and_plays_it(env_id: str) -> None:
    cls = agentgym.plugins("environments").get(env_id)
    env = gymnasium.make(gymnasium_id(cls.plugin_id))  # type: ignore[attr-defined]
    assert isinstance(env.unwrapped, cls)  # type: ignore[arg-type]
    if inspect.iscoroutinefunction(inspect.unwrap(cls.step)):  # type: ignore[attr-defined]
        return  # Gymnasium's wrappers cannot await
    observation, _ = env.reset(seed=3)
    again, _ = env.reset(seed=3)
    assert observation == again
    assert isinstance(env.step("look"), tuple)
    env.close()


def test_environments_of_one_class_are_independent(env_id: str) -> None:
    """Two instances, stepped in turn, play as each does alone."""
    with doctor.Player(agentgym.make(env_id)) as one, doctor.Player(agentgym.make(env_id)) as other:
        tasks = one.env.tasks("train")
        cases = [(one, tasks[0], 1), (other, tasks[-1], 2)]
        alone = [list(doctor.play_at_random(*case)) for case in cases]
        together = list(itertools.zip_longest(*(doctor.play_at_random(*case) for case in cases)))
        assert [[turn for turn in turns if turn] for turns in zip(*together, strict=True)] == alone
        assert isinstance(one.env, Env)
