"""Environments by ``gymnasium.make``: limits of turns, render modes, many at once, async ones, names."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import warnings
from typing import Any

import gymnasium
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import TimeLimit

import agentgym
from agentgym.env import Env
from agentgym.errors import ConfigError
from agentgym.gymnasium_entry import Creator, TurnLimit
from agentgym.wrapper import Settled
from tests.contract.examples.async_counter import AsyncCounter

Start = tuple[str, dict[str, Any]]
Result = tuple[str, float, bool, bool, dict[str, Any]]


@agentgym.register(id="entry-walk")
class Walk(Env):
    """Goes on for ever, or to ``goal``; a reset with the seed 9 gives it one turn."""

    max_turns = 3

    def __init__(self, *, turns: int = 3, goal: int = 0) -> None:
        self.turns, self.goal = turns, goal
        self.max_turns = turns

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Start:
        self.steps, self.max_turns = 0, 1 if self.seed == 9 else self.turns
        return "go", {}

    def step(self, said: str) -> Result:  # authors call it as they like
        self.steps += 1
        return said, 0.0, self.steps == self.goal, False, {}


@agentgym.register(id="entry-drawn")
class Drawn(Walk):
    """Takes a render mode of its own."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 1}  # noqa: RUF012

    def __init__(self, *, render_mode: str | None = None) -> None:
        super().__init__()
        self.render_mode = render_mode


agentgym.register(id="entry-later")(type("Later", (AsyncCounter,), {"max_turns": 2}))


def turns(env: Any, seed: int = 0, most: int = 20) -> tuple[int, bool, bool]:
    """How many turns an episode has, and how it ends."""
    env.reset(seed=seed)
    for number in range(1, most + 1):
        _, _, terminated, truncated, _ = env.step("on")
        if terminated or truncated:
            return number, terminated, truncated
    return most, False, False


# -- limits ------------------------------------------------------------------------------------------------


def test_an_episode_is_truncated_after_its_turns() -> None:
    env = gymnasium.make("agentgym/entry-walk-v0")
    assert turns(env) == (3, False, True)
    assert turns(env) == (3, False, True), "every time"
    env.reset(seed=0)
    assert [env.step("on")[4] for _ in range(3)] == [{}, {}, {"success": False}]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"turns": 5}, (5, False, True)),
        ({"turns": 2}, (2, False, True)),
        ({"max_episode_steps": 2}, (2, False, True)),
        ({"max_episode_steps": 7}, (7, False, True)),
        ({"max_episode_steps": 3, "turns": 5}, (3, False, True)),
        ({"max_episode_steps": -1}, (20, False, False)),
        ({"goal": 2}, (2, True, False)),
        ({"goal": 3}, (3, True, False)),
    ],
)
def test_options_change_the_limit_and_gymnasiums_own_argument_has_the_last_word(arguments: Any, expected: Any) -> None:
    assert turns(gymnasium.make("agentgym/entry-walk-v0", **arguments)) == expected


def test_a_reset_may_change_the_limit() -> None:
    env = gymnasium.make("agentgym/entry-walk-v0")
    assert turns(env, seed=9) == (1, False, True)
    assert turns(env, seed=8) == (3, False, True)


def test_what_was_made_can_be_made_again_from_what_it_says_of_itself() -> None:
    env = gymnasium.make("agentgym/entry-walk-v0", turns=5)
    assert env.spec is not None
    assert env.spec.max_episode_steps == 5
    again = gymnasium.make(env.spec)
    assert (turns(again), again.spec) == ((5, False, True), env.spec)
    assert turns(gymnasium.make(EnvSpec.from_json(env.spec.to_json()))) == (5, False, True)
    assert isinstance(again, TurnLimit)
    assert isinstance(gymnasium.make("agentgym/entry-walk-v0", max_episode_steps=5), TimeLimit)


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    program = (
        "import sys, gymnasium, agentgym; imported = lambda: 'agentgym.environments.webshop' in sys.modules; "
        "before = imported(); steps = gymnasium.spec('agentgym/webshop-v0').max_episode_steps; "
        "assert (before, steps, imported()) == (False, 15, True)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


# -- render modes, many at once -------------------------------------------------------------------------------


def test_a_render_mode_is_the_environments_or_an_error() -> None:
    env = gymnasium.make("agentgym/entry-walk-v0", render_mode="ansi")
    env.reset(seed=0)
    env.step("left")
    assert (env.render_mode, env.render()) == ("ansi", "left")
    with pytest.raises(ConfigError, match=r'render_mode is "anzi"\. Did you mean "ansi"\? entry-walk has: ansi'):
        Creator("entry-walk")(render_mode="anzi")
    assert gymnasium.make("agentgym/entry-drawn-v0", render_mode="rgb_array").render_mode == "rgb_array"


def test_gymnasiums_check_passes_with_every_render_mode_and_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make("agentgym/blocksworld-v0", disable_env_checker=True).unwrapped)


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_many_at_once(mode: Any) -> None:
    apart: dict[str, Any] = {"vector_kwargs": {"shared_memory": False}} if mode == "async" else {}
    many = gymnasium.make_vec(
        "agentgym/blocksworld-v0", num_envs=2, vectorization_mode=mode, render_mode="ansi", level="b3", **apart
    )
    try:
        seen, _ = many.reset(seed=[3, 4])  # type: ignore[arg-type]
        alone = agentgym.make("blocksworld", level="b3")
        assert list(seen) == [str(alone.reset(seed=seed)[0]) for seed in (3, 4)]
        *_, truncated, _ = [many.step(("look", "look")) for _ in range(alone.max_turns)][-1]
        assert truncated.tolist() == [True, True]
    finally:
        many.close()


# -- async ----------------------------------------------------------------------------------------------------


def test_an_async_environment_is_played_as_any_other() -> None:
    env = gymnasium.make("agentgym/entry-later-v0")
    assert env.reset(seed=0, options={"task": "3"})[0] == "0 of 3"
    assert [env.step("up")[:4] for _ in range(2)] == [("1 of 3", 0.0, False, False), ("2 of 3", 0.0, False, True)]
    env.close()


def test_it_is_played_where_an_event_loop_runs_and_is_saved_restored_and_used_again() -> None:
    async def main() -> None:
        env = Settled(AsyncCounter())
        env.reset(seed=0)
        env.step("up")
        moment = env.snapshot()
        assert moment.rung == "native"
        env.step("up")
        env.restore(moment)
        expert = env.expert()
        assert expert is not None
        assert env.step(str(expert(agentgym.Observation())))[0] == "2 of 3"
        env.close()
        assert env.reset(seed=0)[0] == "0 of 3", "with another event loop"
        assert (env.is_async, env.unwrapped.is_async) == (False, True)
        env.close()

    asyncio.run(main())


# -- the argument of step ---------------------------------------------------------------------------------------


def test_an_action_is_given_under_any_name() -> None:
    class Short(Walk):
        def step(self, a: str, /) -> Result:
            return super().step(a.upper())

    for env in (Walk(), Short()):
        env.reset(seed=0)
        told = "LEFT" if isinstance(env, Short) else "left"
        assert [env.step("left")[0], env.step(action="left")[0], env.step(a="left")[0]] == [told] * 3  # type: ignore[call-arg]
        with pytest.raises(agentgym.AgentGymError, match="step takes one action, found 2 arguments"):
            env.step("left", "right")  # type: ignore[call-arg]


def test_an_async_step_too() -> None:
    class Slow(AsyncCounter):
        async def step(self, what: str) -> Any:  # type: ignore[override]
            return await super().step(what)

    async def main() -> None:
        env = Slow()
        await env.reset(seed=0)
        assert (await env.step("up"))[0] == "1 of 3"
        assert (await env.step(action="up"))[0] == "2 of 3"  # type: ignore[call-arg]

    asyncio.run(main())
