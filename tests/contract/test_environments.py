"""The contract, over every registered environment and over files as newcomers write them.

``pytest tests/contract --env ./mine.py:Mine`` runs it over an environment of your own. An environment whose extra is
not installed is skipped with the line that installs it.
"""

from __future__ import annotations

import functools
import pickle
import re

import gymnasium
import pytest

import agentgym
from agentgym import doctor
from agentgym.env import Env
from agentgym.errors import MissingExtraError
from agentgym.learn.byte_tokenizer import byte_tokenizer
from agentgym.registry import EnvFactory, gymnasium_id
from agentgym.tokenizer import ChatTokenizer
from agentgym.visit import Player
from agentgym.wrapper import Settled

SECONDS = 0.5
"""For each check: about as much as ``agentgym doctor --quick`` takes."""


@functools.cache
def what_is_missing(env_id: str) -> str:
    """What must be installed before this environment can be made; nothing for most."""
    try:
        agentgym.make(env_id).close()
    except MissingExtraError as error:
        return str(error)
    return ""


@pytest.fixture(autouse=True)
def _installed(env_id: str) -> None:
    if missing := what_is_missing(env_id):
        pytest.skip(missing)


@pytest.mark.parametrize("check", doctor.CHECKS, ids=lambda check: check.__name__)
def test_environment_fulfils(env_id: str, check: doctor.Check) -> None:
    assert check(EnvFactory(env_id), SECONDS)


@pytest.mark.parametrize("protocol", ["plain", "react"])
def test_tokens_come_back(env_id: str, protocol: str) -> None:
    speech = agentgym.plugins("protocols").get(protocol)()
    check = doctor.tokens_check(ChatTokenizer(byte_tokenizer()), speech)
    assert " 0 forks" in check(EnvFactory(env_id), SECONDS)


@pytest.mark.slow
@pytest.mark.nightly
def test_snapshots_of_many_episodes(env_id: str) -> None:
    """A hundred, or as many as a few seconds have room for."""
    found = doctor.comes_back_to_snapshots(EnvFactory(env_id), 8.0, episodes=100)
    played = re.search(r"of (\d+) episodes", found)
    assert "left out" in found or (played and int(played[1]) >= 2)


def test_gymnasium_makes_and_plays_it(env_id: str) -> None:
    cls = agentgym.plugins("environments").get(env_id)
    env = gymnasium.make(gymnasium_id(cls.plugin_id))  # type: ignore[attr-defined]
    ours: object = env
    while isinstance(ours, gymnasium.Wrapper | Settled):
        ours = ours.env
    assert isinstance(ours, cls)  # type: ignore[arg-type]
    assert isinstance(ours, Env)
    assert isinstance(env.unwrapped, Env)
    observation, _ = env.reset(seed=3)
    again, _ = env.reset(seed=3)
    assert observation == again
    assert isinstance(env.step("look"), tuple)
    env.close()


def test_gymnasium_knows_its_turns_and_truncates_after_them(env_id: str) -> None:
    """Of an environment of ours before it is made; others may choose theirs when they are made."""
    cls = agentgym.plugins("environments").get(env_id)
    env = gymnasium.make(gymnasium_id(cls.plugin_id), render_mode="ansi")  # type: ignore[attr-defined]
    assert env.spec is not None
    if cls.__module__.startswith("agentgym."):
        assert gymnasium.spec(env.spec.id).max_episode_steps == env.spec.max_episode_steps
    env.reset(seed=3)
    ends = [False, False]
    for _ in range(env.unwrapped.max_turns):  # type: ignore[attr-defined]
        *_, ends[0], ends[1], _ = env.step("look")
        if any(ends):
            break
    assert any(ends)
    env.close()


def test_it_goes_on_from_a_pickle(env_id: str) -> None:
    """An async one, and one that has no way back, is sent before its episode."""
    with Player(agentgym.make(env_id)) as player:
        env = player.env
        if not (env.is_async or env.restored_by == "none"):
            player.reset(None, 3)
            player.step("look")
        with Player(pickle.loads(pickle.dumps(env))) as other:
            assert (other.env.render(), other.env._digests) == (env.render(), env._digests)
