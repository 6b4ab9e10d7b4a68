"""Environments in pickles: by their attributes, by the moment that they are at, or not, with the reason."""

from __future__ import annotations

import asyncio
import math
import pickle
from typing import Any

import gymnasium
import pytest

import agentgym
from agentgym.env import Env
from agentgym.errors import SnapshotError
from tests.contract.examples.async_counter import AsyncCounter


class Holds(Env):
    """Holds what cannot be pickled, if it is told to, and counts in which instance it is."""

    made = 0

    def __init__(self, word: str, *, holds: bool = True) -> None:
        Holds.made += 1
        self.word, self.held = word, math if holds else None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return f"{self.word} {self.np_random.integers(1000)}", {}

    def step(self, action: str) -> Any:
        if action == "fail":
            raise RuntimeError("it failed")
        return f"{action} {self.np_random.integers(1000)}", 0.25, action == "end", False, {}


class Goes(Holds):
    restored_by = "none"


def sent(env: Any) -> Any:
    return pickle.loads(pickle.dumps(env))


def test_what_can_be_pickled_keeps_its_attributes() -> None:
    env = Holds("a", holds=False)
    env.word, made = "b", Holds.made
    assert (sent(env).word, Holds.made) == ("b", made)


def test_what_cannot_is_made_anew_and_led_to_the_same_moment() -> None:
    env, made = Holds("a"), Holds.made
    assert sent(env).held is math
    assert Holds.made == made + 1
    first, _ = env.reset(seed=5)
    env.step("left")
    env.max_turns = 7
    other = sent(env)
    assert (other.seed, other.max_turns, other.render()) == (5, 7, env.render())
    assert other.step("right") == env.step("right"), "the random numbers are the same"
    env.step("end")
    with pytest.raises(agentgym.AgentGymError, match="over"):
        sent(env).step("on")
    assert first.startswith("a ")


def test_what_gymnasium_made_is_sent_with_its_wrappers() -> None:
    agentgym.register(id="pickled")(Holds)
    env = gymnasium.make("agentgym/pickled-v0", word="a", render_mode="ansi")
    env.reset(seed=5)
    other = sent(env)
    assert (other.spec, other.render_mode) == (env.spec, "ansi")
    assert other.step("left")[:2] == env.step("left")[:2]


def test_where_there_is_no_way_back_it_is_said() -> None:
    env = Goes("a")
    assert sent(env).word == "a", "before an episode there is nothing to come back to"
    env.reset(seed=0)
    with pytest.raises(SnapshotError, match=r"Goes cannot be pickled in the middle .*: there is no way .*EnvFactory"):
        pickle.dumps(env)
    later = AsyncCounter()
    later.held = math  # type: ignore[attr-defined]
    asyncio.run(later.reset(seed=0))
    with pytest.raises(SnapshotError, match="cannot be pickled in the middle of an episode: it is async"):
        pickle.dumps(later)
    broken = Holds("a")
    broken.reset(seed=0)
    with pytest.raises(RuntimeError):
        broken.step("fail")
    with pytest.raises(SnapshotError, match="its last step raised"):
        pickle.dumps(broken)
